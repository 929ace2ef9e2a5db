"""What a user sees of an audit."""

from __future__ import annotations

import io
import json

from rich.console import Console

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
from eoscheck.cli.audit_progress import AuditProgress
from eoscheck.cli.audit_text import as_json, print_report

REPEAT = "eoscheck audit --topic receipts"


def report(**changes: object) -> AuditReport:
    content: dict[str, object] = {
        "verdict": Verdict.PASS,
        "expect": Guarantee.EXACTLY_ONCE,
        "output": "receipts",
        "input": "payments",
        "counts": {"output_records": 1234, "missing_outputs": 0},
        "anomalies": {},
        "allowed": {},
        "hazards": [],
        "findings": [],
        "unknowns": [],
        "duration_s": 1.25,
        **changes,
    }
    return AuditReport(**content)  # type: ignore[arg-type]


def finding(offset: int = 5, identity: object = "[red]x[/red]") -> Finding:
    return Finding(
        code=Code.DUPLICATE,
        topic="receipts",
        partition=1,
        offsets=[offset, offset + 1],
        identity=identity,  # type: ignore[arg-type]
        detail="committed 2 times, expected once",
    )


def text(shown: AuditReport) -> str:
    stream = io.StringIO()
    print_report(shown, repeat=REPEAT, console=Console(file=stream, width=120))
    return stream.getvalue()


def test_the_verdict_comes_first_and_the_command_last() -> None:
    lines = text(report()).splitlines()
    assert lines[0] == "pass  receipts from payments: exactly-once held"
    assert lines[1].strip() == "1,234 output records (1.2 s)"
    assert lines[-1] == f"repeat: {REPEAT}"


def test_findings_are_shown_as_they_are_and_counted_where_they_are_many() -> None:
    many = report(
        verdict=Verdict.FAIL,
        anomalies={Code.DUPLICATE: 200},
        findings=[finding(2 * number) for number in range(100)],
    )
    shown = text(many)
    assert "fail  receipts from payments: not exactly-once: 200 × DUPLICATE" in shown
    assert "receipts-1@0,1" in shown
    assert "[red]x[/red]" in shown  # a record's content is not markup
    assert "and 180 more: --format json lists the first 100" in shown


def test_what_is_unknown_allowed_or_only_lucky_is_said() -> None:
    shown = text(
        report(
            verdict=Verdict.UNKNOWN,
            expect=Guarantee.AT_LEAST_ONCE,
            allowed={Code.DUPLICATE: 3},
            unknowns=[Unknown(subject="receipts-0", reason="an open transaction")],
            hazards=[Hazard(code=HazardCode.NOT_TRANSACTIONAL, detail="outside a transaction")],
        )
    )
    assert "nothing found, but not everything could be judged as at-least-once" in shown
    assert "(3 × DUPLICATE allowed)" in shown
    assert "not judged  receipts-0: an open transaction" in shown
    assert "hazard  NOT_TRANSACTIONAL: outside a transaction" in shown


def test_json_is_one_object_with_what_scripts_rely_on() -> None:
    content = json.loads(as_json(report(findings=[finding(identity=17)]), repeat=REPEAT))
    assert {"verdict", "counts", "hazards", "findings", "unknowns", "repeat"} <= set(content)
    assert content["verdict"] == "pass"
    assert content["findings"][0] == {
        "code": "DUPLICATE",
        "topic": "receipts",
        "partition": 1,
        "offsets": [5, 6],
        "identity": 17,
        "detail": "committed 2 times, expected once",
        "evidence": {},
        "allowed": False,
    }


def progress(*times: float, terminal: bool = False) -> str:
    clock = iter([0.0, *times])
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=100)
    with AuditProgress(console, clock=lambda: next(clock)) as shown:
        for done, _time in enumerate(times):
            shown("reading receipts", done * 1000, 9000)
    return stream.getvalue()


def test_a_quick_audit_shows_no_progress_and_a_long_one_a_line_now_and_then() -> None:
    assert progress(0.5, 1.0, 1.9) == ""
    assert progress(1.0, 2.5, 3.0, 8.0).splitlines() == [
        "reading receipts: 1,000 of 9,000",
        "reading receipts: 3,000 of 9,000",
    ]
    assert "reading receipts" in progress(3.0, terminal=True)
