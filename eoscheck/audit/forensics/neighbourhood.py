"""The batches around a place, read again for the few that a finding shows, and kept."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from eoscheck.audit.batches.client_view import given_to_client
from eoscheck.audit.rows.records import Place
from eoscheck.cluster.raw_log import FetchedPart
from eoscheck.errors import InfrastructureError
from eoscheck.logformat import Batches, Control, Record, read_batches, read_records

_BEFORE = 200
"""Offsets: far enough for the batch before, mostly."""
_WINDOW_BYTES = 256 * 1024
_SCAN_BYTES = 1024 * 1024
_SCANS = 4
"""Answers that are looked through for one end of a transaction."""
_WINDOWS_KEPT = 16
_DECODED_KEPT = 8
"""Batches whose records are kept: findings are often neighbours."""
_TRANSACTIONS_KEPT = 1000
_OF_ONE_PRODUCER = 50
_FAILURES = 3
"""Each may take the fetcher's whole time-out: then a topic is not asked for any more."""


class Fetches(Protocol):
    """As `RawFetch` does it."""

    def fetch(
        self, topic: str, partition: int, offset: int, *, committed: bool, max_bytes: int = ...
    ) -> FetchedPart: ...


@dataclass(frozen=True, kw_only=True)
class Window:
    """What one fetch gave: whole batches from `fetched` (the first may begin before it) to below
    `following`."""

    fetched: int
    following: int
    batches: Batches
    data: memoryview
    log_start: int
    high_watermark: int
    last_stable_offset: int
    given: list[bool]
    """By the broker's list; of an uncommitted read, all data."""
    aborted: list[tuple[int, int]]

    def row(self, offset: int) -> int | None:
        """Of the batch with that offset."""
        rows = np.flatnonzero(
            (self.batches.base_offset <= offset) & (offset <= self.batches.last_offset)
        )
        return int(rows[0]) if len(rows) else None


@dataclass(frozen=True, kw_only=True)
class BatchFacts:
    """A batch's header as people read it. `producer_id` is None where there is none."""

    first_offset: int
    last_offset: int
    records: int
    producer_id: int | None
    epoch: int
    base_sequence: int
    transactional: bool
    marker: str | None
    """`commit` or `abort`; `other` for a control record that ends no transaction."""
    time_ms: int
    intact: bool

    def shown(self) -> dict[str, Any]:
        """For a report: what says nothing is left out."""
        shown: dict[str, Any] = {
            "offsets": [self.first_offset, self.last_offset],
            "records": self.records,
            "transactional": self.transactional,
            "time_ms": self.time_ms,
        }
        if self.producer_id is not None:
            shown |= {"producer_id": self.producer_id, "epoch": self.epoch}
            if self.marker is None:
                shown["base_sequence"] = self.base_sequence
        if self.marker is not None:
            shown["marker"] = self.marker
        if not self.intact:
            shown["intact"] = False
        return shown


@dataclass(frozen=True, kw_only=True)
class TransactionFacts:
    """A writer's transaction in one partition. `first_offset` is None where it began further back
    than was looked; `begins_at_log_start`: what was before is gone. `outcome` is None while it is
    open, or where its marker is further on than was looked (`looked_below`)."""

    producer_id: int
    epoch: int
    first_offset: int | None
    begin_ms: int | None
    begins_at_log_start: bool
    outcome: str | None
    marker_offset: int | None
    marker_epoch: int | None
    end_ms: int | None
    looked_below: int

    def shown(self) -> dict[str, Any]:
        return {
            name: value
            for name, value in (
                ("first_offset", self.first_offset),
                ("outcome", self.outcome or "not ended"),
                ("marker_offset", self.marker_offset),
                ("marker_epoch", self.marker_epoch),
                ("began_ms", self.begin_ms),
                ("ended_ms", self.end_ms),
                (
                    "duration_ms",
                    self.end_ms - self.begin_ms
                    if self.end_ms is not None and self.begin_ms is not None
                    else None,
                ),
            )
            if value is not None
        }


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """The batch of a place, None where the place holds nothing, and its neighbours."""

    of: BatchFacts | None
    before: BatchFacts | None
    after: BatchFacts | None


class _Found(NamedTuple):
    """What was found of a transaction, and the offsets that it is known to span."""

    first: int
    last: int
    facts: TransactionFacts


class Neighbourhood:
    """Reads little, and what it has read once not again: neighbours share a fetch.

    Where the log cannot be read it says nothing: no verdict depends on it.
    """

    def __init__(self, log: Fetches) -> None:
        self._log = log
        self._windows: OrderedDict[tuple[str, int, int, int], Window] = OrderedDict()
        self._transactions: OrderedDict[tuple[str, int, int], deque[_Found]] = OrderedDict()
        self._before_batch: OrderedDict[tuple[str, int, int], BatchFacts | None] = OrderedDict()
        self._records: OrderedDict[tuple[str, int, int], list[Record] | None] = OrderedDict()
        self._failures: Counter[str] = Counter()

    def surroundings(self, place: Place) -> Surroundings | None:
        window = self._around(place)
        if window is None:
            return None
        row = window.row(place.offset)
        ends = window.batches.last_offset
        at = row if row is not None else int(np.searchsorted(ends, place.offset))
        following = at if row is None else at + 1
        before = facts(window.batches, at - 1) if at > 0 else self._batch_before(place, window, at)
        return Surroundings(
            of=facts(window.batches, row) if row is not None else None,
            before=before,
            after=facts(window.batches, following) if following < len(ends) else None,
        )

    def record(self, place: Place) -> Record | None:
        """The record at a place, an aborted one as well; None where there is none, or it cannot be
        read."""
        window = self._around(place)
        row = window.row(place.offset) if window is not None else None
        if window is None or row is None or window.batches.control[row] != Control.DATA:
            return None
        records = self._decoded(place, window, row)
        return next((each for each in records or () if each.offset == place.offset), None)

    def tells(self, place: Place) -> bool:
        """Whether `record` is to be believed where it finds nothing."""
        window = self._around(place)
        row = window.row(place.offset) if window is not None else None
        if window is None or row is None or window.batches.control[row] != Control.DATA:
            return window is not None
        return self._decoded(place, window, row) is not None

    def _decoded(self, place: Place, window: Window, row: int) -> list[Record] | None:
        key = (place.topic, place.partition, int(window.batches.base_offset[row]))
        if key not in self._records:
            try:
                self._records[key] = read_records(window.data, window.batches, row)
            except ModuleNotFoundError:  # compressed, and the extra that decompresses is not there
                self._records[key] = None
            while len(self._records) > _DECODED_KEPT:
                self._records.popitem(last=False)
        return self._records[key]

    def transaction(self, place: Place) -> TransactionFacts | None:
        """The transaction of the batch at a place; None where that is not part of one."""
        window = self._around(place)
        row = window.row(place.offset) if window is not None else None
        if window is None or row is None or not window.batches.transactional[row]:
            return None
        producer_id = int(window.batches.producer_id[row])
        known = self._transactions.setdefault(
            (*place[:2], producer_id), deque(maxlen=_OF_ONE_PRODUCER)
        )
        for each in known:
            if each.first <= place.offset <= each.last:
                return each.facts
        found = self._find(place, window, row)
        batch = window.batches
        first = found.first_offset if found.first_offset is not None else batch.base_offset[row]
        last = found.marker_offset if found.marker_offset is not None else batch.last_offset[row]
        known.append(_Found(int(first), int(last), found))
        while len(self._transactions) > _TRANSACTIONS_KEPT:
            self._transactions.popitem(last=False)
        return found

    def window(self, place: Place, *, committed: bool = False) -> Window | None:
        """What a fetch at that very place gives."""
        return self._fetch(place, committed=committed, max_bytes=_WINDOW_BYTES)

    def _around(self, place: Place) -> Window | None:
        """A window with the batch of the place and, if one fetch gives them, its neighbours."""
        if place.offset < 0:
            return None
        for key, window in reversed(self._windows.items()):
            if key[:2] == place[:2] and self._serves(window, place.offset):
                return window
        start = place._replace(offset=max(0, place.offset - _BEFORE))
        found = self._keep(place, self._fetch(start, committed=False, max_bytes=_WINDOW_BYTES))
        if found is None or self._serves(found, place.offset):
            return found
        if place.offset >= found.high_watermark:
            return found  # beyond the end there is nothing to fetch
        return self._keep(place, self._fetch(place, committed=False, max_bytes=_WINDOW_BYTES))

    def _serves(self, window: Window, offset: int) -> bool:
        if not max(window.fetched, window.log_start) <= offset < window.following:
            return False
        return window.following >= window.high_watermark or offset < int(
            window.batches.base_offset[-1]
        )

    def _keep(self, place: Place, window: Window | None) -> Window | None:
        if window is not None:
            key = (place.topic, place.partition, window.fetched, window.following)
            self._windows[key] = window
            while len(self._windows) > _WINDOWS_KEPT:
                self._windows.popitem(last=False)
        return window

    def _fetch(self, place: Place, *, committed: bool, max_bytes: int) -> Window | None:
        if self._failures[place.topic] >= _FAILURES:
            return None
        try:
            part = self._log.fetch(*place, committed=committed, max_bytes=max_bytes)
            if part.out_of_range:
                part = self._log.fetch(
                    place.topic,
                    place.partition,
                    part.log_start_offset,
                    committed=committed,
                    max_bytes=max_bytes,
                )
        except InfrastructureError:
            self._failures[place.topic] += 1
            return None
        batches = read_batches(part.records)
        return Window(
            fetched=part.fetch_offset,
            following=part.next_offset,
            batches=batches,
            data=part.records,
            log_start=part.log_start_offset,
            high_watermark=part.high_watermark,
            last_stable_offset=part.last_stable_offset,
            given=given_to_client(batches, part.aborted).tolist(),
            aborted=part.aborted,
        )

    def _batch_before(self, place: Place, window: Window, row: int) -> BatchFacts | None:
        first = int(window.batches.base_offset[row]) if row < len(window.batches) else place.offset
        if first <= window.log_start:
            return None
        key = (place.topic, place.partition, first)
        if key not in self._before_batch:
            earlier = place._replace(offset=first - 1)
            found = self._fetch(earlier, committed=False, max_bytes=1)
            at = found.row(first - 1) if found is not None else None
            self._before_batch[key] = (
                facts(found.batches, at) if found is not None and at is not None else None
            )
            while len(self._before_batch) > _TRANSACTIONS_KEPT:
                self._before_batch.popitem(last=False)
        return self._before_batch[key]

    def _find(self, place: Place, window: Window, row: int) -> TransactionFacts:
        batches = window.batches
        producer_id = int(batches.producer_id[row])
        begin, begin_ms, at_start = self._begin(place, window, row, producer_id)
        end, end_at, below = self._end(place, window, row, producer_id)
        data = batches.control[row] == Control.DATA
        return TransactionFacts(
            producer_id=producer_id,
            epoch=int(batches.epoch[row]) if data or begin is None else begin[1],
            first_offset=begin[0] if begin is not None else None,
            begin_ms=begin_ms,
            begins_at_log_start=at_start,
            outcome=_outcome(end, end_at),
            marker_offset=int(end.base_offset[end_at]) if end is not None else None,
            marker_epoch=int(end.epoch[end_at]) if end is not None else None,
            end_ms=int(end.max_timestamp[end_at]) if end is not None else None,
            looked_below=below,
        )

    def _end(
        self, place: Place, window: Window, row: int, producer_id: int
    ) -> tuple[Batches | None, int, int]:
        """The batches with the marker, its row, and up to where was looked."""
        found = _marker_rows(window.batches, producer_id)
        found = found[found >= row]
        scans = 0
        while not len(found) and scans < _SCANS and window.following < window.high_watermark:
            further = place._replace(offset=window.following)
            following = self._fetch(further, committed=False, max_bytes=_SCAN_BYTES)
            if following is None or following.following <= window.following:
                break
            window, scans = following, scans + 1
            found = _marker_rows(window.batches, producer_id)
        if len(found):
            return window.batches, int(found[0]), window.following
        return None, -1, window.following

    def _begin(
        self, place: Place, window: Window, row: int, producer_id: int
    ) -> tuple[tuple[int, int] | None, int | None, bool]:
        """(first offset, epoch), its time, and whether the log begins in the transaction."""
        stop = row
        first: tuple[int, int, int] | None = None
        for _ in range(_SCANS + 1):
            batches = window.batches[:stop]
            markers = _marker_rows(batches, producer_id)
            since = int(markers[-1]) + 1 if len(markers) else 0
            mine = since + np.flatnonzero(
                (batches.producer_id[since:] == producer_id) & batches.transactional[since:]
            )
            at = int(mine[0]) if len(mine) else None
            if at is not None:
                first = _begun(batches, at)
            elif stop == row and window.batches.control[row] == Control.DATA and first is None:
                first = _begun(window.batches, row)
            earliest = int(window.batches.base_offset[0]) if len(window.batches) else place.offset
            if len(markers) or earliest <= window.log_start:
                if first is None:
                    return None, None, False
                return first[:2], first[2], not len(markers) and window.log_start > 0
            earlier = self._before(place, window, earliest)
            if earlier is None:
                break
            window = earlier
            stop = int(np.searchsorted(window.batches.base_offset, earliest))
        return None, None, False

    def _before(self, place: Place, window: Window, earliest: int) -> Window | None:
        """A window that ends where `window` begins, as long as may be, judged by its density."""
        offsets = max(1, window.following - earliest)
        density = max(1.0, len(window.data) / offsets)
        back = max(1, int(0.7 * _SCAN_BYTES / density))
        start = place._replace(offset=max(window.log_start, earliest - back))
        found = self._fetch(start, committed=False, max_bytes=_SCAN_BYTES)
        if found is None or found.following < earliest:
            return None  # not dense enough to reach: then it is not looked for further
        return found


def facts(batches: Batches, row: int) -> BatchFacts:
    control = int(batches.control[row])
    names: Mapping[int, str] = {
        Control.COMMIT: "commit",
        Control.ABORT: "abort",
        Control.OTHER: "other",
    }
    producer_id = int(batches.producer_id[row])
    return BatchFacts(
        first_offset=int(batches.base_offset[row]),
        last_offset=int(batches.last_offset[row]),
        records=int(batches.records[row]),
        producer_id=producer_id if producer_id >= 0 else None,
        epoch=int(batches.epoch[row]),
        base_sequence=int(batches.base_sequence[row]),
        transactional=bool(batches.transactional[row]),
        marker=names.get(control),
        time_ms=_time(batches, row),
        intact=bool(batches.intact[row]),
    )


def _time(batches: Batches, row: int) -> int:
    first = int(batches.first_timestamp[row])
    return first if first >= 0 else int(batches.max_timestamp[row])


def _begun(batches: Batches, row: int) -> tuple[int, int, int]:
    return int(batches.base_offset[row]), int(batches.epoch[row]), _time(batches, row)


def _outcome(batches: Batches | None, row: int) -> str | None:
    if batches is None:
        return None
    return "committed" if batches.control[row] == Control.COMMIT else "aborted"


def _marker_rows(batches: Batches, producer_id: int) -> Any:
    return np.flatnonzero(
        (batches.producer_id == producer_id)
        & ((batches.control == Control.COMMIT) | (batches.control == Control.ABORT))
    )
