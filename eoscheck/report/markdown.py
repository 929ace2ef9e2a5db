"""The result as Markdown, for the summary of a CI's job or a comment: it fits a screen."""

from __future__ import annotations

import re

from eoscheck.audit.findings import Finding, Verdict
from eoscheck.report import numbers
from eoscheck.report.words import (
    committed,
    cost_line,
    expectation,
    first_of_each_code,
    further_reasons,
    headline,
    lost_and_duplicated,
    overall,
    place_of,
    run_headline,
)
from eoscheck.run.result import DemoResult, RunResult

_MARKS = {Verdict.PASS: "✅", Verdict.FAIL: "❌", Verdict.UNKNOWN: "❔"}
_OF_EACH_CODE = 5
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|#&~$])")
_HEADER = (
    "| run | verdict | sent | committed | lost | duplicated | faults | recovery p50 / max "
    "| caught up p50 / max | latency p50 / p99 |\n"
    "|---|---|--:|--:|--:|--:|--:|--:|--:|--:|"
)


def to_markdown(result: DemoResult) -> str:
    """The verdict, a row for each run, the first findings, and the command that does it again."""
    parts = [f"## {_MARKS[overall(result)]} {_text(headline(result))}", _text(result.title)]
    parts.append("\n".join([_HEADER, *(_row(run) for run in result.runs)]))
    if result.cost is not None:
        parts.append(f"{_text(cost_line(result.cost).capitalize())}.")
    for run in result.runs:
        parts += _told(run)
    parts.append(f"Repeat: {_code(result.repeat)}")
    return "\n\n".join(parts) + "\n"


def _row(run: RunResult) -> str:
    lost, duplicated = lost_and_duplicated(run.audit)
    wanted = expectation(run)
    latency = run.figures.latency.overall
    cells = [
        _text(run.title),
        f"{_MARKS[run.verdict]} {run.verdict.value}" + (f" ({_text(wanted)})" if wanted else ""),
        numbers.count(run.figures.counts.sent),
        numbers.count(committed(run)),
        numbers.count(lost),
        numbers.count(duplicated),
        f"{run.tally.injected} of {run.tally.planned}",
        numbers.spread(run.figures.recovery.recovered),
        numbers.spread(run.figures.recovery.caught_up),
        numbers.NONE
        if latency is None
        else f"{numbers.duration(latency.p50)} / {numbers.duration(latency.p99)}",
    ]
    return f"| {' | '.join(cells)} |"


def _told(run: RunResult) -> list[str]:
    """What a run that is no plain pass has to say."""
    if run.verdict is Verdict.PASS:
        return []
    found = [each for each in run.audit.findings if not each.allowed]
    findings = first_of_each_code(found, most=_OF_EACH_CODE)
    lines = [f"- {_text(reason)}" for reason in further_reasons(run)]
    lines += [_line(each) for each in findings]
    total = sum(run.audit.anomalies.values())
    if total > len(findings):
        lines.append(f"- … {numbers.count(total)} in all")
    told = [f"### {_text(run.title)}", f"{_text(run_headline(run))}."]
    return [*told, "\n".join(lines)] if lines else told


def _line(finding: Finding) -> str:
    offsets = ", ".join(map(str, finding.offsets[:5]))
    where = f"{place_of(finding)} @ {offsets}" if offsets else place_of(finding)
    who = "" if finding.identity is None else f", identity {_text(str(finding.identity))}"
    return f"- **{_text(finding.code.value)}** {_text(where)}{who}: {_text(finding.detail)}"


def _text(text: str) -> str:
    """What a record holds is no markup, and one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _code(text: str) -> str:
    """Fenced by more backticks than are in it."""
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    return f"{fence} {text} {fence}" if "`" in text else f"{fence}{text}{fence}"
