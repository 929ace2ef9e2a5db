"""REORDERED: outputs of one source in another order than their inputs.

A shard holds what belongs together by identity; order is a matter of place. So each shard gives
the `Steps` of its outputs (where one stands, and where it belongs), and `OrderCheck` brings them
back into the order of the log.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eoscheck.audit.checks.joined import Joined, Side
from eoscheck.audit.checks.outcome import Anomaly, Checked, Found
from eoscheck.audit.findings import Code
from eoscheck.audit.rows.columns import Flags, Integers, first_rows, mixed, sorted_alike
from eoscheck.audit.rows.records import Place
from eoscheck.audit.rows.shuffle import Budget, Shuffle, bucket_of

_FOREVER = np.iinfo(np.int64).max
_MOST_OPEN = 8
"""Shards' worth of rows in one disordered block that are still searched as a whole."""


@dataclass(frozen=True, kw_only=True)
class Steps:
    """First copies of outputs: columns of equal length. `stream` tells what must keep its order
    within an output partition, `position` where an output belongs in it, `source` the partition
    of its input (-1 where there is none)."""

    partition: Integers
    offset: Integers
    stream: Integers
    position: Integers
    source: Integers

    def chosen(self, rows: NDArray[Any]) -> Steps:
        return Steps(**{name: column[rows] for name, column in vars(self).items()})

    def __len__(self) -> int:
        return len(self.offset)


def steps_of_inputs(joined: Joined, *, by_key: bool) -> Steps:
    """Of outputs whose input is known. Left out are identities that stand several times in the
    input, have copies in several output partitions, or must have no output: which copy belongs to
    which input is not known, and they have findings of their own."""
    assert joined.input is not None
    outputs, inputs = joined.output.records, joined.input.records
    rows = _first_copies(joined.output, joined.identities)
    once = (joined.input.copies(joined.identities) == 1) & (joined.expected().most > 0)
    rows = rows[once[joined.output.code[rows]]]
    input_row = np.full(joined.identities, -1, dtype=np.int64)
    input_row[joined.input.code] = np.arange(len(inputs))
    found = input_row[joined.output.code[rows]]
    stream = inputs.partition[found].astype(np.int64)
    if by_key:
        assert inputs.group is not None, "order by key needs the key of each input"
        keyed = inputs.group.known()[found]
        rows, found = rows[keyed], found[keyed]
        group = inputs.group
        stream = mixed(group.low[found], group.high[found], inputs.partition[found])
    return Steps(
        partition=outputs.partition[rows],
        offset=outputs.offset[rows],
        stream=stream,
        position=inputs.offset[found],
        source=inputs.partition[found],
    )


def steps_of_numbers(joined: Joined) -> Steps:
    """Without the input: the numbers of a source must rise within an output partition."""
    records = joined.output.records
    assert records.group is not None
    assert records.number is not None
    assert records.number_known is not None
    rows = _first_copies(joined.output, joined.identities)
    rows = rows[records.number_known[rows]]
    return Steps(
        partition=records.partition[rows],
        offset=records.offset[rows],
        stream=records.group.low[rows],
        position=records.number[rows],
        source=np.full(len(rows), -1, dtype=np.int64),
    )


def out_of_order(joined: Joined) -> bool:
    """Whether some first copy stands after a higher number of its source (column `late`): where
    none does, in no shard, the numbers rise."""
    late = joined.output.records.numbers("late")
    assert late is not None
    rows = np.flatnonzero(late.value)
    if not len(rows):
        return False
    code = joined.output.code
    return bool((first_rows(code, joined.identities)[code[rows]] == rows).any())


def _first_copies(side: Side, identities: int) -> Integers:
    """Rows, in order, of each identity's first copy, of those that stand in one partition only."""
    first = first_rows(side.code, identities)
    partition = side.records.partition
    elsewhere = partition != partition[first[side.code]]
    several = np.zeros(identities, dtype=np.bool_)
    several[side.code[elsewhere]] = True
    found = np.zeros(len(side.code), dtype=np.bool_)
    found[first[(first >= 0) & ~several]] = True
    return np.flatnonzero(found)


class OrderCheck:
    """Takes the steps of all shards in any order, then looks at them in the order of the log.

    `spans` are start and cut of each output partition. Many streams (`by_stream`) are told apart
    by their hash; few, which may be larger than memory, are followed from range to range.
    """

    def __init__(
        self,
        *,
        topic: str,
        input_topic: str | None,
        spans: Mapping[int, tuple[int, int]],
        by_stream: bool,
        budget: Budget,
        limit: int,
    ) -> None:
        self._topic = topic
        self._input_topic = input_topic
        self._limit = limit
        self._by_stream = by_stream
        self._budget = budget
        self._width = budget.shard_rows
        self._first: dict[int, int] = {}
        self._start = {number: start for number, (start, _cut) in spans.items()}
        total = 0
        for number, (start, cut) in sorted(spans.items()):
            self._first[number] = total
            total += max(1, -(-(cut - start) // self._width))
        rows = sum(cut - start for start, cut in spans.values())
        self._ranges = total
        buckets = budget.buckets(rows) if by_stream else max(1, total)
        self._shuffle = Shuffle(buckets=buckets, budget=budget)

    def add(self, steps: Steps) -> None:
        self._shuffle.add(self._bucket(steps), dict(vars(steps)))

    def check(self, *, unjudged: frozenset[int] = frozenset()) -> Checked:
        """REORDERED of all streams but the `unjudged`.

        Reported is the smallest set of outputs whose removal leaves the rest in order, so that one
        displaced record is one finding. Where one disordered stretch is larger than memory allows,
        it is searched in pieces, and their number is a lower bound.
        """
        aside = np.array(sorted(unjudged), dtype=np.int64)
        found = self._by_streams(aside) if self._by_stream else self._by_ranges(aside)
        total, anomalies = 0, []
        for steps, moved in found:
            total += len(moved)
            anomalies += [self._anomaly(steps, each) for each in moved[: self._limit]]
        self._shuffle.clear()
        anomalies.sort(key=lambda each: each.place)
        return Checked(
            found=[Found(code=Code.REORDERED, total=total, anomalies=anomalies[: self._limit])]
        )

    def _bucket(self, steps: Steps) -> NDArray[np.uint16]:
        if self._by_stream:
            return bucket_of(mixed(steps.stream, steps.partition), len(self._shuffle))
        bucket = np.zeros(len(steps), dtype=np.uint16)
        if self._ranges > 1:
            for number, first in self._first.items():
                rows = steps.partition == number
                bucket[rows] = first + (steps.offset[rows] - self._start[number]) // self._width
        return bucket

    def _read(self, bucket: int, aside: Integers) -> Steps:
        """In the order of the log."""
        columns = self._shuffle.read(bucket)
        if not columns:
            nothing = np.zeros(0, dtype=np.int64)
            names = ("partition", "offset", "stream", "position", "source")
            return Steps(**dict.fromkeys(names, nothing))
        steps = Steps(**columns)
        if len(aside):
            steps = steps.chosen(~np.isin(steps.stream, aside))
        key = steps.offset
        if len(steps) and steps.partition.min() != steps.partition.max():
            return steps.chosen(np.lexsort((steps.offset, steps.partition)))
        if (key[1:] > key[:-1]).all():
            return steps
        order, _new = sorted_alike(key, np.zeros_like(key))
        return steps.chosen(order)

    def _by_streams(self, aside: Integers) -> Iterator[tuple[Steps, list[Displaced]]]:
        for bucket in range(len(self._shuffle)):
            steps = self._read(bucket, aside)
            streams = _numbered(steps.stream, steps.partition)
            moved, _open = displaced(streams, steps.position)
            yield steps, moved

    def _by_ranges(self, aside: Integers) -> Iterator[tuple[Steps, list[Displaced]]]:
        firsts = sorted(self._first.values())
        ends = [*firsts[1:], self._ranges]
        if len(firsts) == 0:
            return
        if self._ranges == 1:
            steps = self._read(0, aside)
            yield steps, displaced(_numbered(steps.stream, steps.partition), steps.position)[0]
            return
        for first, end in zip(firsts, ends, strict=True):
            yield from self._partition(range(first, end), aside)

    def _partition(
        self, buckets: range, aside: Integers
    ) -> Iterator[tuple[Steps, list[Displaced]]]:
        """One output partition, range after range. Rows of a stretch that something yet to come
        belongs into are carried on to the next range."""
        lowest = self._lowest_to_come(buckets, aside)
        carried: Steps | None = None
        for bucket, later in zip(buckets, lowest, strict=True):
            steps = self._read(bucket, aside)
            if carried is not None:
                steps = _appended(carried, steps)
            ahead = later if len(steps) <= _MOST_OPEN * self._width else {}
            streams = _numbered(steps.stream)
            moved, open_rows = displaced(streams, steps.position, later=_later(steps, ahead))
            carried = steps.chosen(open_rows) if len(open_rows) else None
            yield steps, moved

    def _lowest_to_come(self, buckets: range, aside: Integers) -> list[dict[int, int]]:
        """For each range: by stream the lowest position in all ranges after it."""
        found: list[dict[int, int]] = []
        lowest: dict[int, int] = {}
        for bucket in reversed(buckets):
            found.append(dict(lowest))
            steps = self._read(bucket, aside)
            for stream in np.unique(steps.stream).tolist():
                low = int(steps.position[steps.stream == stream].min())
                lowest[stream] = min(low, lowest.get(stream, _FOREVER))
        return found[::-1]

    def _anomaly(self, steps: Steps, each: Displaced) -> Anomaly:
        place, other = (
            Place(self._topic, int(steps.partition[row]), int(steps.offset[row]))
            for row in (each.row, each.other)
        )
        here, there = int(steps.position[each.row]), int(steps.position[each.other])
        side = "after" if each.late else "before"
        related = {"copies": [place], "other": [other]}
        if self._input_topic is None:
            detail = f"number {here} committed {side} number {there} of its source"
        else:
            source = int(steps.source[each.row])
            related["inputs"] = [Place(self._input_topic, source, at) for at in (here, there)]
            detail = (
                f"output of input {here} committed {side} that of input {there} "
                f"of {self._input_topic}-{source}"
            )
        return Anomaly(
            place=place,
            offsets=[place.offset],
            detail=detail,
            related=related,
            facts={"displaced": "late" if each.late else "early"},
        )


@dataclass(frozen=True, kw_only=True)
class Displaced:
    """An output out of its place, and one on whose wrong side it stands: rows of the columns that
    were given. `late`: it stands after the other, and belongs before it."""

    row: int
    other: int
    late: bool


def displaced(
    streams: Integers, positions: Integers, *, later: Mapping[int, int] | None = None
) -> tuple[list[Displaced], Integers]:
    """The fewest rows whose removal leaves `positions` rising within each stream; and the rows
    that are left open, because a position that is yet to come (`later`, by stream) belongs before
    some of them.

    Columns in the order of the output; `streams` are numbered from 0. What is left is a longest
    rising subsequence (patience sorting, O(n log n)), searched only within the blocks that are out
    of order.
    """
    rows = len(streams)
    ahead = {stream: low for stream, low in (later or {}).items() if low != _FOREVER}
    if rows == 0:
        return [], np.zeros(0, dtype=np.int64)
    streams = np.append(streams, np.fromiter(ahead.keys(), dtype=np.int64, count=len(ahead)))
    positions = np.append(positions, np.fromiter(ahead.values(), dtype=np.int64, count=len(ahead)))
    rising = streams[0] == streams.max() == streams.min()
    order = np.arange(len(streams)) if rising else np.argsort(streams, kind="stable")
    rank = _ranks(streams[order], positions[order])
    if (rank[1:] >= rank[:-1]).all():
        return [], np.zeros(0, dtype=np.int64)
    highest = np.maximum.accumulate(rank)
    lowest = np.minimum.accumulate(rank[::-1])[::-1]
    ends = np.append(np.flatnonzero(highest[:-1] <= lowest[1:]) + 1, len(rank))
    starts = np.append(0, ends[:-1])
    found: list[Displaced] = []
    left_open: list[Integers] = []
    disordered = ends - starts > 1
    for start, end in zip(starts[disordered].tolist(), ends[disordered].tolist(), strict=True):
        if order[start:end].max() >= rows:  # what is yet to come is part of this block
            inner = order[start:end]
            left_open.append(inner[inner < rows])
            continue
        block = rank[start:end]
        for inside in _outside_longest_rise(block.tolist()):
            row = start + inside
            late = row > start and highest[row - 1] > rank[row]
            other = int(
                block[:inside].argmax() if late else inside + 1 + block[inside + 1 :].argmin()
            )
            found.append(
                Displaced(row=int(order[row]), other=int(order[start + other]), late=bool(late))
            )
    open_rows = np.sort(np.concatenate(left_open)) if left_open else np.zeros(0, dtype=np.int64)
    return sorted(found, key=lambda each: each.row), open_rows


def _ranks(streams: Integers, positions: Integers) -> Integers:
    """Later streams rank above all of earlier ones, so that one pass serves all of them."""
    low, high = int(positions.min()), int(positions.max())
    width = high - low + 1
    if width * (int(streams.max()) + 1) >= 1 << 62:
        _distinct, positions = np.unique(positions, return_inverse=True)
        low, width = 0, len(_distinct)
    return np.asarray(streams * width + (positions - low))


def _outside_longest_rise(values: Sequence[int]) -> list[int]:
    """Indices of `values` that a longest rising subsequence leaves out."""
    ends: list[int] = []  # the lowest last value of a rise of each length
    end_at: list[int] = []
    before: list[int] = []
    for index, value in enumerate(values):
        length = bisect_right(ends, value)
        before.append(end_at[length - 1] if length else -1)
        ends[length : length + 1] = [value]
        end_at[length : length + 1] = [index]
    kept = set()
    at = end_at[-1]
    while at >= 0:
        kept.add(at)
        at = before[at]
    return [index for index in range(len(values)) if index not in kept]


def _numbered(*columns: Integers) -> Integers:
    """One number for each combination of values, from 0."""
    numbers = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        if len(column) == 0 or column.min() == column.max():
            continue
        _values, number = np.unique(column, return_inverse=True)
        numbers = numbers * (int(number.max()) + 1) + number
        _values, numbers = np.unique(numbers, return_inverse=True)
    return numbers


def _later(steps: Steps, ahead: Mapping[int, int]) -> dict[int, int]:
    """`ahead` by the numbers that `_numbered` gives to the streams of these steps."""
    if not ahead or not len(steps):
        return {}
    known: Flags | Integers = np.unique(steps.stream)
    return {
        number: ahead[stream] for number, stream in enumerate(known.tolist()) if stream in ahead
    }


def _appended(first: Steps, second: Steps) -> Steps:
    return Steps(
        **{
            name: np.concatenate([column, getattr(second, name)])
            for name, column in vars(first).items()
        }
    )
