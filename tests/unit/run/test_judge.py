"""A verdict is never better than what was seen: a pass needs a clean audit of a whole run."""

from __future__ import annotations

import pytest

from eoscheck.audit.findings import AuditReport, Code, Guarantee, Unknown, Verdict
from eoscheck.history import Event, FaultInjected, FaultMissed, InstanceExited, RunFinished
from eoscheck.run.expectation import Expectation
from eoscheck.run.judge import as_expected, judge, tally_faults


def report(verdict: Verdict, **anomalies: int) -> AuditReport:
    return AuditReport(
        verdict=verdict,
        expect=Guarantee.EXACTLY_ONCE,
        output="out",
        input="in",
        counts={},
        anomalies={Code(name): count for name, count in anomalies.items()},
        allowed={},
        hazards=[],
        findings=[],
        unknowns=[Unknown(subject="in/0", reason="cut short")]
        if verdict is Verdict.UNKNOWN
        else [],
        duration_s=0.1,
    )


def injected(number: int, *, left_open: int | None = 1, wiped: bool = False) -> FaultInjected:
    return FaultInjected(
        t=float(number),
        fault_id=f"kill-{number}",
        kind="kill",
        instance=0,
        down_s=1.0,
        outlasts_session=number == 1,
        wiped=wiped,
        evidence={},
        open_transactions=left_open,
    )


FINISHED = RunFinished(t=9.0, drained=True, reason="all done")
WHOLE: list[Event] = [injected(1, wiped=True), injected(2, left_open=0), FINISHED]


def verdict_of(audit: AuditReport, events: list[Event], *, planned: int = 2) -> Verdict:
    return judge(audit=audit, events=events, tally=tally_faults(events, planned=planned))[0]


def test_a_clean_audit_of_a_whole_run_passes() -> None:
    assert verdict_of(report(Verdict.PASS), WHOLE) is Verdict.PASS


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([injected(1), FINISHED], id="a planned fault never came"),
        pytest.param(
            [
                injected(1),
                FaultMissed(t=2.0, fault_id="kill-2", kind="kill", reason="gone"),
                FINISHED,
            ],
            id="a fault did not bite",
        ),
        pytest.param(
            [injected(1), injected(2), RunFinished(t=9.0, drained=False, reason="lag")],
            id="the input was not drained",
        ),
        pytest.param([injected(1), injected(2)], id="the run has no end"),
    ],
)
def test_a_run_that_was_not_whole_is_unknown_and_says_why(events: list[Event]) -> None:
    tally = tally_faults(events, planned=2)
    verdict, reasons = judge(audit=report(Verdict.PASS), events=events, tally=tally)
    assert verdict is Verdict.UNKNOWN
    assert reasons


def test_an_unknown_audit_is_never_a_pass() -> None:
    assert verdict_of(report(Verdict.UNKNOWN), WHOLE) is Verdict.UNKNOWN


def test_an_anomaly_stays_one_even_where_the_run_was_not_whole() -> None:
    assert verdict_of(report(Verdict.FAIL, LOST=2), [injected(1)]) is Verdict.FAIL


def test_crashes_of_the_subjects_own_are_told_without_changing_the_verdict() -> None:
    crash = InstanceExited(t=3.0, instance=0, pid=1, code=3, expected=False)
    verdict, reasons = judge(
        audit=report(Verdict.PASS),
        events=[crash, *WHOLE],
        tally=tally_faults(WHOLE, planned=2),
    )
    assert verdict is Verdict.PASS
    assert "ended by itself" in reasons[0]


def test_the_tally_counts_what_the_faults_did() -> None:
    tally = tally_faults(WHOLE, planned=3)
    assert (tally.planned, tally.injected, tally.left_open) == (3, 2, 1)
    assert (tally.outlasted_session, tally.wiped, tally.missed) == (1, 1, 0)


@pytest.mark.parametrize(
    ("audit", "expected"),
    [
        (report(Verdict.FAIL, LOST=1), True),
        (report(Verdict.FAIL, DUPLICATE=1), False),
        (report(Verdict.PASS), False),
    ],
)
def test_a_bug_is_found_only_if_its_code_is(audit: AuditReport, *, expected: bool) -> None:
    wanted = Expectation(verdict=Verdict.FAIL, codes=[Code.LOST])
    assert as_expected(verdict=audit.verdict, audit=audit, expected=wanted) is expected
