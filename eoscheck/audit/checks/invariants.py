"""WRONG_RESULT against declared invariants: amounts that sum to zero, numbers that must rise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from eoscheck.audit.checks.outcome import Anomaly, Checked, Doubt, Found
from eoscheck.audit.findings import Code, Unknown
from eoscheck.audit.rows.block import Numbers
from eoscheck.audit.rows.columns import Digests, Flags, Integers, enumerate_identities
from eoscheck.audit.rows.records import Place

_LOW_BITS = 32
_SHOWN = 5


@dataclass(kw_only=True)
class ZeroSum:
    """The sum of one output's amounts, which must be zero (debits = credits). Takes blocks in any
    order, keeps three numbers for each partition, and is exact whatever the sum."""

    topic: str
    records: dict[int, int] = field(default_factory=dict)
    sums: dict[int, int] = field(default_factory=dict)
    unfit: int = 0

    def add(self, partition: int, amounts: Numbers) -> None:
        values = amounts.value if amounts.known is None else amounts.value[amounts.known]
        self.unfit += len(amounts.value) - len(values)
        self.records[partition] = self.records.get(partition, 0) + len(values)
        self.sums[partition] = self.sums.get(partition, 0) + exact_sum(values)

    def check(self, *, gaps: Sequence[str] = ()) -> Checked:
        """Unknown where amounts do not fit, or records may be missing: what is there need not
        be in balance then."""
        total, records = sum(self.sums.values()), sum(self.records.values())
        counts = {"summed_records": records}
        doubts = [f"{self.topic} is not complete: {'; '.join(gaps)}"] if gaps else []
        if self.unfit:
            doubts.append(f"{self.unfit} records of {self.topic} have no amount")
        if doubts:
            reason = f"the amounts sum to {total}, but {'; '.join(doubts)}"
            return Checked(
                unknowns=[Unknown(subject=Code.WRONG_RESULT, reason=reason)], counts=counts
            )
        if total == 0:
            return Checked(counts=counts)
        by_partition = {str(each): self.sums[each] for each in sorted(self.sums)}
        anomaly = Anomaly(
            place=Place(self.topic, -1, -1),
            offsets=[],
            detail=f"the amounts of {records} records sum to {total}, not 0",
            facts={"sum": total, "records": records, "sums": by_partition},
        )
        return Checked(
            found=[Found(code=Code.WRONG_RESULT, total=1, anomalies=[anomaly])], counts=counts
        )


def exact_sum(values: Integers) -> int:
    """Of 64-bit integers, beyond 64 bits: both halves of each are summed apart (2^31 values at
    least)."""
    high = int((values >> _LOW_BITS).sum(dtype=np.int64))
    low = int((values & (2**_LOW_BITS - 1)).sum(dtype=np.int64))
    return (high << _LOW_BITS) + low


@dataclass(frozen=True, kw_only=True)
class GroupedRows:
    """Committed outputs of one shard: all rows of a group (a key; what one transaction's records
    share) are in the same shard. In the order of partition and offset."""

    topic: str
    partition: Integers
    offset: Integers
    identity: Digests
    group: Digests
    number: Numbers

    def __len__(self) -> int:
        return len(self.offset)

    def place(self, row: int) -> Place:
        return Place(self.topic, int(self.partition[row]), int(self.offset[row]))


def check_zero_by_group(rows: GroupedRows, *, gaps: Sequence[str] = (), limit: int) -> Checked:
    """The same for each group by itself (`sum_is_zero` with `atomic`): the debit and the credit of
    one payment. Records without a group, or without an amount, are the reader's to report."""
    if len(rows) == 0:
        return Checked()
    known = _known(rows.number) & rows.group.known()
    (codes,), count = enumerate_identities(rows.group)
    sums = _sums_by(codes[known], rows.number.value[known], count)
    wrong = np.flatnonzero([each != 0 for each in sums])
    if len(wrong) == 0:
        return Checked()
    if gaps:
        reason = f"{{count}} groups of {rows.topic} do not sum to 0, but it is not complete: "
        reason += "; ".join(gaps)
        doubt = Doubt(subject=Code.WRONG_RESULT, reason=reason, count=len(wrong))
        return Checked(unknowns=[doubt])
    chosen = np.zeros(count, dtype=np.bool_)
    chosen[wrong] = True
    members = np.flatnonzero(chosen[codes])
    distinct, first = np.unique(codes[members], return_index=True)
    anomalies = []
    for code in distinct[np.argsort(first)[:limit]]:
        own = members[codes[members] == code]
        places = [rows.place(int(row)) for row in own[:_SHOWN]]
        anomalies.append(
            Anomaly(
                place=places[0],
                offsets=[each.offset for each in places if each.partition == places[0].partition],
                detail=f"{len(own)} records that belong together sum to {sums[code]}, not 0",
                related={"copies": places},
                facts={"sum": sums[code], "records": len(own)},
            )
        )
    return Checked(
        found=[Found(code=Code.WRONG_RESULT, total=len(wrong), anomalies=anomalies)],
    )


def _sums_by(codes: Integers, values: Integers, count: int) -> list[int]:
    """Exact sums by code."""
    high = np.zeros(count, dtype=np.int64)
    low = np.zeros(count, dtype=np.int64)
    np.add.at(high, codes, values >> _LOW_BITS)
    np.add.at(low, codes, values & (2**_LOW_BITS - 1))
    return [
        (upper << _LOW_BITS) + lower
        for upper, lower in zip(high.tolist(), low.tolist(), strict=True)
    ]


def check_monotonic(rows: GroupedRows, *, limit: int) -> Checked:
    """The number must rise, strictly, from one output of a key to the next within a partition.

    A second copy of an identity there is a DUPLICATE and nothing else. One anomaly for each step
    that does not rise, so that a single number out of place is one or two. Records without a key
    or a number are left out: the reader reports them.
    """
    left = np.flatnonzero(_known(rows.number) & rows.group.known())
    (key, identity), _count = enumerate_identities(
        Digests(rows.group.low[left], rows.group.high[left]),
        Digests(rows.identity.low[left], rows.identity.high[left]),
    )
    partition = rows.partition[left]
    left = left[_first_copies(key, identity, partition)]
    (key,), _count = enumerate_identities(Digests(rows.group.low[left], rows.group.high[left]))
    order = np.lexsort((left, rows.partition[left], key))
    left, key = left[order], key[order]
    number, partition = rows.number.value[left], rows.partition[left]
    same = (np.diff(key) == 0) & (np.diff(partition) == 0)
    falls = np.flatnonzero(same & (number[1:] <= number[:-1]))
    falls = falls[np.argsort(left[falls + 1])]
    anomalies = [_fall(rows, int(left[at]), int(left[at + 1])) for at in falls[:limit]]
    counts = {"judged_steps": int(same.sum())}
    if len(falls) == 0:
        return Checked(counts=counts)
    found = Found(code=Code.WRONG_RESULT, total=len(falls), anomalies=anomalies)
    return Checked(found=[found], counts=counts)


def _first_copies(key: Integers, identity: Integers, partition: Integers) -> Integers:
    order = np.lexsort((np.arange(len(key)), identity, partition, key))
    again = np.zeros(len(key), dtype=np.bool_)
    again[1:] = (
        (np.diff(key[order]) == 0)
        & (np.diff(partition[order]) == 0)
        & (np.diff(identity[order]) == 0)
    )
    return np.sort(order[~again])


def _fall(rows: GroupedRows, before: int, row: int) -> Anomaly:
    place, earlier = rows.place(row), rows.place(before)
    found, last = int(rows.number.value[row]), int(rows.number.value[before])
    return Anomaly(
        place=place,
        offsets=[earlier.offset, place.offset],
        detail=f"{found} comes after {last} of the same key, and must be above it",
        related={"before": [earlier], "copies": [place]},
        facts={"result": found, "before": last},
    )


def _known(numbers: Numbers) -> Flags:
    if numbers.known is not None:
        return numbers.known
    return np.ones(len(numbers.value), dtype=np.bool_)
