"""An audit's report as text for people, and as one JSON object for scripts."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from eoscheck.audit.findings import AuditReport, Finding, TransactionStatistics, Verdict
from eoscheck.report.words import found

_STYLE = {Verdict.PASS: "bold green", Verdict.FAIL: "bold red", Verdict.UNKNOWN: "bold yellow"}
_INDENT = (0, 0, 0, 2)
_OFFSETS_SHOWN = 5
_FINDINGS_SHOWN = 20


def as_json(report: AuditReport, *, repeat: str) -> str:
    """docs/audit-json.md. `repeat` is the command that makes the same audit again."""
    content = {**msgspec.to_builtins(report), "repeat": repeat}
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode()


def print_report(report: AuditReport, *, repeat: str, console: Console) -> None:
    """Verdict first, then counts, findings, what is unknown, hazards, and the command."""
    console.print(_headline(report), soft_wrap=True)
    counts = ", ".join(
        f"{number:,} {name.replace('_', ' ')}" for name, number in report.counts.items() if number
    )
    console.print(Padding(Text(f"{counts or 'no records'} ({report.duration_s:.1f} s)"), _INDENT))
    for said in (*report.scope, *map(_transactions, report.transactions)):
        if said:
            console.print(Text(f"  {said}", style="dim"), soft_wrap=True)
    if report.findings:
        console.print(Padding(_table(report.findings[:_FINDINGS_SHOWN]), _INDENT))
        total = sum(report.anomalies.values()) + sum(report.allowed.values())
        shown = min(len(report.findings), _FINDINGS_SHOWN)
        if total > shown:
            more = f"and {total - shown:,} more: --format json lists "
            more += f"the first {len(report.findings):,}"
            console.print(Padding(Text(more, style="dim"), _INDENT))
    for unknown in report.unknowns:
        line = Text.assemble(("not judged  ", "yellow"), f"{unknown.subject}: {unknown.reason}")
        console.print(Padding(line, _INDENT))
    for hazard in report.hazards:
        line = Text.assemble(("hazard  ", "yellow"), f"{hazard.code}: {hazard.detail}")
        console.print(Padding(line, _INDENT))
    console.print(Text(f"repeat: {repeat}", style="dim"), soft_wrap=True)


def print_story(lines: Sequence[str], *, console: Console) -> None:
    """What `--explain` tells: the first line is what matters."""
    for number, line in enumerate(lines):
        console.print(Text(line, style="" if number else "bold"), soft_wrap=True)


def _transactions(found: TransactionStatistics) -> str:
    """Empty where there were none."""
    if not (found.committed or found.aborted or found.open):
        return ""
    open_ones = f", {found.open:,} open" if found.open else ""
    size, duration = found.size, found.duration_ms
    ended = (
        f"; {size['p50']:,.0f} records (p99 {size['p99']:,.0f}), "
        f"{duration['p50']:,.0f} ms (p99 {duration['p99']:,.0f} ms)"
        if size and duration
        else ""
    )
    lag = f"; the last stable offset lags by {found.lso_lag:,}" if found.lso_lag else ""
    return (
        f"{found.topic}: {found.committed:,} transactions committed, {found.aborted:,} aborted"
        f"{open_ones}, counted by partition{ended}{lag}"
    )


def _headline(report: AuditReport) -> Text:
    of = report.output if report.input is None else f"{report.output} from {report.input}"
    line = Text.assemble((report.verdict.value, _STYLE[report.verdict]), f"  {of}: ")
    if report.anomalies:
        line.append(f"not {report.expect.value}: {found(report.anomalies)}")
    elif report.verdict is Verdict.FAIL:
        line.append(f"{report.expect.value} held by luck: {len(report.hazards)} hazards (--strict)")
    elif report.verdict is Verdict.PASS:
        line.append(f"{report.expect.value} held")
    else:
        line.append(f"nothing found, but not everything could be judged as {report.expect.value}")
    if report.allowed:
        line.append(f" ({found(report.allowed)} allowed)")
    return line


def _table(findings: list[Finding]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("code", "where", "identity", "what"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "code")
    for finding in findings:
        code = Text(finding.code.value, style="dim" if finding.allowed else "")
        identity = "" if finding.identity is None else str(finding.identity)
        # As Text: a record's content is not markup.
        table.add_row(code, Text(_where(finding)), Text(identity), Text(finding.detail))
    return table


def _where(finding: Finding) -> str:
    if finding.partition < 0:
        return finding.topic
    place = f"{finding.topic}-{finding.partition}"
    if not finding.offsets:
        return place
    shown = ",".join(map(str, finding.offsets[:_OFFSETS_SHOWN]))
    more = ",..." if len(finding.offsets) > _OFFSETS_SHOWN else ""
    return f"{place}@{shown}{more}"
