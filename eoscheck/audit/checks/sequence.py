"""GAP: holes in numbered identities, for outputs whose input is not at hand.

A shard holds whole stretches of 2^16 numbers of a source, so that it finds the holes inside them;
what each stretch began and ended with tells the holes between them, and what is a sequence at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from eoscheck.audit.checks.joined import Joined
from eoscheck.audit.checks.outcome import Anomaly, Checked, Doubt, Found
from eoscheck.audit.findings import Code
from eoscheck.audit.rows.columns import Flags, Integers, first_rows, mixed, sorted_numbers
from eoscheck.audit.rows.records import Place, Records
from eoscheck.audit.rows.shuffle import Budget, Shuffle, bucket_of

_STRETCH_BITS = 16
_MOST_UNJUDGED = 1_000_000
_SOURCES_SHOWN = 100
"""Sources whose holes are kept until it is known which of them are sequences."""


Bounds: TypeAlias = Mapping[int, tuple[int, int]]
"""By source (the low half of its digest): first and last number, both included."""


def stretch_of(numbers: Integers) -> Integers:
    """Which stretch a number belongs to: rows of one stretch must come into one shard."""
    return numbers >> _STRETCH_BITS


@dataclass(frozen=True, kw_only=True)
class Sequences:
    """What was said of all sources. `unjudged` are sources (the low half of their digests) that
    have several numbers and are no sequence; None where there are too many to tell."""

    checked: Checked
    unjudged: frozenset[int] | None


@dataclass(kw_only=True)
class SequenceCheck:
    """Takes shard after shard, then decides.

    A sequence is a source whose numbers, from its lowest to its highest, are there at least half:
    random identities have no holes to speak of. One record alone shows nothing, and passes where
    most are part of a sequence.

    `sure`: where only a part of the log was read, or its writer is at work, numbers of one
    partition may end before those of another: by source, the numbers from which and up to which
    all of them are there; a source that is not in it is not judged. None: every hole is one.
    """

    topic: str
    budget: Budget
    buckets: int
    limit: int
    gaps: Sequence[str] = ()
    sure: Bounds | None = None
    _records: int = 0
    _holes: list[_Hole] = field(default_factory=list)
    _stretches: Shuffle = field(init=False)

    def __post_init__(self) -> None:
        self._stretches = Shuffle(buckets=self.buckets, budget=self.budget)

    def add(self, joined: Joined) -> None:
        self._records += len(joined.output.records)
        numbers = _distinct(joined)
        if not len(numbers.row):
            return
        stretches, holes = _stretches(
            joined.output.records, numbers, sure=self.sure, limit=self.limit
        )
        self._stretches.add(
            bucket_of(mixed(stretches["low"], stretches["high"]), self.buckets), stretches
        )
        self._holes = _first([*self._holes, *holes], limit=self.limit)

    def finish(self) -> Sequences:
        """Unknown where the output is not complete."""
        total = _Totals(sure=self.sure)
        holes: list[_Hole] = []
        for bucket in range(self.buckets):
            columns = self._stretches.read(bucket)
            if columns and len(columns["low"]):
                holes += total.add(columns, topic=self.topic, limit=self.limit)
        dense = total.dense_rows
        if dense * 2 >= self._records:
            dense += total.alone_rows
        aside = self._records - dense
        doubts = []
        if aside:
            doubts.append(
                Doubt(
                    subject=Code.GAP,
                    reason=f"{{count}} of {self._records} identities are not part of a numbered "
                    "sequence, so that losses among them cannot be seen: give --input, or "
                    "--expect at-most-once",
                    count=aside,
                )
            )
        if total.unsure:
            doubts.append(
                Doubt(
                    subject=Code.GAP,
                    reason=f"{{count}} holes in {self.topic} lie where not every partition was "
                    "read: their numbers may be beyond the cut",
                    count=total.unsure,
                )
            )
        sparse = total.sparse
        holes += [hole for hole in self._holes if hole.source not in sparse]
        holes.sort(key=_Hole.rank)
        checked = self._checked(total, holes[: self.limit], doubts)
        return Sequences(
            checked=checked,
            unjudged=frozenset(sparse) if len(sparse) < _MOST_UNJUDGED else None,
        )

    def _checked(self, total: _Totals, holes: list[_Hole], doubts: list[Doubt]) -> Checked:
        if total.holes and self.gaps:
            reason = (
                f"{{count}} numbers are missing in {self.topic}, but may have been there: "
                f"{'; '.join(self.gaps)}"
            )
            doubts = [*doubts, Doubt(subject=Code.GAP, reason=reason, count=total.missing)]
            return Checked(unknowns=[*doubts])
        found = Found(
            code=Code.GAP, total=total.holes, anomalies=[hole.anomaly() for hole in holes]
        )
        return Checked(found=[found], unknowns=[*doubts], counts={"missing_numbers": total.missing})


@dataclass(frozen=True, kw_only=True)
class _Hole:
    source: int
    first: int
    last: int
    before: Place
    after: Place

    def rank(self) -> Place:
        return self.after

    def anomaly(self) -> Anomaly:
        return Anomaly(
            place=self.after,
            offsets=[self.after.offset],
            detail=_said(self.first, self.last),
            sequel=self.first,
            related={"before": [self.before], "after": [self.after]},
            facts={"first_missing": self.first, "last_missing": self.last},
        )


@dataclass(frozen=True, kw_only=True)
class _Distinct:
    """Every number of every source once, by source and number: its first row, and how many."""

    low: Integers
    high: Integers
    number: Integers
    row: Integers
    copies: Integers


def _distinct(joined: Joined) -> _Distinct:
    records, code = joined.output.records, joined.output.code
    assert records.group is not None
    assert records.number is not None
    assert records.number_known is not None
    low, high, number = records.group.low, records.group.high, records.number
    if len(number) and records.number_known.all() and low.min() == low.max():
        # Integers are numbered in their order: no need to sort once more.
        row = first_rows(code, joined.identities)
        found = number[row]
        if (found[1:] > found[:-1]).all():
            copies = joined.output.copies(joined.identities)
            return _Distinct(low=low[row], high=high[row], number=found, row=row, copies=copies)
    rows = np.flatnonzero(records.number_known)
    rows = rows[sorted_numbers(number[rows], low[rows])]
    new: Flags = np.ones(len(rows), dtype=np.bool_)
    new[1:] = (np.diff(low[rows]) != 0) | (np.diff(number[rows]) != 0)
    starts = np.flatnonzero(new)
    return _Distinct(
        low=low[rows[starts]],
        high=high[rows[starts]],
        number=number[rows[starts]],
        row=rows[starts],
        copies=np.diff(np.append(starts, len(rows))),
    )


def _stretches(
    records: Records, numbers: _Distinct, *, sure: Bounds | None, limit: int
) -> tuple[dict[str, NDArray[Any]], list[_Hole]]:
    """One row for each stretch of each source, and the first holes inside them."""
    low, number, rows = numbers.low, numbers.number, numbers.row
    stretch = stretch_of(number)
    begins: Flags = np.append(True, (np.diff(low) != 0) | (np.diff(stretch) != 0))
    starts = np.flatnonzero(begins)
    lasts = np.append(starts[1:], len(rows)) - 1
    step = np.diff(number, prepend=number[:1])
    step[starts] = 0
    hole = step > 1
    unsure = hole & ~_surely(low, number - step, number, sure)
    hole &= ~unsure
    columns: dict[str, NDArray[Any]] = {
        "low": low[starts],
        "high": numbers.high[starts],
        "first": number[starts],
        "last": number[lasts],
        "present": lasts - starts + 1,
        "rows": np.add.reduceat(numbers.copies, starts),
        "holes": np.add.reduceat(hole.astype(np.int64), starts),
        "missing": np.add.reduceat(np.where(hole, step - 1, 0), starts),
        "unsure": np.add.reduceat(unsure.astype(np.int64), starts),
    }
    for name, ends in (("first", starts), ("last", lasts)):
        columns[f"{name}_partition"] = records.partition[rows[ends]].astype(np.int64)
        columns[f"{name}_offset"] = records.offset[rows[ends]]
    found = np.flatnonzero(hole)
    found = found[np.argsort(rows[found], kind="stable")]
    found = found[_early(low[found], limit=limit)]
    holes = [
        _Hole(
            source=int(low[at]),
            first=int(number[at - 1]) + 1,
            last=int(number[at]) - 1,
            before=records.place(int(rows[at - 1])),
            after=records.place(int(rows[at])),
        )
        for at in found.tolist()
    ]
    return columns, holes


def _early(source: Integers, *, limit: int) -> Integers:
    """Indices of the first `limit` of each source, of as many sources as are worth it: which of
    them are sequences is not known yet."""
    if len(source) <= limit:
        return np.arange(len(source))
    order = np.argsort(source, kind="stable")
    begins = np.append(True, np.diff(source[order]) != 0)
    starts = np.flatnonzero(begins)
    place = np.arange(len(source)) - np.repeat(starts, np.diff(np.append(starts, len(source))))
    return np.sort(order[place < limit])[: _SOURCES_SHOWN * limit]


def _first(holes: Sequence[_Hole], *, limit: int) -> list[_Hole]:
    """The same of holes."""
    found = sorted(holes, key=_Hole.rank)
    kept = _early(np.array([hole.source for hole in found], dtype=np.int64), limit=limit)
    return [found[at] for at in kept.tolist()]


def _surely(source: Integers, before: Integers, after: Integers, sure: Bounds | None) -> Flags:
    """Whether the numbers between two would have been read, had they been there."""
    if sure is None:
        return np.ones(len(source), dtype=np.bool_)
    found = np.zeros(len(source), dtype=np.bool_)
    alike = len(source) > 0 and source.min() == source.max()
    for name in (source[:1] if alike else np.unique(source)).tolist():
        first, last = sure.get(name, (0, -1))
        found |= (source == name) & (before >= first) & (after <= last)
    return found


@dataclass(kw_only=True)
class _Totals:
    """Over all sources that were looked at so far."""

    sure: Bounds | None
    unsure: int = 0

    dense_rows: int = 0
    alone_rows: int = 0
    holes: int = 0
    missing: int = 0
    sparse: set[int] = field(default_factory=set)

    def add(self, columns: dict[str, NDArray[Any]], *, topic: str, limit: int) -> list[_Hole]:
        """Some sources, with all their stretches. The first holes between stretches."""
        order = np.lexsort((columns["first"], columns["low"]))
        columns = {name: column[order] for name, column in columns.items()}
        low, first, last = columns["low"], columns["first"], columns["last"]
        begins: Flags = np.append(True, np.diff(low) != 0)
        starts = np.flatnonzero(begins)
        ends = np.append(starts[1:], len(low)) - 1
        source = np.cumsum(begins) - 1
        present = np.add.reduceat(columns["present"], starts)
        rows = np.add.reduceat(columns["rows"], starts)
        # As floats: the span of 64-bit numbers need not fit in 64 bits, and half of it is enough.
        span = last[ends].astype(float) - first[starts].astype(float) + 1
        dense = (present >= 2) & (present * 2.0 >= span)
        alone = present == 1
        self.dense_rows += int(rows[dense].sum())
        self.alone_rows += int(rows[alone].sum())
        if len(self.sparse) < _MOST_UNJUDGED:
            self.sparse.update(low[starts[~dense & ~alone]].tolist())
        judged = dense[source]
        step = np.append(0, first[1:] - last[:-1])
        between = judged & ~begins & (step > 1)
        unsure = between & ~_surely(low, np.append(0, last[:-1]), first, self.sure)
        between &= ~unsure
        self.unsure += int(columns["unsure"][judged].sum() + unsure.sum())
        self.holes += int(columns["holes"][judged].sum() + between.sum())
        self.missing += int(columns["missing"][judged].sum() + (step[between] - 1).sum())
        found = np.flatnonzero(between)
        after = np.lexsort((columns["first_offset"][found], columns["first_partition"][found]))
        return [
            _Hole(
                source=int(low[at]),
                first=int(last[at - 1]) + 1,
                last=int(first[at]) - 1,
                before=_place(columns, "last", at - 1, topic),
                after=_place(columns, "first", at, topic),
            )
            for at in found[after[:limit]].tolist()
        ]


def _place(columns: dict[str, NDArray[Any]], end: str, row: int, topic: str) -> Place:
    return Place(topic, int(columns[f"{end}_partition"][row]), int(columns[f"{end}_offset"][row]))


def _said(first: int, last: int) -> str:
    if first == last:
        return f"number {first} is missing from its source's sequence"
    return (
        f"numbers {first} to {last} ({last - first + 1}) are missing from their source's sequence"
    )
