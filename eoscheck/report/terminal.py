"""A result on a terminal: verdicts first, then figures, then what was found."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from eoscheck.audit.findings import Finding, Verdict
from eoscheck.measure.figures import CostFigure, LatencyFigure, Outage
from eoscheck.report import numbers
from eoscheck.report.words import (
    committed,
    cost_line,
    expectation,
    first_of_each_code,
    further_reasons,
    headline,
    lost_and_duplicated,
    place_of,
    run_headline,
)
from eoscheck.run.result import DemoResult, RunResult

_MARKS = {
    Verdict.PASS: ("✓ pass", "bold green"),
    Verdict.FAIL: ("✗ fail", "bold red"),
    Verdict.UNKNOWN: ("? unknown", "bold yellow"),
}
_INDENT = 10
_SIDE_BY_SIDE = 4
"""Runs whose figures fit beside each other; more of them are a line each."""


def print_demo(demo: DemoResult, *, console: Console | None = None) -> None:
    """Each run, their figures side by side, and the cost if it was measured. `console`: rich's,
    standard output by default."""
    console = console or Console()
    for run in demo.runs:
        console.print(_verdict_line(run), soft_wrap=True)
        _print_details(run, console)
    side_by_side = len(demo.runs) <= _SIDE_BY_SIDE
    console.print(_figures(demo.runs) if side_by_side else _one_line_each(demo.runs))
    if demo.cost is not None:
        console.print(Text(_cost(demo.cost)), soft_wrap=True)
    if len(demo.runs) > 1:
        console.print(Text(headline(demo), style="bold"))
    console.print(Text(f"repeat: {demo.repeat}", style="dim"), soft_wrap=True)


def _cost(cost: CostFigure) -> str:
    rates = " against ".join(
        numbers.rate(side.records_per_s) for side in (cost.measured, cost.baseline)
    )
    return f"{cost_line(cost)}: {rates}, {numbers.plural(cost.pairs, 'pair')} of drains"


def _verdict_line(run: RunResult) -> Text:
    mark, style = _MARKS[run.verdict]
    line = Text.assemble(
        (f"{mark:<{_INDENT}}", style), (run.title, "bold"), f": {run_headline(run)}"
    )
    if run.expected.verdict is not Verdict.PASS or not run.as_expected:
        line.append(
            f" ({expectation(run)})"
            if run.as_expected
            else f" (must be: {run.expected.verdict.value})",
            style="green" if run.as_expected else "bold red",
        )
    return line


def _print_details(run: RunResult, console: Console) -> None:
    for reason in further_reasons(run):
        console.print(Text(f"{' ' * _INDENT}{reason}", style="dim"), soft_wrap=True)
    unexpected = [finding for finding in run.audit.findings if not finding.allowed]
    if unexpected:
        shown = first_of_each_code(unexpected)
        for finding in shown:
            console.print(_finding(finding), soft_wrap=True)
        more = sum(run.audit.anomalies.values()) - len(shown)
        if more > 0:
            console.print(Text(f"{' ' * _INDENT}and {more:,} more", style="dim"))


def _finding(finding: Finding) -> Text:
    """Two lines, never broken: names and offsets are there to be copied."""
    offsets = ", ".join(str(offset) for offset in finding.offsets[:3])
    line = Text.assemble(
        " " * _INDENT,
        (f"{finding.code.value} ", "bold"),
        place_of(finding),
        f" @ {offsets}" if offsets else "",
    )
    if finding.identity is not None:
        line.append(f"  identity {finding.identity}")
    return line.append(f"\n{' ' * _INDENT}  {finding.detail}", style="dim")


def _figures(runs: Sequence[RunResult]) -> Table:
    table = Table(
        box=None, header_style="dim", pad_edge=False, padding=(0, 2), title_justify="left"
    )
    table.add_column("", style="dim")
    for run in runs:
        table.add_column(escape(run.scenario), justify="right")
    for label, cell in _ROWS:
        table.add_row(label, *(cell(run) for run in runs))
    return table


def _one_line_each(runs: Sequence[RunResult]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2))
    table.add_column("scenario", no_wrap=True)
    for label in ("", "faults", "lost", "duplicated", "longest gap"):
        table.add_column(label, justify="right" if label else "left", no_wrap=True)
    table.add_column("recovery p50 / max", justify="right", no_wrap=True)
    table.add_column("caught up p50 / max", justify="right", no_wrap=True)
    for run in runs:
        mark, style = _MARKS[run.verdict]
        surprise = "" if run.as_expected else f" (must be: {run.expected.verdict.value})"
        lost, duplicated = lost_and_duplicated(run.audit)
        table.add_row(
            escape(run.scenario),
            Text(mark + surprise, style=style if run.verdict is Verdict.PASS or surprise else ""),
            _faults(run),
            numbers.count(lost),
            numbers.count(duplicated),
            _outage(run.figures.longest_outage),
            numbers.spread(run.figures.recovery.recovered),
            numbers.spread(run.figures.recovery.caught_up),
        )
    return table


def _faults(run: RunResult) -> str:
    return f"{run.tally.injected:,} of {run.tally.planned:,}"


def _kinds_of_faults(run: RunResult) -> str:
    tally = run.tally
    return f"{tally.left_open:,} / {tally.outlasted_session:,} / {tally.wiped:,}"


def _outage(longest: Outage | None) -> str:
    return numbers.NONE if longest is None else numbers.duration(longest.seconds)


def _tail(figure: LatencyFigure | None) -> str:
    if figure is None:
        return numbers.NONE
    return f"{numbers.duration(figure.p50)} / {numbers.duration(figure.p99)}"


_ROWS: list[tuple[str, Callable[[RunResult], str]]] = [
    ("sent", lambda run: numbers.count(run.figures.counts.sent)),
    ("acknowledged", lambda run: numbers.count(run.figures.counts.acknowledged)),
    ("aborted by the load", lambda run: numbers.count(run.figures.counts.aborted)),
    ("indeterminate", lambda run: numbers.count(run.figures.counts.indeterminate)),
    ("committed outputs", lambda run: numbers.count(committed(run))),
    ("lost", lambda run: numbers.count(lost_and_duplicated(run.audit)[0])),
    ("duplicated", lambda run: numbers.count(lost_and_duplicated(run.audit)[1])),
    ("faults that bit", _faults),
    ("open transaction / past session / wiped", _kinds_of_faults),
    ("recovery p50 / max", lambda run: numbers.spread(run.figures.recovery.recovered)),
    ("caught up p50 / max", lambda run: numbers.spread(run.figures.recovery.caught_up)),
    ("latency p50 / p99, steady", lambda run: _tail(run.figures.latency.steady)),
    ("latency p50 / p99, under faults", lambda run: _tail(run.figures.latency.faults)),
    ("longest gap while input waited", lambda run: _outage(run.figures.longest_outage)),
]
