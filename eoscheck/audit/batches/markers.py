"""The raw view of one partition: what is committed, by the markers alone, a column at a time.

A marker ends its producer id's open transaction in the partition, whatever epoch it bears: markers
that fence (KIP-360) and those of transaction protocol v2 (KIP-890) bear a higher one than their
data. Every producer is one row of a table, with its open transaction; each call puts the rows of
the producers at hand before their batches, sorts by producer, and folds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eoscheck.logformat.batches import Batches, Control

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]

NEVER = np.iinfo(np.int64).max
"""An offset that no record has: the first of none."""
_SEQUENCES = 0x7FFFFFFF
_BROKEN = 1 << 40
"""What an unreadable batch weighs in doubt, beside the offsets that are missing."""
_HOLES_PLACED = 1000

_TRANSACTION = [
    ("first_offset", "i8"),
    ("begin_ms", "i8"),
    ("after_ms", "i8"),
    ("records", "i8"),
    ("shown", "i8"),
    ("hidden", "i8"),
    ("shown_first", "i8"),
    ("shown_last", "i8"),
    ("hidden_first", "i8"),
    ("hidden_last", "i8"),
    ("zombies", "i8"),
    ("zombie_first", "i8"),
    ("missing", "i8"),
    ("missing_first", "i8"),
    ("doubt", "i8"),
]
PRODUCER = np.dtype(
    [
        ("producer_id", "i8"),
        ("top_epoch", "i4"),  # the highest seen, markers included
        ("epoch", "i4"),  # of its last data
        ("sequence", "i8"),  # base sequence of its last data
        ("next_sequence", "i8"),
        ("holes", "i8"),  # offsets missing in the partition before its last data
        ("in_data", "?"),  # its last batch was no marker
        ("first_seen", "i8"),
        ("last_seen", "i8"),
        ("first_epoch", "i4"),
        ("open", "?"),  # and then of its open transaction:
        *_TRANSACTION,
    ]
)
ENDED = np.dtype(
    [
        ("producer_id", "i8"),
        ("epoch", "i4"),
        ("committed", "?"),
        ("marker_offset", "i8"),
        ("marker_epoch", "i4"),
        ("end_ms", "i8"),
        *_TRANSACTION,
    ]
)
"""A transaction of one partition, with its marker. `shown` and `hidden` count the records that the
client was and was not given, `missing` those of this producer that are not in the log that was
read, though its sequence numbers say that they were. `doubt`: offsets missing while it was open,
and more where a batch could not be read. `after_ms`: when the last marker before its first record
was written (-1: there was none)."""
_SUMS = ("records", "shown", "hidden", "zombies", "missing")
_FIRSTS = ("first_offset", "shown_first", "hidden_first", "zombie_first", "missing_first")
_LASTS = ("shown_last", "hidden_last")


class Hole(NamedTuple):
    """Offsets `first` to `last` hold nothing that was read."""

    first: int
    last: int


@dataclass(frozen=True, kw_only=True)
class Followed:
    """What some more batches told. `ended` has the columns of `ENDED`; `zombies` are rows of
    batches outside transactions; `missing` are (offset, records) outside transactions, proved."""

    ended: NDArray[Any]
    zombies: Numbers
    missing: list[tuple[int, int]]
    holes: list[Hole]
    repeated: int


class Markers:
    """Follows one partition. Keeps at most `producers` of those that have nothing open."""

    def __init__(self, *, producers: int) -> None:
        self.table: NDArray[Any] = np.empty(0, dtype=PRODUCER)
        self.forgotten = 0
        self._producers = producers
        self._missing = 0
        self._marker_ms = -1
        self._position: int | None = None
        self._broken = False
        self._hole_totals: Numbers = np.empty(0, dtype=np.int64)
        self._hole_starts: Numbers = np.empty(0, dtype=np.int64)

    def follow(
        self, batches: Batches, *, shown: Numbers, hidden: Numbers, innocent_below: int
    ) -> Followed:
        """`shown` and `hidden` are records by batch. Holes below `innocent_below` prove nothing:
        that part of the log is gone, or (`NEVER`) it is compacted."""
        holes, sizes = self._find_holes(batches, innocent_below)
        missing = self._missing + np.cumsum(sizes)
        rows = np.flatnonzero(
            (batches.producer_id >= 0) & batches.intact & (batches.control != Control.OTHER)
        )
        ended, zombies, proved, repeated = np.empty(0, dtype=ENDED), rows[:0], [], 0
        if len(rows):
            view = _View(
                batches,
                rows,
                self._carried(batches.producer_id[rows]),
                shown=shown,
                hidden=hidden,
                missing=missing,
                doubt=np.cumsum(np.where(batches.intact, sizes, _BROKEN)),
                after_ms=self._marker_times(batches),
            )
            jumped = view.find_missing(self._hole_totals, self._hole_starts)
            ended = view.ended()
            zombies, proved, repeated = view.stray_zombies(), jumped, view.repeated()
            self._remember(view.producers())
        self._doubt(batches.intact, sizes, rows=batches.producer_id[rows])
        self._missing = int(missing[-1])
        return Followed(
            ended=ended, zombies=zombies, missing=proved, holes=holes, repeated=repeated
        )

    def open_transactions(self) -> NDArray[Any]:
        """Rows of `PRODUCER`."""
        found: NDArray[Any] = self.table[self.table["open"]]
        return found

    def _find_holes(self, batches: Batches, innocent_below: int) -> tuple[list[Hole], Numbers]:
        # Where a broken batch begins and ends is not known: it makes no hole, nor ends one.
        known = np.where(batches.intact, batches.last_offset, -1)
        start = batches.base_offset[0] if self._position is None else self._position
        reached = np.maximum.accumulate(np.append(start - 1, known))
        before = reached[:-1] + 1
        self._position = int(reached[-1]) + 1
        after_broken = np.append(self._broken, ~batches.intact[:-1])
        self._broken = not batches.intact[-1]
        innocent = ~batches.intact | after_broken | (batches.base_offset <= innocent_below)
        sizes = np.where(innocent, 0, np.maximum(batches.base_offset - before, 0))
        rows = np.flatnonzero(sizes)
        if not len(rows):
            return [], sizes
        totals = self._missing + np.cumsum(sizes)[rows]
        self._hole_totals = np.append(self._hole_totals, totals)[-_HOLES_PLACED:]
        self._hole_starts = np.append(self._hole_starts, before[rows])[-_HOLES_PLACED:]
        ends = batches.base_offset[rows] - 1
        found = [Hole(*each) for each in zip(before[rows].tolist(), ends.tolist(), strict=True)]
        return found, sizes

    def _marker_times(self, batches: Batches) -> Numbers:
        """By batch: when the last marker was written, that batch included. Brokers' clocks."""
        ends = batches.intact & ((batches.control == Control.ABORT) | _commits(batches))
        times = np.where(ends, batches.max_timestamp, -1)
        times[0] = max(int(times[0]), self._marker_ms)
        times = np.maximum.accumulate(times)
        self._marker_ms = int(times[-1])
        return times

    def _carried(self, producer_ids: Numbers) -> NDArray[Any]:
        known = self.table["producer_id"]
        return self.table[np.isin(known, producer_ids)] if len(known) else self.table

    def _remember(self, producers: NDArray[Any]) -> None:
        """Puts back the rows of the producers at hand; the table stays sorted by producer id."""
        known = self.table["producer_id"]
        at = np.searchsorted(known, producers["producer_id"])
        old = at < len(known)
        old[old] = known[at[old]] == producers["producer_id"][old]
        self.table[at[old]] = producers[old]
        if not old.all():
            table = np.concatenate([self.table, producers[~old]])
            self.table = table[np.argsort(table["producer_id"], kind="stable")]
        idle = np.flatnonzero(~self.table["open"])
        if len(idle) > self._producers:
            # Half at once, the longest silent, so that it is seldom done. A broker forgets too.
            silent = np.argsort(self.table["last_seen"][idle], kind="stable")
            drop = idle[silent[: len(idle) - self._producers // 2]]
            self.table = np.delete(self.table, drop)
            self.forgotten += len(drop)

    def _doubt(self, intact: Flags, sizes: Numbers, *, rows: Numbers) -> None:
        """Producers that wrote nothing meanwhile may have written what cannot be read."""
        doubt = int(np.where(intact, sizes, _BROKEN).sum())
        if doubt:
            silent = self.table["open"] & ~np.isin(self.table["producer_id"], rows)
            self.table["doubt"][silent] += doubt


def _commits(batches: Batches) -> Flags:
    found: Flags = batches.control == Control.COMMIT
    return found


class _View:
    """One call's rows: each producer's carried row, if there is one, and then its batches."""

    def __init__(
        self,
        batches: Batches,
        rows: Numbers,
        carried: NDArray[Any],
        *,
        shown: Numbers,
        hidden: Numbers,
        missing: Numbers,
        doubt: Numbers,
        after_ms: Numbers,
    ) -> None:
        producer_id = np.concatenate([carried["producer_id"], batches.producer_id[rows]])
        order = np.argsort(producer_id, kind="stable")
        self._carried, self._rows, self._order = carried, rows, order
        self._batches = batches
        self._doubt_at_end = int(doubt[-1])
        self.producer_id = producer_id[order]
        none = np.zeros(len(carried), dtype=np.bool_)
        control = batches.control[rows]
        marker = control != Control.DATA
        self.marker: Flags = np.concatenate([none, marker])[order]
        self.commit: Flags = np.concatenate([none, control == Control.COMMIT])[order]
        self.real: Flags = order >= len(carried)
        self.data = self.real & ~self.marker
        # A cleaner leaves the last batch of a producer behind, empty, and may drop its marker.
        transactional = batches.transactional[rows] & ~marker & (batches.records[rows] > 0)
        self.open: Flags = np.concatenate([carried["open"], transactional])[order]
        self.outside: Flags = np.concatenate([none, ~batches.transactional[rows]])[order]
        self.first: Flags = np.ones(len(order), dtype=np.bool_)
        self.first[1:] = self.producer_id[1:] != self.producer_id[:-1]
        self.base = self._both("last_seen", batches.base_offset)
        self.last = self._both("last_seen", batches.last_offset)
        self.epoch = self._both("epoch", batches.epoch)
        self.sequence = self._both("sequence", batches.base_sequence)
        length = batches.last_offset - batches.base_offset + 1
        following = (batches.base_sequence + length) & _SEQUENCES
        self.next_sequence = self._both("next_sequence", following)
        self.missing_before = self._both("holes", missing)
        self.begin_ms = self._both("begin_ms", batches.first_timestamp)
        self.after_ms = self._both("after_ms", after_ms)
        self.doubt = np.concatenate([np.zeros(len(carried), np.int64), doubt[rows]])[order]
        self.carried_doubt = self._both("doubt", np.zeros(len(batches), np.int64))
        self._columns = {
            "records": self._both("records", batches.records),
            "shown": self._both("shown", shown),
            "hidden": self._both("hidden", hidden),
            "first_offset": self._both("first_offset", batches.base_offset),
            "shown_first": self._both(
                "shown_first", np.where(shown > 0, batches.base_offset, NEVER)
            ),
            "shown_last": self._both("shown_last", np.where(shown > 0, batches.last_offset, -1)),
            "hidden_first": self._both(
                "hidden_first", np.where(hidden > 0, batches.base_offset, NEVER)
            ),
            "hidden_last": self._both("hidden_last", np.where(hidden > 0, batches.last_offset, -1)),
        }
        self._judge_epochs()

    def _both(self, name: str, column: NDArray[Any]) -> Numbers:
        """A column of the carried rows, and of the batches."""
        carried = self._carried[name].astype(np.int64)
        return np.concatenate([carried, column[self._rows].astype(np.int64)])[self._order]

    def _judge_epochs(self) -> None:
        epoch = np.where(self.real, self.epoch, self._both("top_epoch", self._batches.epoch))
        group = np.cumsum(self.first) << 17
        self.top_epoch = (np.maximum.accumulate(group + epoch + 1) & 0x1FFFF) - 1
        before = np.empty_like(self.top_epoch)
        before[1:] = self.top_epoch[:-1]
        before[self.first] = -1
        self.zombie: Flags = self.data & (self.epoch < before)
        stale = self.zombie & self.open
        nothing = np.zeros(len(self._batches), np.int64)
        self._columns["zombies"] = np.where(self.real, stale, self._both("zombies", nothing))
        self._columns["zombie_first"] = np.where(
            self.real, np.where(stale, self.base, NEVER), self._both("zombie_first", nothing)
        )

    def _follows(self) -> Flags:
        """Data right after data of the same producer and epoch: no marker between."""
        follows = np.zeros(len(self.data), dtype=np.bool_)
        in_data = np.where(
            self.real, self.data, self._both("in_data", np.zeros(len(self._batches), np.int64)) > 0
        )
        follows[1:] = self.data[1:] & in_data[:-1] & (self.epoch[1:] == self.epoch[:-1])
        return follows & ~self.first & (self.sequence >= 0)

    def find_missing(self, totals: Numbers, starts: Numbers) -> list[tuple[int, int]]:
        """Records whose sequence numbers are gone together with offsets. It proves a loss from a
        transaction only where no other offset is missing (`doubt`): that could be a marker's.

        Returns those outside transactions; the others are columns from now on.
        """
        rows = np.flatnonzero(self._follows())
        jump = (self.sequence[rows] - self.next_sequence[rows - 1]) & _SEQUENCES
        hole = self.missing_before[rows] - self.missing_before[rows - 1]
        gone = (jump > 0) & (jump <= hole)
        rows, jump = rows[gone], jump[gone]
        place = np.searchsorted(totals, self.missing_before[rows - 1], side="right")
        place = np.where(place < len(starts), starts[np.minimum(place, len(starts) - 1)], -1)
        inside = self.open[rows]
        nothing = np.zeros(len(self._batches), np.int64)
        missing = np.where(self.real, 0, self._both("missing", nothing))
        first = np.where(self.real, NEVER, self._both("missing_first", nothing))
        missing[rows[inside]] = jump[inside]
        first[rows[inside]] = place[inside]
        self._columns |= {"missing": missing, "missing_first": first}
        return list(zip(place[~inside].tolist(), jump[~inside].tolist(), strict=True))

    def repeated(self) -> int:
        """Batches with the sequence numbers of the one before: a retry that was taken as new. A
        client that begins at 0 again (its broker had forgotten it) is none."""
        rows = np.flatnonzero(self._follows())
        same = (
            (self.sequence[rows] == self.sequence[rows - 1])
            & (self.next_sequence[rows] == self.next_sequence[rows - 1])
            & (self.sequence[rows] > 0)
        )
        return int(same.sum())

    def stray_zombies(self) -> Numbers:
        """Rows of the batches outside transactions. Of a transactional one that a cleaner has left
        empty nobody knows whether it was committed."""
        found = self._order[self.zombie & self.outside] - len(self._carried)
        return np.sort(self._rows[found])

    def _segments(self) -> tuple[Numbers, Numbers, Numbers, NDArray[Any]]:
        """Each producer's transactions: first and last row, the first with a record in it
        (`NEVER`: none), and the sums over its rows, with the columns of `ENDED`."""
        begins = self.first.copy()
        begins[1:] |= self.marker[:-1]
        begin = np.flatnonzero(begins)
        end = np.append(begin[1:], len(begins)) - 1
        row = np.arange(len(begins))
        opens = np.minimum.reduceat(np.where(self.open, row, NEVER), begin)
        opened = np.minimum(opens, end)
        sums = np.zeros(len(begin), dtype=ENDED)
        sums["producer_id"] = self.producer_id[begin]
        for name in _SUMS:
            sums[name] = np.add.reduceat(np.where(self.open, self._columns[name], 0), begin)
        for name in _FIRSTS:
            column = np.where(self.open, self._columns[name], NEVER)
            sums[name] = np.minimum.reduceat(column, begin)
        for name in _LASTS:
            column = np.where(self.open, self._columns[name], -1)
            sums[name] = np.maximum.reduceat(column, begin)
        sums["epoch"] = np.maximum.reduceat(np.where(self.open, self.epoch, -1), begin)
        sums["begin_ms"] = self.begin_ms[opened]
        sums["after_ms"] = self.after_ms[opened]
        until = np.where(self.marker[end], self.doubt[end], self._doubt_at_end)
        sums["doubt"] = until - self.doubt[opened] + self.carried_doubt[opened]
        return begin, end, opens, sums

    def ended(self) -> NDArray[Any]:
        _begin, end, opens, sums = self._parts = self._segments()
        chosen = np.flatnonzero(self.marker[end] & (opens != NEVER))
        ended, markers = sums[chosen], end[chosen]
        ended["committed"] = self.commit[markers]
        ended["marker_offset"] = self.base[markers]
        ended["marker_epoch"] = self.epoch[markers]
        rows = self._rows[self._order[markers] - len(self._carried)]
        ended["end_ms"] = self._batches.max_timestamp[rows]
        return ended

    def producers(self) -> NDArray[Any]:
        """Each producer's row as it is after these batches."""
        begin, _end, opens, sums = self._parts
        row = np.arange(len(self.first))
        first = np.flatnonzero(self.first)
        last = np.append(first[1:], len(row)) - 1
        latest = np.maximum.reduceat(np.where(self.marker, -1, row), first)
        has, at = latest >= 0, np.maximum(latest, 0)
        segment = np.searchsorted(begin, last, side="right") - 1
        found = np.zeros(len(first), dtype=PRODUCER)
        for name, _type in _TRANSACTION:
            found[name] = sums[name][segment]
        found["producer_id"] = self.producer_id[first]
        found["open"] = ~self.marker[last] & (opens[segment] != NEVER)
        found["top_epoch"] = self.top_epoch[last]
        for name in ("epoch", "sequence", "next_sequence"):
            found[name] = np.where(has, getattr(self, name)[at], -1)
        found["holes"] = np.where(has, self.missing_before[at], 0)
        found["in_data"] = ~self.marker[last]
        found["last_seen"] = self.last[last]
        nothing = np.zeros(len(self._batches), np.int64)
        begun = np.where(self.real, self.base, self._both("first_seen", nothing))
        since = np.where(self.real, self.epoch, self._both("first_epoch", nothing))
        found["first_seen"], found["first_epoch"] = begun[first], since[first]
        return found
