"""HANGING_TRANSACTION: open for longer than anybody will wait, and nobody will end it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eoscheck.audit.checks.outcome import Anomaly, Checked, Found
from eoscheck.audit.findings import Code, Unknown
from eoscheck.audit.records import Place


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
    """A transaction that was open when the wait for it ended. It begins at `place`; `coordinator`
    is None where no coordinator knows of it."""

    place: Place
    producer_id: int
    epoch: int
    last_timestamp_ms: int
    coordinator: CoordinatorView | None


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
