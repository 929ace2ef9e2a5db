"""Builders: exchanges as the wire tells them, outcomes of cells, audits."""

from __future__ import annotations

from typing import Any

from eoscheck.audit.findings import AuditReport, Code, Finding, Guarantee, Verdict
from eoscheck.explore.crashpoints.cells import Cell, parse_cell
from eoscheck.explore.crashpoints.outcome import Outcome
from eoscheck.wire import Exchange, Firing, Request, Rule


def request(step: str) -> Request:
    api = step.partition("(")[0]
    return Request(api=api, api_key=0, api_version=1, correlation_id=7, client_id="app-0", size=40)


def exchange(step: str, *, instance: int = 0, sent: float = 1.0, **other: Any) -> Exchange:
    fields: dict[str, Any] = {"outcome": "answered", "error": 0, **other}
    return Exchange(
        sent=sent,
        answered=sent,
        instance=instance,
        broker=1,
        connection=1,
        steps=(step,),
        request=request(step),
        **fields,
    )


def outcome(name: str, *, fired: bool = True, over: bool = True, **other: Any) -> Outcome:
    cell = parse_cell(name)
    return Outcome(
        cell=cell,
        instance=0,
        nth=1,
        began=0.0,
        firing=firing(cell) if fired else None,
        over=over,
        **other,
    )


def firing(cell: Cell, *, instance: int = 0, t: float = 1.0) -> Firing:
    return Firing(
        t=t,
        rule=Rule(step=cell.step, action=cell.action, instance=instance),
        step=cell.step,
        instance=instance,
        broker=1,
        request=request(cell.step),
    )


def report(*, during: str | None = None, **anomalies: int) -> AuditReport:
    """An audit that found so many of each code, the first during that cell."""
    codes = {Code(code): count for code, count in anomalies.items()}
    evidence: dict[str, Any] = {} if during is None else {"fault": {"fault_id": during}}
    return AuditReport(
        verdict=Verdict.FAIL if codes else Verdict.PASS,
        expect=Guarantee.EXACTLY_ONCE,
        output="receipts",
        input="payments",
        counts={},
        anomalies=codes,
        allowed={},
        hazards=[],
        findings=[
            Finding(
                code=code,
                topic="receipts",
                partition=0,
                offsets=[3],
                identity=9,
                detail="came out twice",
                evidence=evidence,
            )
            for code in codes
        ],
        unknowns=[],
        duration_s=0.1,
    )
