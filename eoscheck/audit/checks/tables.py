"""Tables as topics, dumps and folds hold them: the last value of each key, side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from eoscheck.audit.oracles.windows import StreamTimes
from eoscheck.audit.rows.block import Numbers
from eoscheck.audit.rows.columns import Digests, Flags, Integers, enumerate_identities
from eoscheck.audit.rows.records import Place
from eoscheck.history.events import Identity

NOBODY = -1
"""A row that is not there; a partition that is not known."""
_SPARSE = 4
"""Groups for each row that are still cheaper than to number only those that are there."""


@dataclass(frozen=True, kw_only=True)
class TableRows:
    """What one shard holds of a table: rows of equal length, ordered by partition and offset. All
    rows of a key are in the same shard.

    `value` is nothing for a tombstone. `name` says in words what the table is. `window` is the
    start of the window that the key ends in. `open` marks rows whose value may be of any moment:
    their keys are not judged. `name_of` gives the key of a row where no topic can be asked for it.

    `below`: the offsets of the changelog that this table is of, None where it is of its end; a
    partition that is not in it is not covered, and not compared. Windowed tables: `times` is the
    stream time when it was taken, `oldest` (of a dump) the start of the oldest window in the whole
    table, by partition.
    """

    name: str
    topic: str | None = None
    partition: Integers
    offset: Integers
    key: Digests
    value: Digests
    window: Numbers | None = None
    open: Flags | None = None
    name_of: Callable[[int], Identity | None] | None = field(default=None, compare=False)
    below: Mapping[int, int] | None = None
    times: StreamTimes | None = None
    oldest: Mapping[int, int] | None = None
    gaps: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.offset)

    def place(self, row: int) -> Place | None:
        if self.topic is None:
            return None
        return Place(self.topic, int(self.partition[row]), int(self.offset[row]))

    def alive(self) -> Flags:
        return self.value.known()

    def take(self, rows: Integers) -> TableRows:
        """Those rows, in their order: a shard of a table that is in memory as a whole."""
        window, name_of = self.window, self.name_of
        if window is not None:
            known = None if window.known is None else window.known[rows]
            window = Numbers(window.value[rows], known)
        return replace(
            self,
            partition=self.partition[rows],
            offset=self.offset[rows],
            key=Digests(self.key.low[rows], self.key.high[rows]),
            value=Digests(self.value.low[rows], self.value.high[rows]),
            window=window,
            open=None if self.open is None else self.open[rows],
            name_of=None if name_of is None else lambda row: name_of(int(rows[row])),
        )


@dataclass(frozen=True, kw_only=True)
class Lasts:
    """One table by group: the row with its last value, `NOBODY` where it has none (a tombstone is
    a row). `unclear`: alive in several partitions, where keys count without their partition.
    `moved_on`: it has rows beyond the bounds."""

    row: Integers
    unclear: Flags
    moved_on: Flags


@dataclass(frozen=True, kw_only=True)
class Groups:
    """Keys of several tables numbered alike: each with its partition, or by the key alone."""

    of: Sequence[Integers]
    count: int
    by_partition: bool


def group(*tables: TableRows, by_partition: bool) -> Groups:
    codes, count = enumerate_identities(*(table.key for table in tables))
    if not by_partition:
        return Groups(of=codes, count=count, by_partition=False)
    partition = np.concatenate([table.partition for table in tables]).astype(np.int64)
    width = int(partition.max(initial=0)) + 2
    pairs, numbers = np.unique(np.concatenate(codes) * width + (partition + 1), return_inverse=True)
    ends = np.cumsum([len(table) for table in tables])[:-1]
    return Groups(of=np.split(numbers, ends), count=len(pairs), by_partition=True)


def last_values(
    table: TableRows, groups: Groups, number: int, *, below: Mapping[int, int] | None = None
) -> Lasts:
    """The last row of each group, of those below the bounds where there are any. `number` is the
    table's among those that were grouped."""
    of, count = groups.of[number], groups.count
    inside = _inside(table, below)
    moved_on = np.zeros(count, dtype=np.bool_)
    row = np.full(count, NOBODY, dtype=np.int64)
    unclear = np.zeros(count, dtype=np.bool_)
    if inside is None:
        rows = np.arange(len(table))
    else:
        moved_on[of[~inside]] = True
        rows = np.flatnonzero(inside)
    if groups.by_partition:
        row[of[rows]] = rows  # of a group that comes again, the last one stays
        return Lasts(row=row, unclear=unclear, moved_on=moved_on)
    # Last of each partition first: a tombstone in one and a value in another is a key that moved.
    where = _last_of_each(rows, of[rows], table.partition[rows])
    living = where[table.alive()[where]]
    row[of[where]] = where
    row[of[living]] = living
    unclear[np.bincount(of[living], minlength=count) > 1] = True
    return Lasts(row=row, unclear=unclear, moved_on=moved_on)


def _inside(table: TableRows, below: Mapping[int, int] | None) -> Flags | None:
    """None: all of them."""
    if below is None:
        return None
    inside = np.ones(len(table), dtype=np.bool_)
    for partition in np.unique(table.partition).tolist():
        bound = below.get(partition)
        rows = table.partition == partition
        inside[rows] = table.offset[rows] < bound if bound is not None else False
    return inside


def _last_of_each(rows: Integers, groups: Integers, partitions: Integers) -> Integers:
    if len(rows) == 0:
        return rows
    order = np.lexsort((rows, partitions, groups))
    sorted_groups, sorted_partitions = groups[order], partitions[order]
    ends = (np.diff(sorted_groups) != 0) | (np.diff(sorted_partitions) != 0)
    last: Integers = rows[order[np.append(ends, True)]]
    return last


def knows_partitions(*tables: TableRows) -> bool:
    return not any((table.partition == NOBODY).any() for table in tables)
