"""Windows of a store: where their start stands in a key, how long they are kept, and the time.

Columns are made by the expressions `python:eoscheck.audit.oracles.windows:from_suffix` (and
`_prefix`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from eoscheck.audit.identity import Headers
from eoscheck.audit.rows.block import Numbers
from eoscheck.audit.rows.columns import Flags, Integers
from eoscheck.errors import UsageError

START_BYTES = 8
SEQUENCE_BYTES = 4
SHORTEST_SEGMENT_MS = 60_000
FORMS = ("suffix", "prefix")
_ANY = -1
"""The partition of what knows none."""


def from_suffix(key: bytes | None, _value: bytes | None, _headers: Headers) -> int | None:
    """Kafka Streams (`WindowKeySchema`): the key, 8 bytes of milliseconds, 4 of a sequence number,
    both big-endian."""
    if key is None or len(key) < START_BYTES + SEQUENCE_BYTES:
        return None
    end = len(key) - SEQUENCE_BYTES
    return _start(key[end - START_BYTES : end])


def from_prefix(key: bytes | None, _value: bytes | None, _headers: Headers) -> int | None:
    """8 bytes of milliseconds, big-endian, then the key: what is old lies together on disk."""
    if key is None or len(key) < START_BYTES:
        return None
    return _start(key[:START_BYTES])


def _start(content: bytes) -> int:
    return int.from_bytes(content, "big", signed=True)


def window_expression(form: str) -> str:
    """The expression of the `number` column that holds the window's start. `form`: `suffix`,
    `prefix`, or an expression of one's own."""
    if form in FORMS:
        return f"python:{__name__}:from_{form}"
    if not form.startswith("python:"):
        raise UsageError(
            f"{form!r} does not say where a key holds its window: write suffix (Kafka Streams), "
            "prefix, or python:module:function"
        )
    return form


def windowed_key(form: str, key: bytes, start_ms: int) -> bytes:
    """The key as it is in the changelog. Raises UsageError where only the user's function could
    tell."""
    start = start_ms.to_bytes(START_BYTES, "big", signed=True)
    if form == "suffix":
        return key + start + bytes(SEQUENCE_BYTES)
    if form == "prefix":
        return start + key
    raise UsageError(
        f"a dump's window cannot be put into a key by {form}: give whole keys, without window"
    )


@dataclass(frozen=True, kw_only=True)
class Retention:
    """Windows stay for `retention_ms` of stream time after their start, and go in whole segments:
    for another `segment_ms` they may still be there.

    None: as Kafka Streams does (`Stores.persistentWindowStore`), half the retention and at least a
    minute.
    """

    retention_ms: int
    segment_ms: int | None = None

    @property
    def slack_ms(self) -> int:
        if self.segment_ms is not None:
            return self.segment_ms
        return max(self.retention_ms // 2, SHORTEST_SEGMENT_MS)

    def must_be_there(self, start: Integers, stream_time: Integers) -> Flags:
        return np.asarray(start > stream_time - self.retention_ms)

    def must_be_gone(self, start: Integers, stream_time: Integers) -> Flags:
        return np.asarray(start <= stream_time - self.retention_ms - self.slack_ms)


@dataclass(kw_only=True)
class StreamTimes:
    """How far stream time has come in each partition; it never falls.

    `stated` is known (a dump says so; -1: of all partitions). `newest` is the start of the newest
    window that was written: stream time is as far at least. With `exact` it is no further (Kafka
    Streams' window stores go by their windows' starts themselves).
    """

    stated: Mapping[int, int] = field(default_factory=dict)
    exact: bool = False
    newest: dict[int, int] = field(default_factory=dict)

    def add(
        self, partition: int, offset: Integers, window: Numbers, *, below: int | None = None
    ) -> None:
        """Rows of one partition of the changelog, tombstones too; those beyond `below` do not
        count."""
        taken = np.ones(len(offset), dtype=np.bool_) if window.known is None else window.known
        if below is not None:
            taken = taken & (offset < below)
        if taken.any():
            newest = int(window.value[taken].max())
            self.newest[partition] = max(newest, self.newest.get(partition, newest))

    def at_least(self, partition: Integers) -> tuple[Integers, Flags]:
        """Lower bounds of the stream time, and where there is one. Of a partition that is not
        known (-1) that of the partition that is furthest behind."""
        return _look_up(self._times(), partition, of_any=min)

    def at_most(self, partition: Integers) -> tuple[Integers, Flags]:
        """Upper bounds, and where there is one."""
        if self.exact or _ANY in self.stated:
            return _look_up(self._times(), partition, of_any=max)
        times = self._times()
        stated = {each: time for each, time in times.items() if each in self.stated}
        return _look_up(stated, partition, of_any=max if len(stated) == len(times) else None)

    def _times(self) -> dict[int, int]:
        """Of each partition. A window that was written shows that time has come to its start."""
        of_any = self.stated.get(_ANY)
        times = {}
        for each in {*self.newest, *self.stated}:
            known = (self.stated.get(each, of_any), self.newest.get(each))
            times[each] = max(time for time in known if time is not None)
        return times


def _look_up(
    times: Mapping[int, int],
    partition: Integers,
    *,
    of_any: Callable[[Iterable[int]], int] | None,
) -> tuple[Integers, Flags]:
    time = np.zeros(len(partition), dtype=np.int64)
    known = np.zeros(len(partition), dtype=np.bool_)
    for each in np.unique(partition).tolist():
        found = times.get(each, times.get(_ANY))
        if each == _ANY and found is None and times and of_any is not None:
            found = of_any(times.values())
        if found is not None:
            rows = partition == each
            time[rows], known[rows] = found, True
    return time, known
