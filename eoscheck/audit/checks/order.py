"""REORDERED: outputs of one source in another order than their inputs."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from eoscheck.audit.checks.joined import Joined, Side
from eoscheck.audit.checks.outcome import Anomaly, Checked, Found
from eoscheck.audit.columns import Flags, Integers, enumerate_identities
from eoscheck.audit.findings import Code
from eoscheck.audit.records import Place, Records


def check_order(
    joined: Joined, *, order: Literal["partition", "key", "none"], limit: int
) -> Checked:
    """Within one output partition, first copies only: of each source partition, or of each key.

    Reported is the smallest set of outputs whose removal leaves the rest in order, so that one
    displaced record is one finding. Left out are identities that stand several times in the input
    or have copies in several output partitions: which copy belongs to which input is not known,
    and they have findings of their own.
    """
    if joined.input is None or order == "none":
        return Checked()
    outputs, inputs = joined.output.records, joined.input.records
    once = joined.input.copies(joined.identities) == 1
    rows = _first_copies(joined.output, joined.identities)
    rows = rows[once[joined.output.code[rows]]]
    input_row = np.full(joined.identities, -1, dtype=np.int64)
    input_row[joined.input.code] = np.arange(len(inputs))
    source = input_row[joined.output.code[rows]]
    keys = []
    if order == "key":
        assert inputs.group is not None, "order by key needs the key of each input"
        keyed = inputs.group.known()[source]
        rows, source = rows[keyed], source[keyed]
        (key,), _total = enumerate_identities(inputs.group)
        keys.append(key[source])
    streams = [outputs.partition[rows], inputs.partition[source], *keys]
    moved = displaced(_number_streams(streams), source)
    anomalies = []
    for each in moved[:limit]:
        row, other = int(rows[each.row]), int(rows[each.other])
        here, there = inputs.place(int(source[each.row])), inputs.place(int(source[each.other]))
        anomalies.append(
            _reordered(
                outputs,
                row,
                other,
                late=each.late,
                detail=f"output of input {here.offset} committed "
                f"{'after' if each.late else 'before'} that of input {there.offset} "
                f"of {here.topic}-{here.partition}",
                related={"inputs": [here, there]},
            )
        )
    return Checked(found=[Found(code=Code.REORDERED, total=len(moved), anomalies=anomalies)])


def check_sequence_order(joined: Joined, *, judged: Flags, limit: int) -> Checked:
    """The same without the input: the numbers of a source must rise within an output partition.

    `judged` tells the output rows whose identity is part of a sequence.
    """
    records = joined.output.records
    assert records.group is not None
    assert records.number is not None
    rows = _first_copies(joined.output, joined.identities)
    rows = rows[judged[rows]]
    (source,), _sources = enumerate_identities(records.group)
    numbers = records.number[rows]
    _distinct, rank = np.unique(numbers, return_inverse=True)
    moved = displaced(_number_streams([records.partition[rows], source[rows]]), rank)
    anomalies = [
        _reordered(
            records,
            int(rows[each.row]),
            int(rows[each.other]),
            late=each.late,
            detail=f"number {numbers[each.row]} committed "
            f"{'after' if each.late else 'before'} number {numbers[each.other]} of its source",
            related={},
        )
        for each in moved[:limit]
    ]
    return Checked(found=[Found(code=Code.REORDERED, total=len(moved), anomalies=anomalies)])


@dataclass(frozen=True, kw_only=True)
class Displaced:
    """An output out of its place, and one on whose wrong side it stands: rows of the columns that
    were given. `late`: it stands after the other, and belongs before it."""

    row: int
    other: int
    late: bool


def displaced(streams: Integers, positions: Integers) -> list[Displaced]:
    """The fewest rows whose removal leaves `positions` rising within each stream.

    Both are columns in the order of the output, of non-negative integers; no position stands twice
    in a stream. What is left is a longest increasing subsequence (patience sorting, O(n log n)),
    searched only within the blocks that are out of order.
    """
    if len(streams) == 0:
        return []
    order = np.argsort(streams, kind="stable")
    # Later streams rank above all of earlier ones, so that one pass serves all of them.
    rank = streams[order] * (int(positions.max()) + 1) + positions[order]
    highest = np.maximum.accumulate(rank)
    lowest = np.minimum.accumulate(rank[::-1])[::-1]
    ends = np.append(np.flatnonzero(highest[:-1] < lowest[1:]) + 1, len(rank))
    starts = np.append(0, ends[:-1])
    found: list[Displaced] = []
    disordered = ends - starts > 1
    for start, end in zip(starts[disordered], ends[disordered], strict=True):
        block = rank[start:end]
        for inner in _outside_longest_rise(block.tolist()):
            row = start + inner
            late = row > start and highest[row - 1] > rank[row]
            other = int(block[:inner].argmax() if late else inner + 1 + block[inner + 1 :].argmin())
            found.append(
                Displaced(row=int(order[row]), other=int(order[start + other]), late=bool(late))
            )
    return sorted(found, key=lambda each: each.row)


def _outside_longest_rise(values: Sequence[int]) -> list[int]:
    """Indices of `values` that a longest increasing subsequence leaves out."""
    ends: list[int] = []  # the lowest last value of a rise of each length
    end_at: list[int] = []
    before: list[int] = []
    for index, value in enumerate(values):
        length = bisect_left(ends, value)
        before.append(end_at[length - 1] if length else -1)
        ends[length : length + 1] = [value]
        end_at[length : length + 1] = [index]
    kept = set()
    at = end_at[-1]
    while at >= 0:
        kept.add(at)
        at = before[at]
    return [index for index in range(len(values)) if index not in kept]


def _first_copies(side: Side, identities: int) -> Integers:
    """Rows, in order, of each identity's first copy, of those that stand in one partition only."""
    _codes, first = np.unique(side.code, return_index=True)
    partition = side.records.partition
    lowest = np.full(identities, np.iinfo(np.int64).max, dtype=np.int64)
    highest = np.full(identities, -1, dtype=np.int64)
    np.minimum.at(lowest, side.code, partition)
    np.maximum.at(highest, side.code, partition)
    rows = np.sort(first)
    codes = side.code[rows]
    alone: Flags = lowest[codes] == highest[codes]
    return np.asarray(rows[alone])


def _number_streams(columns: Sequence[Integers]) -> Integers:
    """One number for each combination of values, from 0."""
    if len(columns[0]) == 0:
        return np.zeros(0, dtype=np.int64)
    streams = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        _values, number = np.unique(column, return_inverse=True)
        streams = streams * (int(number.max()) + 1) + number
        _values, streams = np.unique(streams, return_inverse=True)
    return streams.astype(np.int64)


def _reordered(
    records: Records,
    row: int,
    other: int,
    *,
    late: bool,
    detail: str,
    related: dict[str, list[Place]],
) -> Anomaly:
    place = records.place(row)
    return Anomaly(
        place=place,
        offsets=[place.offset],
        detail=detail,
        related={**related, "copies": [place], "other": [records.place(other)]},
        facts={"displaced": "late" if late else "early"},
    )
