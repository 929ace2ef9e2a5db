"""A RocksDB key-value store whose durable content is always one committed point.

Writes of the open transaction live in an overlay in memory. A commit puts them into RocksDB in one
write batch together with the changelog position they lead to (KIP-892, KIP-1035), so whatever
instant a process dies at, the store opens at a point that was committed, and knows which.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Generic, Protocol, TypeAlias, TypeVar, cast

import msgspec
from rocksdict import (
    AccessType,
    BlockBasedOptions,
    Cache,
    Options,
    Rdict,
    WriteBatch,
    WriteOptions,
)

from reference_app.streams.errors import ConfigurationError, StateError
from reference_app.streams.logs import event
from reference_app.streams.serde import Serde
from reference_app.streams.stream_time import StreamTime

_LOG = logging.getLogger(__name__)
K = TypeVar("K")
V = TypeVar("V")

Writes: TypeAlias = list[tuple[bytes, bytes | None]]
"""Encoded key and value of each write; None deletes."""

# Data and position share a column family, so that no crash can keep one without the other, even
# where the write-ahead log is off. A prefix keeps every user key apart from the position's.
DATA_PREFIX = b"d"
_POSITION = b"position"

_DAMAGED = ("Corruption", "No such file or directory")

_MISSING = object()

_CACHED_ENTRIES = 50_000
"""Of one store: with a few hundred bytes each, some MB."""


class Position(msgspec.Struct, frozen=True):
    """The changelog offset a store's content corresponds to.

    `offset` is the next one to read, and may be a lower bound: replaying up to the end writes the
    same last values again. `written_at` is Unix time in seconds: a position older than the topic's
    `delete.retention.ms` may have missed tombstones that compaction has since dropped.
    """

    topic_id: str
    offset: int
    written_at: float


class StateStore(Protocol):
    """What the runtime needs of any store, whatever a processor does with it."""

    @property
    def position(self) -> Position | None: ...

    def follow(self, stream_time: StreamTime) -> None: ...

    @property
    def has_changes(self) -> bool: ...

    @property
    def refused(self) -> int: ...

    def pending(self) -> Writes: ...

    def commit(self, position: Position) -> None: ...

    def rollback(self) -> None: ...

    def restore(
        self, records: Iterable[tuple[bytes, bytes | None]], position: Position
    ) -> None: ...

    def finish_restore(self, position: Position) -> None: ...

    def wipe(self) -> None: ...

    def close(self) -> None: ...


class RocksStore(Generic[K, V]):
    """A `StateStore` and a processor's `KeyValues` on one RocksDB directory."""

    def __init__(
        self,
        path: Path,
        *,
        key: Serde[K],
        value: Serde[V],
        cache: Cache | None = None,
        read_only: bool = False,
    ) -> None:
        self._path = path
        self._read_only = read_only
        self._options = _options(cache)
        self._encode_key = key.encode
        self._decode_key = key.decode
        self._encode_value = value.encode
        self._decode_value = value.decode
        self._overlay: dict[K, V | None] = {}
        self._cached: dict[K, V | None] = {}
        self._pending: Writes | None = None
        self._unlogged = False
        self._db = self._open()

    # -- what a processor sees

    def get(self, key: K) -> V | None:
        value = self._overlay.get(key, _MISSING)
        if value is not _MISSING:
            return value  # type: ignore[return-value]
        value = self._cached.get(key, _MISSING)
        if value is not _MISSING:
            return value  # type: ignore[return-value]
        encoded = DATA_PREFIX + self._encode_key(key)
        try:
            stored = self._db.get(encoded)
        except Exception as error:  # rocksdict raises nothing narrower
            raise StateError(f"{self._path} cannot be read: {error}") from error
        return None if stored is None else self._decode_value(stored)

    def put(self, key: K, value: V) -> None:
        self._overlay[key] = value

    def delete(self, key: K) -> None:
        self._overlay[key] = None

    @property
    def refused(self) -> int:
        """Writes that came too late to be taken; here there are none."""
        return 0

    # -- the open transaction

    def follow(self, stream_time: StreamTime) -> None:
        """The owning task's: nothing here depends on it."""

    @property
    def has_changes(self) -> bool:
        """True where a commit would change something on disk."""
        return bool(self._overlay)

    def pending(self) -> Writes:
        """The overlay's last write of each key, encoded: what the changelog has to be told.

        Asked again, it answers the same until the next `commit` or `rollback`.
        """
        # An empty answer is not kept: nobody commits or rolls back what is not there, and the
        # writes that come later would never be told.
        if not self._pending:
            encode_key, encode_value = self._encode_key, self._encode_value
            self._pending = [
                (encode_key(key), None if value is None else encode_value(value))
                for key, value in self._overlay.items()
            ]
        return self._pending

    def commit(self, position: Position) -> None:
        """Makes the overlay durable at `position`. To be called only after the commit succeeded."""
        self._write(self.pending(), position, wal=True)
        self._remember()
        self.rollback()

    def _remember(self) -> None:
        """What was just committed is likely to be read next, and is decoded already.

        Only committed values are ever here, so that a rollback leaves them alone.
        """
        self._cached.update(self._overlay)
        if len(self._cached) > _CACHED_ENTRIES:
            self._cached.clear()

    def rollback(self) -> None:
        """Forgets the overlay: the store is at its last committed point again."""
        self._overlay.clear()
        self._pending = None

    # -- restoring

    @property
    def position(self) -> Position | None:
        """The committed point on disk; None for a new store."""
        stored = self._db.get(_POSITION)
        return None if stored is None else msgspec.msgpack.decode(stored, type=Position)

    def restore(self, records: Iterable[tuple[bytes, bytes | None]], position: Position) -> None:
        """Applies changelog records. An interrupted restore goes on from the last `position`.

        Without the write-ahead log: a crash loses a suffix, position included, and the changelog
        gives it back.
        """
        self._cached.clear()
        self._write(records, position, wal=False)
        self._unlogged = True

    def finish_restore(self, position: Position) -> None:
        """The store holds all of the changelog up to `position`, and may be written to.

        What bypassed the log has to be in a table file before anything is logged after it: else a
        crash would keep the later writes and lose the earlier ones.
        """
        if self._unlogged:
            self._written(lambda: self._db.flush(wait=True))
            self._unlogged = False
        self._write((), position, wal=True)

    def wipe(self) -> None:
        """Back to an empty store without a position."""
        self._db.close()
        shutil.rmtree(self._path)
        self._cached.clear()
        self._unlogged = False
        self.rollback()
        self._db = self._open()

    # -- the whole content, for audits

    def items(self) -> Iterator[tuple[K, V]]:
        """All committed entries in the order of their encoded keys."""
        entries = cast("Iterator[tuple[bytes, bytes]]", self._db.items(from_key=DATA_PREFIX))
        for key, value in entries:
            if not key.startswith(DATA_PREFIX):
                return
            yield self._decode_key(key[len(DATA_PREFIX) :]), self._decode_value(value)

    def close(self) -> None:
        self.rollback()
        try:
            self._db.close()
        except Exception as error:  # noqa: BLE001 - rocksdict raises nothing narrower
            # On a full disk it cannot flush. What it holds is a committed point nevertheless, and
            # why the process ends has been said by then.
            event(_LOG, "store_closed_dirty", level=logging.WARNING, reason=error)

    def _open(self) -> Rdict:
        if self._read_only:
            return self._look_at()
        self._path.mkdir(parents=True, exist_ok=True)
        try:
            return Rdict(str(self._path), self._options)
        except Exception as error:  # rocksdict raises nothing narrower
            if not any(sign in str(error) for sign in _DAMAGED):
                raise ConfigurationError(f"{self._path} cannot be opened: {error}") from error
            # The changelog is the truth, the directory only saves reading it again.
            shutil.rmtree(self._path)
            self._path.mkdir(parents=True)
            return Rdict(str(self._path), self._options)

    def _look_at(self) -> Rdict:
        """What is damaged is told, and stays as it is."""
        try:
            return Rdict(str(self._path), self._options, access_type=AccessType.read_only(False))
        except Exception as error:  # rocksdict raises nothing narrower
            raise StateError(f"{self._path} cannot be read: {error}") from error

    def _write(
        self, records: Iterable[tuple[bytes, bytes | None]], position: Position, *, wal: bool
    ) -> None:
        batch = WriteBatch(raw_mode=True)
        put = batch.put
        for key, value in records:
            if value is None:
                batch.delete(DATA_PREFIX + key)
            else:
                put(DATA_PREFIX + key, value)
        self._complete(batch)
        put(_POSITION, msgspec.msgpack.encode(position))
        options = WriteOptions()
        # Not synced: the page cache outlives the process, and after a power cut the log's prefix
        # is again a committed point.
        options.disable_wal = not wal  # type: ignore[method-assign,assignment]
        self._written(lambda: self._db.write(batch, options))

    def _written(self, write: Callable[[], object]) -> None:
        """Full or read-only: the process ends, for what is committed in Kafka is not here. Its
        restart goes on from the position that is."""
        try:
            write()
        except Exception as error:  # rocksdict raises nothing narrower
            raise StateError(f"{self._path} cannot be written: {error}") from error

    def _complete(self, batch: WriteBatch) -> None:
        """Room for what a kind of store adds to every write batch, after the records."""


def _options(cache: Cache | None) -> Options:
    options = Options(raw_mode=True)
    options.create_if_missing(True)
    options.set_write_buffer_size(16 * 1024 * 1024)
    options.set_max_write_buffer_number(3)
    options.set_max_background_jobs(2)
    options.set_keep_log_file_num(1)
    tables = BlockBasedOptions()
    tables.set_bloom_filter(10, block_based=False)
    if cache is not None:
        tables.set_block_cache(cache)
    options.set_block_based_table_factory(tables)
    return options
