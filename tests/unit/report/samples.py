"""Results that look like a demo's, made from simulated histories: nothing here was measured."""

from __future__ import annotations

from functools import cache

import msgspec

from eoscheck.audit.findings import (
    AuditReport,
    Code,
    Finding,
    Guarantee,
    Hazard,
    HazardCode,
    Unknown,
    Verdict,
)
from eoscheck.history import Event, FaultInjected
from eoscheck.measure import CostFigure, Drain, cost_from_drains, from_history
from eoscheck.measure.figures import Recovery
from eoscheck.run.expectation import Expectation
from eoscheck.run.result import DemoResult, FaultTally, RunResult
from tests.unit.measure.histories import Simulation

HOSTILE = '</script><script>alert("1 & 2")</script>'

EVIDENCE = {
    "transactional_id": "payments-7f3a-0",
    "producer_id": 4001,
    "producer_epoch": 3,
    "base_sequence": 120,
    "inputs": [
        {
            "at": "payments-bug-offsets-before-outputs-20260102-030405-678-0@1095",
            "time": "2026-01-02T03:04:11.378+00:00",
            "producer_id": 19,
            "epoch": 0,
            "base_sequence": 1063,
            "transactional_id": "eoscheck-load-bug-offsets-before-outputs-20260102-030405-678",
            "batches": {
                "before": {
                    "offsets": [1094, 1094],
                    "producer_id": 19,
                    "epoch": 0,
                    "marker": "commit",
                },
                "of": {
                    "offsets": [1095, 1096],
                    "records": 2,
                    "transactional": True,
                    "producer_id": 19,
                    "epoch": 0,
                    "base_sequence": 1063,
                },
                "after": {"offsets": [1097, 1097], "records": 1, "producer_id": -1, "epoch": -1},
            },
            "transaction": {
                "first_offset": 1095,
                "outcome": "committed",
                "marker_offset": 1124,
                "marker_epoch": 0,
                "duration_ms": 106,
            },
        }
    ],
    "fault": {
        "fault_id": "f1",
        "kind": "kill",
        "instance": 1,
        "target": "instance 1",
        "injected_s": 6.314,
        "healed_s": 8.18,
        "under_way": True,
    },
}

HAZARD = Hazard(
    code=HazardCode.OFFSETS_OUTSIDE_TRANSACTION,
    detail="Members have-committed-offsets-without-a-transaction-of-bug-offsets-before-outputs-0",
    topic="payments-bug-offsets-before-outputs-20260102-030405-678",
)


def audit_report(
    *,
    verdict: Verdict = Verdict.PASS,
    expect: Guarantee = Guarantee.EXACTLY_ONCE,
    anomalies: dict[Code, int] | None = None,
    allowed: dict[Code, int] | None = None,
    findings: list[Finding] | None = None,
    unknowns: list[Unknown] | None = None,
    outputs: int = 8000,
    hazards: list[Hazard] | None = None,
) -> AuditReport:
    return AuditReport(
        verdict=verdict,
        expect=expect,
        output="receipts",
        input="payments",
        counts={"input_records": 8100, "output_records": outputs, "identities": 8000},
        anomalies=anomalies or {},
        allowed=allowed or {},
        hazards=hazards or [],
        findings=findings or [],
        unknowns=unknowns or [],
        duration_s=1.25,
    )


def finding(
    code: Code, number: int, *, allowed: bool = False, identity: int | str | None = None
) -> Finding:
    first = 1200 + number
    return Finding(
        code=code,
        topic="receipts" if code is not Code.LOST else "payments",
        partition=number % 4,
        offsets=[first, first + 41] if code is Code.DUPLICATE else [first],
        identity=2000 + number if identity is None else identity,
        detail={
            Code.DUPLICATE: "one input, 2 committed outputs",
            Code.LOST: "below the group's committed offset, no committed output",
        }.get(code, "wrong"),
        evidence=EVIDENCE,
        allowed=allowed,
    )


def run_result(
    simulation: Simulation,
    *,
    title: str,
    audit: AuditReport,
    verdict: Verdict | None = None,
    reasons: list[str] | None = None,
    expected: Expectation | None = None,
    events: list[Event] | None = None,
) -> RunResult:
    history = simulation.run() if events is None else events
    faults = [event for event in history if isinstance(event, FaultInjected)]
    expected = expected or Expectation()
    verdict = verdict or audit.verdict
    return RunResult(
        run_id=f"{simulation.scenario}-{simulation.seed}",
        scenario=simulation.scenario,
        title=title,
        guarantee=audit.expect,
        seed=simulation.seed,
        started_at="2026-01-02T03:04:05+00:00",
        verdict=verdict,
        reasons=reasons or [],
        expected=expected,
        as_expected=verdict is expected.verdict,
        audit=audit,
        figures=from_history(history),
        tally=FaultTally(
            planned=len(faults),
            injected=len(faults),
            missed=0,
            left_open=sum(bool(fault.open_transactions) for fault in faults),
            outlasted_session=sum(fault.outlasts_session for fault in faults),
            wiped=sum(fault.wiped for fault in faults),
        ),
        environment={
            "eoscheck": "0.1.0",
            "cluster": "Apache Kafka 4.3.1, embedded, 1 broker",
            "python": "3.11.7",
            "cpus": "2",
        },
        repeat=f"eoscheck run {simulation.scenario} --seed {simulation.seed}",
        folder=f"reports/{simulation.scenario}-{simulation.seed}",
    )


@cache
def passing(seed: int = 1) -> RunResult:
    return run_result(
        Simulation(seed=seed), title="Kills under exactly-once", audit=audit_report(outputs=8392)
    )


@cache
def with_duplicates(seed: int = 1) -> RunResult:
    simulation = Simulation(seed=seed, duplicates=True, scenario="kill-at-least-once")
    copies = from_history(simulation.run()).counts.reprocessed
    return run_result(
        Simulation(seed=seed, duplicates=True, scenario="kill-at-least-once"),
        title="Kills under at-least-once",
        audit=audit_report(
            expect=Guarantee.AT_LEAST_ONCE,
            allowed={Code.DUPLICATE: copies},
            findings=[finding(Code.DUPLICATE, i, allowed=True) for i in range(min(copies, 100))],
            outputs=8392 + copies,
        ),
    )


@cache
def broken(seed: int = 1) -> RunResult:
    simulation = Simulation(
        seed=seed, duration_s=16.0, kills=4, losses=37, scenario="bug-offsets-before-outputs"
    )
    lost = [finding(Code.LOST, 0, identity=HOSTILE)]
    lost += [finding(Code.LOST, i) for i in range(1, 37)]
    return run_result(
        simulation,
        title="A bug on purpose: offsets committed before outputs",
        audit=audit_report(
            verdict=Verdict.FAIL,
            anomalies={Code.LOST: 37, Code.WRONG_RESULT: 3},
            findings=[*lost, *(finding(Code.WRONG_RESULT, i) for i in range(3))],
            outputs=5123,
            hazards=[HAZARD],
        ),
        reasons=["37 × LOST", "3 × WRONG_RESULT"],
        expected=Expectation(verdict=Verdict.FAIL, codes=[Code.LOST]),
    )


@cache
def undecided(seed: int = 1) -> RunResult:
    reason = "receipts-2: an open transaction outlasted the bounded wait of 30 s"
    return run_result(
        Simulation(seed=seed, duration_s=12.0, kills=2),
        title="Kills under exactly-once",
        audit=audit_report(
            verdict=Verdict.UNKNOWN,
            unknowns=[Unknown(subject="receipts-2", reason="an open transaction outlasted 30 s")],
        ),
        reasons=[reason, "1 of 3 faults did not bite: the process was gone already"],
    )


@cache
def cost() -> CostFigure:
    rates = [91_200, 104_800, 103_100, 92_400, 90_700, 101_900, 106_300, 93_800]
    labels = ["exactly-once", "at-least-once", "at-least-once", "exactly-once"] * 2
    return cost_from_drains(
        [
            Drain(label=label, seconds=200_000 / rate, records=200_000, cpu_s=9.6e5 / rate)
            for label, rate in zip(labels, rates, strict=True)
        ]
    )


@cache
def demo(seed: int = 1) -> DemoResult:
    return DemoResult(
        title="eoscheck demo",
        runs=[passing(seed), with_duplicates(seed), broken(seed)],
        cost=cost(),
        repeat=f"eoscheck demo --seed {seed} --duration 20s",
        generated_at="2026-01-02T03:07:05+00:00",
    )


def of(run: RunResult) -> DemoResult:
    return DemoResult(
        title=run.title, runs=[run], cost=None, repeat=run.repeat, generated_at=run.started_at
    )


def changed(run: RunResult, **changes: object) -> RunResult:
    return msgspec.structs.replace(run, **changes)


def changed_recovery(recovery: Recovery, **changes: object) -> Recovery:
    return msgspec.structs.replace(recovery, **changes)


def changed_tally(tally: FaultTally, **changes: object) -> FaultTally:
    return msgspec.structs.replace(tally, **changes)
