"""The result as JUnit XML, for a CI that shows tests: a test case for each run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from eoscheck.audit.findings import Finding, Verdict
from eoscheck.report.words import expectation, first_of_each_code, place_of, run_headline
from eoscheck.run.result import DemoResult, RunResult

_OF_EACH_CODE = 10
"""The others stand in the report."""
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""https://www.w3.org/TR/xml/#charsets: a record may hold anything, a document may not."""


def to_junit(result: DemoResult) -> str:
    """A failure where the guarantee did not hold, an error where nobody can say; of several runs,
    where one did not come out as its scenario says it must."""
    several = len(result.runs) > 1
    outcomes = [_outcome(run, several=several) for run in result.runs]
    suites = ElementTree.Element("testsuites", name=_text(result.title))
    suite = ElementTree.SubElement(
        suites,
        "testsuite",
        name=_text(result.title),
        tests=str(len(result.runs)),
        failures=str(outcomes.count("failure")),
        errors=str(outcomes.count("error")),
        skipped="0",
        timestamp=result.generated_at,
        time=f"{sum(run.figures.duration_s for run in result.runs):.3f}",
    )
    for run, outcome in zip(result.runs, outcomes, strict=True):
        _case(suite, run, outcome)
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _outcome(run: RunResult, *, several: bool) -> str:
    """`failure`, `error`, or empty."""
    if run.verdict is Verdict.UNKNOWN:
        return "" if several and run.as_expected else "error"
    passed = run.as_expected if several else run.verdict is Verdict.PASS
    return "" if passed else "failure"


def _case(suite: ElementTree.Element, run: RunResult, outcome: str) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        classname=_text(f"eoscheck.{run.scenario}"),
        name=_text(run.title),
        time=f"{run.figures.duration_s:.3f}",
    )
    properties = ElementTree.SubElement(case, "properties")
    for name, value in _properties(run):
        ElementTree.SubElement(properties, "property", name=name, value=_text(value))
    if outcome:
        wanted = expectation(run)
        message = run_headline(run) + (f" ({wanted})" if wanted else "")
        told = ElementTree.SubElement(case, outcome, message=_text(message), type=run.verdict.value)
        told.text = _text("\n".join(_lines(run)))


def _properties(run: RunResult) -> Sequence[tuple[str, str]]:
    counts, tally = run.figures.counts, run.tally
    recovered = run.figures.recovery.recovered
    properties = [
        ("verdict", run.verdict.value),
        ("guarantee", run.guarantee.value),
        ("seed", str(run.seed)),
        ("repeat", run.repeat),
        ("folder", run.folder),
        ("sent", str(counts.sent)),
        ("acknowledged", str(counts.acknowledged)),
        ("faults", f"{tally.injected} of {tally.planned}"),
    ]
    if recovered is not None and recovered.p50.value is not None:
        properties.append(("recovery_p50_s", f"{recovered.p50.value:.3f}"))
    return properties


def _lines(run: RunResult) -> list[str]:
    findings = [each for each in run.audit.findings if not each.allowed]
    shown = first_of_each_code(findings, most=_OF_EACH_CODE)
    lines = [*run.reasons, *map(_line, shown)]
    if len(findings) > len(shown):
        lines.append(f"... and {len(findings) - len(shown)} more in the report")
    return [*lines, f"repeat: {run.repeat}"]


def _line(finding: Finding) -> str:
    offsets = ", ".join(map(str, finding.offsets[:5]))
    where = f"{place_of(finding)} @ {offsets}" if offsets else place_of(finding)
    who = "" if finding.identity is None else f" identity {finding.identity}"
    return f"{finding.code.value} {where}{who}: {finding.detail}"


def _text(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
