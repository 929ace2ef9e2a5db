"""What a report draws of a trace: around the faults that findings name, then around others."""

from __future__ import annotations

from typing import Any

import msgspec

from eoscheck.audit.findings import Code, Finding
from eoscheck.history import Event, FaultInjected, OutputsObserved
from eoscheck.run.sequence import sequences
from eoscheck.run.trace import Traced
from tests.unit.report import samples
from tests.unit.run.test_trace import exchange


def traced(step: str, *, sent: float, **keys: Any) -> Traced:
    made: Traced = exchange(step, sent=sent, made=Traced, **keys)
    return made


def injected(fault_id: str, *, t: float, instance: int | None = 0) -> FaultInjected:
    return FaultInjected(
        t=t,
        fault_id=fault_id,
        kind="hold",
        instance=instance,
        down_s=0.0,
        outlasts_session=False,
        wiped=False,
        evidence={},
    )


def finding(**changes: Any) -> Finding:
    usual: dict[str, Any] = {
        "code": Code.DUPLICATE,
        "topic": "receipts",
        "partition": 1,
        "offsets": [7],
        "identity": 1,
        "detail": "",
    }
    return Finding(**(usual | changes))


TRACE = [traced("EndTxn(commit)", sent=float(n), instance=n % 2) for n in range(100)]


def titles(events: list[Event], findings: list[Any]) -> list[str]:
    audit = msgspec.structs.replace(samples.audit_report(), findings=findings)
    return [each.title for each in sequences(TRACE, events=events, audit=audit)]


def test_first_around_the_faults_that_findings_name() -> None:
    events: list[Event] = [injected(f"hold-{n}", t=10.0 * n) for n in range(1, 6)]
    named = finding(evidence={"fault": {"fault_id": "hold-4"}})
    allowed = finding(evidence={"fault": {"fault_id": "hold-5"}}, allowed=True)
    assert titles(events, [allowed, named, named]) == ["hold-4", "hold-1", "hold-2"]


def test_around_a_finding_that_no_fault_explains_by_when_it_was_read() -> None:
    read = OutputsObserved(
        t=42.4, topic="receipts", partition=1, first_offset=5, last_offset=9, identities=[1]
    )
    audit = msgspec.structs.replace(samples.audit_report(), findings=[finding()], output="receipts")
    (made,) = sequences(TRACE, events=[read], audit=audit)
    assert made.title == "receipts/1@7"
    assert round(made.at, 6) == 42.4
    assert made.instance == 1  # whose step is the next


def test_the_steps_of_the_instance_that_was_hit_before_and_after() -> None:
    trace = [
        *TRACE,
        traced("Heartbeat", sent=50.1),
        traced("Metadata", sent=50.2),
        traced("Fetch(input)", sent=50.3),
        traced("Fetch(restore)", sent=50.4),
        traced("Produce(output)", sent=50.45, steps=("Produce(output)", "Produce(changelog)")),
        traced("Heartbeat", sent=50.5, action="drop-response", answered=None, error=0),
    ]
    trace.sort(key=lambda each: each.sent)
    (made,) = sequences(trace, events=[injected("hold-1", t=50.0)], audit=samples.audit_report())
    before = [step for step in made.steps if step.sent < 50.0]
    assert [step.sent for step in before] == [30.0 + 2 * n for n in range(10)]
    assert [(step.step, step.action) for step in made.steps if 50 <= step.sent < 51] == [
        ("EndTxn(commit)", None),
        ("Fetch(restore)", None),
        ("Produce(output, changelog)", None),
        ("Heartbeat", "drop-response"),
    ]
    assert len(made.steps) == 36
