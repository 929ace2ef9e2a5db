"""Window stores: a RocksStore with the window's start before the key, and old windows dropped.

Starts come first, big-endian, so that windows lie on disk in the order of time and whole segments
of them go with one range delete, in the write batch of a commit. Reads are stricter than that: a
window cannot be seen past its retention, whether or not its segment is gone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Generic, TypeVar

from rocksdict import Cache, WriteBatch

from reference_app.streams.serde import Serde
from reference_app.streams.store import DATA_PREFIX, Position, RocksStore
from reference_app.streams.stream_time import StreamTime
from reference_app.streams.topology import TimeWindows

K = TypeVar("K")
V = TypeVar("V")

_START_BYTES = 8
_SHORTEST_SEGMENT_MS = 60_000
_COMPACT_EVERY_S = 10.0
# Sorts after all data, as the position does.
_FLOOR = b"floor"


def windowed(key: Serde[K]) -> Serde[tuple[int, K]]:
    """Window start and key, as they are in changelogs and on disk."""
    encode_key, decode_key = key.encode, key.decode

    def encode(at: tuple[int, K]) -> bytes:
        return _encoded(at[0]) + encode_key(at[1])

    def decode(content: bytes) -> tuple[int, K]:
        start = int.from_bytes(content[:_START_BYTES], "big")
        return start, decode_key(content[_START_BYTES:])

    return Serde(encode=encode, decode=decode)


class WindowedStore(RocksStore[tuple[int, K], V]):
    """Keeps windows for `retention_ms` after their start, by the stream time of its task.

    Segments are as long as Kafka Streams': half the retention, and a minute at least. What a
    restore brings back says by itself how far stream time has come at least, so that a standby,
    which has no task, drops segments too.

    `floor`: windows that start below it are dropped, for good.
    """

    def __init__(
        self,
        path: Path,
        *,
        key: Serde[K],
        value: Serde[V],
        retention_ms: int,
        cache: Cache | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(path, key=windowed(key), value=value, cache=cache)
        self.retention_ms = retention_ms
        self._refused = 0
        self._segment_ms = max(retention_ms // 2, _SHORTEST_SEGMENT_MS)
        self._stream_time = StreamTime()
        self._restored_to = -1
        self._clock = clock
        self._compact_at = clock()
        self.floor = self._compacted_to = self._read_floor()

    @property
    def refused(self) -> int:
        return self._refused

    def refuse(self) -> None:
        """Counts a write to a window past its retention."""
        self._refused += 1

    def follow(self, stream_time: StreamTime) -> None:
        self._stream_time = stream_time

    @property
    def has_changes(self) -> bool:
        return super().has_changes or self._next_floor() > self.floor

    def commit(self, position: Position) -> None:
        super().commit(position)
        self._give_back()

    def restore(self, records: Iterable[tuple[bytes, bytes | None]], position: Position) -> None:
        """As a RocksStore's, without the records of windows that were dropped already."""
        lowest = _encoded(self.floor)
        kept = [record for record in records if record[0] >= lowest]
        if kept:
            # No window is written that starts after the stream time: it has come as far as this.
            newest = max(record[0] for record in kept)[:_START_BYTES]
            self._restored_to = max(self._restored_to, int.from_bytes(newest, "big"))
        super().restore(kept, position)

    def finish_restore(self, position: Position) -> None:
        super().finish_restore(position)
        self._give_back()

    def wipe(self) -> None:
        super().wipe()
        self._restored_to = -1
        self.floor = self._compacted_to = 0

    def _write(
        self, records: Iterable[tuple[bytes, bytes | None]], position: Position, *, wal: bool
    ) -> None:
        floor = self._next_floor()
        super()._write(records, position, wal=wal)
        self.floor = floor

    def _complete(self, batch: WriteBatch) -> None:
        """Last, so that it also drops what this very batch writes to windows that are too old."""
        floor = self._next_floor()
        if floor > self.floor:
            batch.delete_range(DATA_PREFIX + _encoded(self.floor), DATA_PREFIX + _encoded(floor))
            batch.put(_FLOOR, _encoded(floor))

    def _next_floor(self) -> int:
        """The start of the oldest segment with a window that is still to be kept."""
        now = max(self._stream_time.now, self._restored_to)
        segment = (now - self.retention_ms + 1) // self._segment_ms
        return max(segment * self._segment_ms, self.floor)

    def _give_back(self) -> None:
        """Dropped segments leave the disk only when their files are compacted; now and then is
        enough, however fast stream time runs while a backlog is worked off."""
        now = self._clock()
        if self._compacted_to < self.floor and now >= self._compact_at:
            begin, end = _encoded(self._compacted_to), _encoded(self.floor)
            self._db.compact_range(DATA_PREFIX + begin, DATA_PREFIX + end)
            self._compacted_to = self.floor
            self._compact_at = now + _COMPACT_EVERY_S

    def _read_floor(self) -> int:
        stored = self._db.get(_FLOOR)
        return 0 if stored is None else int.from_bytes(stored, "big")


class Windows(Generic[K, V]):
    """What a processor sees of a window store: see `Windowed`."""

    def __init__(
        self, store: WindowedStore[K, V], windows: TimeWindows, stream_time: StreamTime
    ) -> None:
        self._store = store
        self._open_ms = windows.closes_at(0)
        self._kept_ms = store.retention_ms
        self._time = stream_time

    def get(self, key: K, start: int) -> V | None:
        store = self._store
        if start + self._kept_ms <= self._time.now or start < store.floor:
            return None
        return store.get((start, key))

    def put(self, key: K, start: int, value: V) -> None:
        if self._is_kept(start):
            self._store.put((start, key), value)

    def delete(self, key: K, start: int) -> None:
        if self._is_kept(start):
            self._store.delete((start, key))

    def is_open(self, start: int) -> bool:
        return start + self._open_ms > self._time.now and start >= self._store.floor

    def _is_kept(self, start: int) -> bool:
        now = self._time.now
        if start > now:
            raise ValueError(f"a window at {start} has no record yet: stream time is {now}")
        if start + self._kept_ms <= now or start < self._store.floor:
            self._store.refuse()
            return False
        return True


def _encoded(start: int) -> bytes:
    return start.to_bytes(_START_BYTES, "big")
