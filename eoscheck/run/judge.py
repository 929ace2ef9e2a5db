"""From what was found to what is said: the run's verdict, with its reasons."""

from __future__ import annotations

from collections.abc import Sequence

from eoscheck.audit.findings import AuditReport, Verdict
from eoscheck.history import Event, FaultInjected, FaultMissed, InstanceExited, RunFinished
from eoscheck.run.expectation import Expectation
from eoscheck.run.result import FaultTally
from eoscheck.run.trace import Traced, rollbacks


def tally_faults(
    events: Sequence[Event], *, planned: int, trace: Sequence[Traced] | None = None
) -> FaultTally:
    missed = {event.fault_id for event in events if isinstance(event, FaultMissed)}
    injected = [
        event
        for event in events
        if isinstance(event, FaultInjected) and event.fault_id not in missed
    ]
    return FaultTally(
        planned=planned,
        injected=len(injected),
        missed=len(missed),
        left_open=sum(bool(event.open_transactions) for event in injected),
        outlasted_session=sum(event.outlasts_session for event in injected),
        wiped=sum(event.wiped for event in injected),
        rolled_back=None if trace is None else rollbacks(trace),
    )


def judge(
    *, audit: AuditReport, events: Sequence[Event], tally: FaultTally
) -> tuple[Verdict, list[str]]:
    """The verdict and why. An anomaly stays one whatever else went wrong; a pass needs everything:
    a clean audit, all input drained, and faults that bit."""
    reasons = [f"{count} × {code}" for code, count in sorted(audit.anomalies.items()) if count]
    doubts = [f"{unknown.subject}: {unknown.reason}" for unknown in audit.unknowns]
    missed = [event for event in events if isinstance(event, FaultMissed)]
    if missed:
        doubts.append(f"{len(missed)} of {tally.planned} faults did not bite: {missed[0].reason}")
    elif tally.injected < tally.planned:
        doubts.append(f"only {tally.injected} of {tally.planned} planned faults were injected")
    finished = [event for event in events if isinstance(event, RunFinished)]
    if not finished:
        doubts.append("the run did not come to its end")
    elif not finished[-1].drained:
        doubts.append(finished[-1].reason)
    crashes = sum(isinstance(event, InstanceExited) and not event.expected for event in events)
    notes = (
        [f"the subject ended by itself {crashes} times, and was started again"] if crashes else []
    )
    if audit.verdict is Verdict.FAIL:
        return Verdict.FAIL, reasons + doubts + notes
    if doubts or audit.verdict is Verdict.UNKNOWN:
        return Verdict.UNKNOWN, doubts + notes
    return Verdict.PASS, notes


def as_expected(*, verdict: Verdict, audit: AuditReport, expected: Expectation) -> bool:
    """True where the verdict is the one named, and each code named was found."""
    return verdict is expected.verdict and all(audit.anomalies.get(code) for code in expected.codes)
