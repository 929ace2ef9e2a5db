"""Hazards of how transactions are used: nothing went wrong, but a crash would cost more than it
must."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from eoscheck.audit.batches.figures import LongTransaction
from eoscheck.audit.batches.view import Tenure
from eoscheck.audit.findings import Hazard, HazardCode, TransactionStatistics
from eoscheck.cluster.transactional_ids import TransactionalId

_SHARE = 0.5
"""Of its time-out: a transaction beyond that is one pause from being aborted."""
_INTERVALS = 3
"""A time-out should be three commit intervals at least."""
_SUCCESSIONS = 3
"""Fresh names one after another: two may be one change of a configuration."""
_RANDOM = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|(?<![0-9a-z])(?=[0-9a-f]*[0-9])[0-9a-f]{8,}(?![0-9a-z])",
    re.IGNORECASE,
)
"""A UUID, or eight digits and more, decimal or hexadecimal: of chance, or of a clock."""


@dataclass(frozen=True, kw_only=True)
class Habits:
    """What is known of the transactions of one topic. `known` is by producer id."""

    topic: str
    statistics: TransactionStatistics
    longest: Sequence[LongTransaction]
    tenures: Sequence[Tenure]
    known: Mapping[int, TransactionalId]
    sweep_ms: int
    recovery_objective_s: float | None = None


def check_habits(habits: Habits) -> list[Hazard]:
    return [
        *_long_transactions(habits),
        *_timeouts(habits),
        *_fresh_ids(habits),
    ]


def _long_transactions(habits: Habits) -> list[Hazard]:
    """Committed ones that took over half of their time-out (where a coordinator still knows it), or
    longer than the recovery objective: while one is open, readers of its partitions wait.

    One that seems to have taken longer than its time-out and the sweep bears times that are not its
    own: a coordinator would have aborted it.
    """
    long = [each for each in habits.longest if _too_long(each, habits)]
    if not long:
        return []
    worst = long[0]
    known = habits.known.get(worst.producer_id)
    bound = (
        f"half of its time-out of {known.timeout_ms} ms"
        if known is not None
        else f"the recovery objective of {habits.recovery_objective_s:g} s"
    )
    return [
        Hazard(
            code=HazardCode.LONG_TRANSACTION,
            topic=worst.place.topic,
            partition=worst.place.partition,
            offset=worst.place.offset,
            detail=f"a transaction was open for {worst.duration_ms} ms, longer than {bound}: "
            "its time-out may abort it, and readers wait for it meanwhile",
            facts={
                "duration_ms": worst.duration_ms,
                "producer_id": worst.producer_id,
                "timeout_ms": known.timeout_ms if known is not None else None,
                "transactions": len(long),
            },
        )
    ]


def _too_long(each: LongTransaction, habits: Habits) -> bool:
    known = habits.known.get(each.producer_id)
    if known is not None:
        possible = each.duration_ms <= known.timeout_ms + habits.sweep_ms
        return possible and each.duration_ms > _SHARE * known.timeout_ms
    objective = habits.recovery_objective_s
    return objective is not None and each.duration_ms > objective * 1000


def _timeouts(habits: Habits) -> list[Hazard]:
    """Time-outs above the recovery objective, or below three times the usual transaction."""
    hazards = []
    usual = habits.statistics.duration_ms.get("p50", 0.0)
    by_timeout = sorted(habits.known.values(), key=lambda each: (each.timeout_ms, each.name))
    for timeout_ms, group in groupby(by_timeout, key=lambda each: each.timeout_ms):
        names = [each.name for each in group]
        why = None
        objective = habits.recovery_objective_s
        if objective is not None and timeout_ms > objective * 1000:
            why = (
                f"above the recovery objective of {objective:g} s: what a lost instance leaves "
                "open holds readers back for that long"
            )
        elif usual <= timeout_ms < _INTERVALS * usual:
            why = f"less than three times the usual transaction of {usual:g} ms: a pause aborts it"
        if why is not None:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            hazards.append(
                Hazard(
                    code=HazardCode.TIMEOUT_TOO_LONG,
                    topic=habits.topic,
                    detail=f"the transaction time-out of {names[0]!r}{more} is {timeout_ms} ms, "
                    f"{why}",
                    facts={"timeout_ms": timeout_ms, "transactional_ids": names[:5]},
                )
            )
    return hazards


def _fresh_ids(habits: Habits) -> list[Hazard]:
    """Names that differ only in something of chance, in one partition one after another: each new
    instance took a new name, so that none fences the one before it, nor ends what that left open.

    Instances at work side by side are no succession; nor is a name that was used before (its epoch
    is above 0 then).
    """
    by_shape: dict[str, list[Tenure]] = {}
    for tenure in habits.tenures:
        known = habits.known.get(tenure.producer_id)
        if known is None or known.epoch < 0 or tenure.first_epoch > 0:
            continue
        shape, replaced = _RANDOM.subn("*", known.name)
        if replaced:
            by_shape.setdefault(shape, []).append(tenure)
    hazards = []
    for shape, tenures in sorted(by_shape.items()):
        chain = _succession(tenures)
        if len(chain) < _SUCCESSIONS:
            continue
        names = [habits.known[each.producer_id].name for each in chain]
        hazards.append(
            Hazard(
                code=HazardCode.FRESH_TRANSACTIONAL_ID,
                topic=habits.topic,
                partition=chain[-1].partition,
                offset=chain[-1].first_offset,
                detail=f"{len(chain)} transactional ids {shape!r} one after another, each new: a "
                "restarted instance does not fence the one before it, whose open transaction "
                "holds readers back until its time-out",
                facts={"transactional_ids": names[:5], "successions": len(chain) - 1},
            )
        )
    return hazards


def _succession(tenures: Sequence[Tenure]) -> list[Tenure]:
    """The longest chain in any partition in which each begins after all before it had ended, as
    nobody else of that shape was at work there."""
    best: list[Tenure] = []
    by_partition = sorted(tenures, key=lambda each: (each.partition, each.first_offset))
    for _partition, group in groupby(by_partition, key=lambda each: each.partition):
        chain: list[Tenure] = []
        for tenure in group:
            if chain and tenure.first_offset < chain[-1].last_offset:
                chain = []  # side by side: several instances
                break
            chain.append(tenure)
        best = max(best, chain, key=len)
    return best
