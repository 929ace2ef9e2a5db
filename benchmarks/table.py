"""The figures as a table in the terminal, and as one in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.figures import Row, Section
from eoscheck.measure.figures import Estimate

COLUMNS = ("what", "figure", "beside it", "ratio [95 %]", "target", "verdict")


def print_table(console: Console, sections: Sequence[Section]) -> None:
    table = Table(title="Benchmarks", title_justify="left", show_lines=False)
    for column in COLUMNS:
        table.add_column(column, justify="right" if column == "figure" else "left")
    for section in sections:
        table.add_section()
        table.add_row(f"[bold]{section.name}[/bold]")
        for row in section.rows:
            table.add_row(*cells(row))
    console.print(table)


def markdown_table(section: Section) -> list[str]:
    lines = [f"| {' | '.join(COLUMNS)} |", "|---|--:|---|---|---|---|"]
    return lines + [f"| {' | '.join(cells(row))} |" for row in section.rows]


def cells(row: Row) -> tuple[str, ...]:
    figure = f"{number(row.value)} {row.unit}"
    if row.interval is not None:
        figure += f" {_interval(row.interval)}"
    beside = f"{row.beside} {number(row.other)}" if row.other is not None else ""
    ratio = ""
    if row.ratio is not None:
        ratio = f"{row.ratio.value:.2f} {_interval(row.ratio)}"
    return (row.what, figure, beside, ratio.strip(), row.target, row.verdict)


def number(value: float) -> str:
    """Three digits or so: more would say more than was measured."""
    size = abs(value)
    if size >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.2f}"


def _interval(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    return f"[{estimate.low:.2f} – {estimate.high:.2f}]"
