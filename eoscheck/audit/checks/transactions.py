"""Whole transactions: those that nobody will end, and those of which only a part was committed.

HANGING_TRANSACTION is judged by what leaders and coordinators say, TORN_TRANSACTION by the markers
of transactions that have an epoch of their own (KIP-890), or by identities that belong together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap64

from eoscheck.audit.batches.figures import Outcomes
from eoscheck.audit.checks.outcome import Anomaly, Checked, Found
from eoscheck.audit.findings import Code, Unknown
from eoscheck.audit.rows.columns import Digests, Flags, Integers
from eoscheck.audit.rows.records import Place


@dataclass(frozen=True, kw_only=True)
class CoordinatorView:
    """What the coordinator knows of the transaction that holds a partition back.

    `overdue`: open for longer than its own time-out plus the broker's sweep, by the coordinator's
    clock.
    """

    transactional_id: str
    state: str
    epoch: int
    started_ms: int
    timeout_ms: int
    overdue: bool


@dataclass(frozen=True, kw_only=True)
class OpenAtCut:
    """A transaction that was open when the wait for it ended. It begins at `place`, below the `cut`
    that readers are to reach; `coordinator` is None where no coordinator knows of it."""

    place: Place
    producer_id: int
    epoch: int
    last_timestamp_ms: int
    coordinator: CoordinatorView | None
    cut: int | None = None


def check_open_transactions(
    found: Sequence[OpenAtCut], *, patience_s: float, sweep_ms: int, limit: int
) -> Checked:
    """Hanging: overdue, or unknown to its coordinator. Any other makes the verdict unknown: it is
    ordinary work, which took longer than the audit waits."""
    hanging, unknowns = [], []
    for each in found:
        if each.coordinator is None or each.coordinator.overdue:
            hanging.append(_anomaly(each, sweep_ms=sweep_ms))
        else:
            unknowns.append(
                Unknown(
                    subject=str(each.place),
                    reason=f"transaction {each.coordinator.transactional_id!r} was still open "
                    f"after {patience_s:g} s: audit again, or wait longer with --patience",
                )
            )
    return Checked(
        found=[Found(code=Code.HANGING_TRANSACTION, total=len(hanging), anomalies=hanging[:limit])],
        unknowns=unknowns,
    )


def _anomaly(each: OpenAtCut, *, sweep_ms: int) -> Anomaly:
    facts: dict[str, object] = {
        "producer_id": each.producer_id,
        "producer_epoch": each.epoch,
        "last_timestamp_ms": each.last_timestamp_ms,
    }
    if each.cut is not None:
        facts["held_back_offsets"] = each.cut - each.place.offset
    known = each.coordinator
    if known is None:
        detail = f"no coordinator knows the open transaction of producer {each.producer_id}"
    else:
        detail = (
            f"transaction {known.transactional_id!r} is open for longer than its time-out of "
            f"{known.timeout_ms} ms and the broker's sweep of {sweep_ms} ms"
        )
        facts |= {
            "transactional_id": known.transactional_id,
            "state": known.state,
            "started_ms": known.started_ms,
            "timeout_ms": known.timeout_ms,
        }
    return Anomaly(place=each.place, offsets=[each.place.offset], detail=detail, facts=facts)


def check_torn(outcomes: Sequence[Outcomes], *, limit: int) -> Checked:
    """Transactions whose markers disagree: committed in one partition, aborted in another, of any
    of the topics.

    Only where the epoch was the transaction's own: both markers bear a higher one than their data,
    so that no second transaction can have used it. Older clients' epochs span many transactions.
    """
    torn = _union(outcomes, "committed") & _union(outcomes, "aborted")
    anomalies = [_torn(key, outcomes) for _number, key in zip(range(limit), torn, strict=False)]
    return Checked(
        found=[Found(code=Code.TORN_TRANSACTION, total=len(torn), anomalies=anomalies)]
        if torn
        else []
    )


def _union(outcomes: Sequence[Outcomes], how: str) -> BitMap64:
    every = [bitmap for each in outcomes for bitmap in getattr(each, how).values()]
    return BitMap64.union(*every) if every else BitMap64()


def _torn(key: int, outcomes: Sequence[Outcomes]) -> Anomaly:
    committed, aborted = (
        [
            (each.topic, partition)
            for each in outcomes
            for partition, keys in sorted(getattr(each, how).items())
            if key in keys
        ]
        for how in ("committed", "aborted")
    )
    topic, partition = aborted[0]
    places = {each.topic: each.aborted_at for each in outcomes}
    offset = places[topic].get((partition, key), -1)
    producer_id, epoch = key >> 16, key & 0xFFFF
    return Anomaly(
        place=Place(topic, partition, offset),
        offsets=[offset] if offset >= 0 else [],
        detail=f"one transaction of producer {producer_id} was committed in "
        f"{_named(committed)} and aborted in {_named(aborted)}",
        facts={
            "producer_id": producer_id,
            "producer_epoch": epoch,
            "committed_in": [f"{topic}-{number}" for topic, number in committed],
            "aborted_in": [f"{topic}-{number}" for topic, number in aborted],
        },
    )


def _named(places: Sequence[tuple[str, int]]) -> str:
    shown = ", ".join(f"{topic}-{partition}" for topic, partition in places[:3])
    return shown + (f" and {len(places) - 3} more" if len(places) > 3 else "")


@dataclass(frozen=True, kw_only=True)
class Attempts:
    """Records of one shard by columns, committed and aborted ones: the group that each belongs to
    (what the `atomic` expression gives), its identity, and its place. A group is in one shard. Rows
    without a group or an identity belong to nothing."""

    topic: str
    group: Digests
    identity: Digests
    committed: Flags
    partition: Integers
    offset: Integers


def check_atomic(attempts: Attempts, *, limit: int) -> Checked:
    """Groups of which one identity was committed, and another was written and only ever aborted.

    A group that was aborted whole, or tried again until all of it was committed, is whole.
    """
    columns = (*attempts.identity, *attempts.group)
    order = np.lexsort((attempts.offset, attempts.partition, *columns))
    order = order[(attempts.group.known() & attempts.identity.known())[order]]
    if not len(order):
        return Checked()
    sorted_columns = [column[order] for column in columns]
    new_identity = _changes(sorted_columns)
    firsts = np.flatnonzero(new_identity)
    committed = np.logical_or.reduceat(attempts.committed[order], firsts)
    new_group = _changes([column[firsts] for column in sorted_columns[2:]])
    groups = np.flatnonzero(new_group)
    some = np.logical_or.reduceat(committed, groups)
    every = np.logical_and.reduceat(committed, groups)
    torn = np.flatnonzero(some & ~every)
    ends = np.append(groups[1:], len(firsts))
    anomalies = [
        _divided(
            attempts, order[firsts[groups[row] : ends[row]]], committed[groups[row] : ends[row]]
        )
        for row in torn[:limit].tolist()
    ]
    return Checked(
        found=[Found(code=Code.TORN_TRANSACTION, total=len(torn), anomalies=anomalies)]
        if len(torn)
        else []
    )


def _divided(attempts: Attempts, rows: NDArray[np.int64], committed: Flags) -> Anomaly:
    places = [
        Place(attempts.topic, int(attempts.partition[row]), int(attempts.offset[row]))
        for row in rows.tolist()
    ]
    judged = sorted(zip(places, committed.tolist(), strict=True))
    lost = [place for place, kept in judged if not kept]
    whole = [place for place, kept in judged if kept]
    at = lost[0]
    return Anomaly(
        place=at,
        offsets=[place.offset for place in lost if place[:2] == at[:2]],
        detail=f"of {len(places)} outputs that belong together {len(whole)} were committed and "
        f"{len(lost)} only aborted",
        related={"aborted": lost, "committed": whole},
        facts={"outputs": len(places), "only_aborted": len(lost)},
    )


def _changes(columns: Sequence[NDArray[np.int64]]) -> Flags:
    """Where a row of sorted columns differs from the one before it."""
    new = np.ones(len(columns[0]), dtype=np.bool_)
    new[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return new
