"""Keys in a partition that the declared partitioner does not give them (MISPARTITIONED).

`murmur2` is what Java's producer does with a key (`BuiltInPartitioner.partitionForKey`), `crc32`
what librdkafka does by default (`consistent_random`). Both leave it open where a record without a
key goes, and librdkafka also where one with an empty key does: those are not judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, cast
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from eoscheck.audit.checks.outcome import Anomaly, Checked, Found
from eoscheck.audit.findings import Code, Unknown
from eoscheck.audit.rows.block import Block, Numbers
from eoscheck.audit.rows.columns import Integers
from eoscheck.audit.rows.records import Place

Partitioner: TypeAlias = Literal["murmur2", "crc32"]

_SEED = 0x9747B28C
_MIX = np.uint32(0x5BD1E995)
_POSITIVE = 0x7FFFFFFF
_ENOUGH = 20
"""So many different keys that all lie where today's number of partitions puts them have not been
there since before it grew: of keys from that time at most half would, each with that chance."""


def homes(keys: Sequence[bytes | None], partitioner: Partitioner) -> Numbers:
    """The hash of each key that the partitioner takes modulo the number of partitions: the column
    of kind `home`. Not known for a null key, and for an empty one by `crc32`."""
    if partitioner == "crc32":
        value = np.array([crc32(key or b"") for key in keys], dtype=np.int64)
        known = np.array([bool(key) for key in keys], dtype=np.bool_)
    else:
        value = np.zeros(len(keys), dtype=np.int64)
        known = np.array([key is not None for key in keys], dtype=np.bool_)
        length = np.array([-1 if key is None else len(key) for key in keys], dtype=np.int64)
        for each in np.unique(length[length >= 0]).tolist():
            rows = np.flatnonzero(length == each)
            same = b"".join(cast(bytes, keys[row]) for row in rows.tolist())
            value[rows] = _murmur2(np.frombuffer(same, dtype=np.uint8).reshape(len(rows), each))
    return Numbers(value, None if known.all() else known)


def murmur2(data: bytes) -> int:
    """Kafka's `Utils.murmur2(data) & 0x7fffffff`."""
    return int(_murmur2(np.frombuffer(data, dtype=np.uint8).reshape(1, len(data)))[0])


def partition_of(key: bytes, partitions: int, partitioner: Partitioner) -> int:
    return int(homes([key], partitioner).value[0]) % partitions


def _murmur2(keys: NDArray[np.uint8]) -> Integers:
    """MurmurHash2, 32 bits, of rows of equal length, with Kafka's seed and without its sign."""
    length = keys.shape[1]
    whole = length - length % 4
    words = np.ascontiguousarray(keys[:, :whole]).view("<u4")
    hashed = np.full(len(keys), _SEED ^ length, dtype=np.uint32)
    for column in range(whole // 4):
        word = words[:, column] * _MIX
        word ^= word >> np.uint32(24)
        hashed = hashed * _MIX ^ word * _MIX
    if whole < length:
        for position in range(length - whole):
            hashed ^= keys[:, whole + position].astype(np.uint32) << np.uint32(8 * position)
        hashed *= _MIX
    hashed ^= hashed >> np.uint32(13)
    hashed *= _MIX
    hashed ^= hashed >> np.uint32(15)
    return hashed.astype(np.int64) & _POSITIVE


@dataclass
class _Partition:
    """`at_home` are the hashes of keys before the first misplaced one, at most `_ENOUGH`."""

    misplaced: int = 0
    offsets: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    at_home: set[int] = field(default_factory=set)


class Partitioning:
    """Takes the blocks of one topic, each partition's in the order of its log, and keeps no record.

    `column` names that of kind `home`. `partitions` is how many the topic has now.

    A topic that has grown has its older records where fewer partitions put them, which is no fault:
    where a smaller number explains every misplaced record, and nothing before the first of them in
    its partition speaks against it, the answer is unknown. One growth is looked for, not several.
    """

    def __init__(
        self,
        topic: str,
        *,
        partitioner: Partitioner,
        partitions: int,
        limit: int,
        column: str = "home",
    ) -> None:
        self._topic = topic
        self._partitioner = partitioner
        self._count = partitions
        self._limit = limit
        self._column = column
        self._judged = 0
        self._partitions: dict[int, _Partition] = {}
        self._smaller = np.arange(1, partitions, dtype=np.int64)
        """Numbers of partitions that explain every misplaced record so far."""

    @property
    def columns(self) -> frozenset[str]:
        return frozenset({self._column})

    def add(self, block: Block) -> None:
        home = cast(Numbers, block.columns[self._column])
        offset, value = block.offset, home.value
        if home.known is not None:
            offset, value = offset[home.known], value[home.known]
        self._judged += len(value)
        state = self._partitions.setdefault(block.partition, _Partition())
        right = value % self._count
        misplaced = np.flatnonzero(right != block.partition)
        if not state.misplaced and len(state.at_home) < _ENOUGH:
            before = value[: misplaced[0]] if len(misplaced) else value
            state.at_home.update(np.unique(before).tolist())
        if not len(misplaced):
            return
        state.misplaced += len(misplaced)
        shown = misplaced[: self._limit - len(state.offsets)]
        state.offsets += offset[shown].tolist()
        state.right += right[shown].tolist()
        self._smaller = _explaining(self._smaller, value[misplaced], block.partition)

    def finish(self) -> Checked:
        """One anomaly for each record, the first of them by partition and offset."""
        total = sum(each.misplaced for each in self._partitions.values())
        counts = {"partitioned_records": self._judged}
        if total and (smaller := self._before_growth()) is not None:
            reason = (
                f"{total} of {self._judged} records of {self._topic} lie where {smaller} partitions"
                f" put their keys, not {self._count}: has it grown since they were written?"
            )
            return Checked(
                unknowns=[Unknown(subject=Code.MISPARTITIONED, reason=reason)], counts=counts
            )
        anomalies = [
            self._anomaly(number, offset, right)
            for number, each in sorted(self._partitions.items())
            for offset, right in zip(each.offsets, each.right, strict=True)
        ]
        found = Found(code=Code.MISPARTITIONED, total=total, anomalies=anomalies[: self._limit])
        return Checked(found=[found], counts=counts)

    def _before_growth(self) -> int | None:
        """The largest number of partitions that the topic may have had."""
        smaller = self._smaller
        for number, each in self._partitions.items():
            if not each.misplaced:
                continue
            if len(each.at_home) >= _ENOUGH:
                return None
            smaller = _explaining(smaller, np.array(list(each.at_home), dtype=np.int64), number)
        return int(smaller[-1]) if len(smaller) else None

    def _anomaly(self, partition: int, offset: int, right: int) -> Anomaly:
        place = Place(self._topic, partition, offset)
        return Anomaly(
            place=place,
            offsets=[offset],
            detail=f"in partition {partition}, where {self._partitioner} puts its key in "
            f"{right} of {self._count}",
            related={"records": [place]},
            facts={"expected_partition": right, "partitions": self._count},
        )


def _explaining(counts: Integers, homes_of: Integers, partition: int) -> Integers:
    """Those of `counts` by which all of `homes_of` belong in `partition`."""
    counts = counts[counts > partition]
    for begin in range(0, len(homes_of), 64):  # a few hashes leave few of many numbers
        if not len(counts):
            break
        part = homes_of[begin : begin + 64]
        counts = counts[(part % counts[:, None] == partition).all(axis=1)]
    return counts
