"""Fraud alerts as a batch computes them: all at once, from the whole committed input.

Shares no code with the app, and goes about it the other way round: the app keeps a count for each
window that a record falls into; here each window collects its records, and the one that made the
threshold full is looked up.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from operator import attrgetter
from typing import TypeAlias

Alert: TypeAlias = tuple[str, int, int, int, int]
"""Account, window start, window end, count, payment id."""


@dataclass(frozen=True)
class Paid:
    """One payment of the input, which is given partition by partition, each in order."""

    partition: int
    account: str
    payment_id: int
    time_ms: int


@dataclass(frozen=True, kw_only=True)
class Rule:
    size_ms: int
    advance_ms: int
    grace_ms: int
    threshold: int


def alerts(payments: Iterable[Paid], rule: Rule) -> Counter[Alert]:
    found: Counter[Alert] = Counter()
    for _, run in groupby(payments, key=attrgetter("partition")):
        found.update(_of_partition(list(run), rule))
    return found


def _of_partition(payments: Sequence[Paid], rule: Rule) -> list[Alert]:
    collected: dict[tuple[str, int], list[int]] = defaultdict(list)
    clock = accumulate((paid.time_ms for paid in payments), max)
    for paid, now in zip(payments, clock, strict=True):
        newest = paid.time_ms // rule.advance_ms * rule.advance_ms
        for start in range(newest, -1, -rule.advance_ms):
            end = start + rule.size_ms
            if end <= paid.time_ms:
                break
            if now < end + rule.grace_ms:
                collected[paid.account, start].append(paid.payment_id)
    full = rule.threshold
    return [
        (account, start, start + rule.size_ms, full, numbers[full - 1])
        for (account, start), numbers in collected.items()
        if len(numbers) >= full
    ]
