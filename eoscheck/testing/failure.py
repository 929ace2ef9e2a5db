"""A run that did not come out as it must, told as an assertion is: what, where, why, and again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from eoscheck.audit.findings import AuditReport, Finding, Verdict
from eoscheck.measure.figures import Recovery
from eoscheck.report import evidence, numbers
from eoscheck.report.audited import audit_headline
from eoscheck.report.words import (
    MEANING,
    expectation,
    further_reasons,
    place_of,
    run_headline,
    struck_by,
)
from eoscheck.run.result import RunResult

_CODES_SHOWN = 4
_OF_EACH_SHOWN = 2
_OFFSETS_SHOWN = 3
_PLACES_SHOWN = 3
_FAULTS_SHOWN = 6
_EVIDENCE_SHOWN = 5
_FOR_THE_PAGE = ("batches", "base_sequence", "under_way", "target")


class EosFailure(AssertionError):  # noqa: N818 - what fails a test is an assertion
    """`result` is the run's, where there was one; `audit` what was found."""

    def __init__(self, message: str, *, audit: AuditReport, result: RunResult | None) -> None:
        super().__init__(message)
        self.audit = audit
        self.result = result


def run_failure(run: RunResult, *, report: Path) -> EosFailure:
    """`report` is where the page about it is going to be."""
    lines = [
        run_headline(run) + _wanted(run),
        f"  {run.title}, seed {run.seed}, on {run.environment.get('cluster', 'Kafka')}",
        *(f"  {reason}" for reason in further_reasons(run)),
        *_findings(run.audit),
        *_faults(run.figures.recoveries, planned=run.tally.planned),
        f"  repeat: {run.repeat}",
        f"  report: {report}",
    ]
    # Names of topics and groups have the run's id in them, which says nothing here.
    said = [line.replace(run.run_id, "…") for line in lines[:-2]] + lines[-2:]
    return EosFailure("\n".join(said), audit=run.audit, result=run)


def audit_failure(audit: AuditReport, *, repeat: str, page: Path) -> EosFailure:
    """Of topics that were audited by themselves; `page` is where the report is going to be."""
    lines = [
        audit_headline(audit),
        *(f"  {each.subject}: {each.reason}" for each in audit.unknowns),
        *_findings(audit),
        f"  repeat: {repeat}",
        f"  report: {page}",
    ]
    return EosFailure("\n".join(lines), audit=audit, result=None)


def _wanted(run: RunResult) -> str:
    if run.expected.verdict is Verdict.PASS:
        return ""
    return f" ({expectation(run)})"


def _findings(audit: AuditReport) -> Iterator[str]:
    """The first of each code, the catalogue's order, and how many are left."""
    unexpected = [each for each in audit.findings if not each.allowed]
    codes = list(dict.fromkeys(each.code for each in unexpected))
    for code in codes[:_CODES_SHOWN]:
        total = audit.anomalies.get(code, 0)
        yield f"  {code.value}: {MEANING[code]}"
        shown = [each for each in unexpected if each.code is code][:_OF_EACH_SHOWN]
        for finding in shown:
            yield from _finding(finding)
        if total > len(shown):
            yield f"    and {total - len(shown):,} more"
    if len(codes) > _CODES_SHOWN:
        yield f"  and of other codes: {', '.join(code.value for code in codes[_CODES_SHOWN:])}"


def _finding(finding: Finding) -> Iterator[str]:
    offsets = ", ".join(str(offset) for offset in finding.offsets[:_OFFSETS_SHOWN])
    where = place_of(finding) + (f" @ {offsets}" if offsets else "")
    who = "" if finding.identity is None else f", identity {finding.identity}"
    yield f"    {where}{who}: {finding.detail}"
    for name, value in list(finding.evidence.items())[:_EVIDENCE_SHOWN]:
        yield from _evidence(name, value)


def _evidence(name: str, value: Any) -> Iterator[str]:
    brief = _brief(value)
    for line in evidence.lines(brief)[:_PLACES_SHOWN]:
        yield f"      {evidence.label(name)}: {line}"


def _brief(value: Any) -> Any:
    """Without the batches around it and what else is for the page."""
    if isinstance(value, Mapping):
        return {
            key: inner.get("outcome", inner) if key == "transaction" else inner
            for key, inner in value.items()
            if key not in _FOR_THE_PAGE
        }
    if isinstance(value, list | tuple):
        return [_brief(each) for each in value]
    return value


def _faults(faults: Sequence[Recovery], *, planned: int) -> Iterator[str]:
    if not planned:
        yield "  faults: none"
    for fault in faults[:_FAULTS_SHOWN]:
        whom = struck_by(fault.kind, instance=fault.instance, target=fault.target)
        longer = ", past its session" if fault.outlasts_session else ""
        down = f" for {numbers.duration(fault.down_s)}" if fault.down_s else ""
        yield f"  fault at {fault.t:.1f} s: {whom}{down}{longer}"
    if len(faults) > _FAULTS_SHOWN:
        yield f"  and {len(faults) - _FAULTS_SHOWN} more faults"
