"""The anomaly catalogue as anybody would write it down, without a thought for speed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise

from eoscheck.history.events import Identity
from tests.unit.audit.topics import Topic, offsets

Found = tuple[str, int, tuple[int, ...]]
"""(identity, partition, offsets)"""


def placed(topic: Topic) -> list[tuple[Identity, int, int]]:
    """(identity, partition, offset) in the order of partition and offset."""
    return [
        (row.identity, partition, offset)
        for partition, rows in sorted(topic.items())
        for row, offset in zip(rows, offsets(rows), strict=True)
    ]


def copies(topic: Topic) -> Counter[Identity]:
    return Counter(identity for identity, _partition, _offset in placed(topic))


def duplicates(output: Topic, source: Topic | None) -> set[tuple[Identity, int]]:
    """(identity, surplus)"""
    expected = copies(source) if source is not None else defaultdict(lambda: 1)
    return {
        (identity, number - expected[identity])
        for identity, number in copies(output).items()
        if number > expected[identity] > 0
    }


def phantoms(output: Topic, source: Topic) -> set[Identity]:
    return set(copies(output)) - set(copies(source))


def losses(output: Topic, source: Topic, due: Mapping[int, int]) -> set[tuple[Identity, int, bool]]:
    """(identity, missing, tail)"""
    outputs, inputs = copies(output), copies(source)
    wanted = Counter(
        identity for identity, partition, offset in placed(source) if offset < due.get(partition, 0)
    )

    def in_tail(identity: Identity) -> bool:
        return all(
            outputs[later] < inputs[later]
            for this, partition, offset in placed(source)
            if this == identity
            for later, other, beyond in placed(source)
            if other == partition and beyond >= offset
        )

    return {
        (identity, number - outputs[identity], in_tail(identity))
        for identity, number in wanted.items()
        if outputs[identity] < number
    }


def streams(output: Topic, source: Topic, *, by_key: bool) -> list[list[tuple[int, int, int]]]:
    """Of each stream: (output partition, input offset, output offset), as they were written."""
    inputs = copies(source)
    home = {
        row.identity: (partition, row.key, offset)
        for partition, rows in source.items()
        for row, offset in zip(rows, offsets(rows), strict=True)
    }
    partitions: dict[Identity, set[int]] = defaultdict(set)
    for identity, partition, _offset in placed(output):
        partitions[identity].add(partition)
    seen: set[Identity] = set()
    found: dict[tuple[object, ...], list[tuple[int, int, int]]] = defaultdict(list)
    for identity, partition, offset in placed(output):
        if identity in seen or inputs[identity] != 1 or len(partitions[identity]) > 1:
            continue
        seen.add(identity)
        source_partition, key, position = home[identity]
        stream = (partition, source_partition, key if by_key else None)
        found[stream].append((partition, position, offset))
    return list(found.values())


def longest_rise(values: Sequence[int]) -> int:
    """By trying every subset, the largest first."""
    for size in range(len(values), 0, -1):
        if any(list(chosen) == sorted(set(chosen)) for chosen in combinations(values, size)):
            return size
    return 0


def holes(output: Topic) -> set[tuple[int, int]]:
    """(first, last) missing, of integer identities"""
    numbers = sorted(set(copies(output)))
    return {(low + 1, high - 1) for low, high in pairwise(numbers) if high - low > 1}


def wrong_results(output: Topic, source: Topic) -> tuple[int, int]:
    """(steps, wrong outputs): a step begins where the error of a key changes to another but 0."""
    running: dict[tuple[int, str], int] = defaultdict(int)
    right: dict[Identity, list[int]] = defaultdict(list)
    stream_of: dict[Identity, tuple[int, str]] = {}
    for partition, rows in sorted(source.items()):
        for row in rows:
            running[partition, row.key] += row.number or 0
            right[row.identity].append(running[partition, row.key])
            stream_of.setdefault(row.identity, (partition, row.key))
    error: dict[tuple[int, str], int] = defaultdict(int)
    steps = wrong = 0
    for _partition, rows in sorted(output.items()):
        for row in rows:
            if row.identity not in right or row.number is None:
                continue
            accepted = right[row.identity]
            off = 0 if row.number in accepted else row.number - accepted[0]
            wrong += off != 0
            steps += off not in (0, error[stream_of[row.identity]])
            error[stream_of[row.identity]] = off
    return steps, wrong
