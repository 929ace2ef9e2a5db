"""The tool's own exam as a page, a table for the terminal, and one JSON object."""

from __future__ import annotations

import msgspec
from rich.table import Table
from rich.text import Text

from eoscheck.explore.own_exam.control import Shown
from eoscheck.explore.own_exam.plan import Means
from eoscheck.explore.own_exam.summary import Row, Summary

_TITLES = {
    Means.KILLS: "random kills",
    Means.CATALOGUE: "its scenario",
    Means.CRASHPOINTS: "crash points",
}
_MARKS = {Shown.GREEN: "✓", Shown.NOT_GREEN: "✗ not shown", Shown.MISSING: "?"}
_LEGEND = (
    "✓ the same command without the bug is green; ✗ it is not: nothing is shown, and it does not "
    "count; ? that was not tried"
)


def power_json(summary: Summary, *, repeat: str) -> str:
    """docs/power.md's figures; `repeat` is the command that goes on with the same exam."""
    content = {**msgspec.to_builtins(summary), "repeat": repeat}
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode()


def power_table(summary: Summary) -> Table:
    """A line for each bug: what caught it, with which code, and how soon."""
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for column in ("bug", *_TITLES.values()):
        table.add_column(column, overflow="fold")
    for bug in summary.bugs:
        table.add_row(bug, *(_cell(summary.row(bug, means)) for means in Means))
    return table


def power_lines(summary: Summary) -> list[str]:
    """The figures in words."""
    lines = []
    for means, title in _TITLES.items():
        tried = summary.tried[means]
        if tried:
            lines.append(
                f"{title}: {summary.caught[means]} of {tried} caught, "
                f"{summary.within_budget[means]} of them within {summary.budget_s:g} s"
                + _median(summary, means)
                + _controlled(summary, means)
            )
    both = summary.paired
    if both.bugs:
        lines.append(
            f"of the {both.bugs} bugs that both were tried on, within {summary.budget_s:g} s each: "
            f"random kills caught {both.kills}, crash points {both.crashpoints}"
        )
    certain = len(summary.bugs) - len(summary.not_caught)
    lines.append(f"by a scenario or a crash point: {certain} of {len(summary.bugs)}")
    if summary.not_caught:
        lines.append(f"by neither: {', '.join(summary.not_caught)}")
    loads = summary.loads
    if loads is not None:
        lines.append(
            f"load average of the machine: {loads.lowest:g} to {loads.highest:g}, median "
            f"{loads.median:g} (kept of {loads.entries} attempts and controls)"
        )
    return [*lines, _LEGEND]


def power_page(summary: Summary) -> str:
    """The measured part of docs/power.md, in Markdown."""
    lines = [f"- {line}" for line in power_lines(summary)]
    lines += ["", "| bug | random kills | its scenario | crash points |", "|---|---|---|---|"]
    for bug in summary.bugs:
        cells = [_markdown(summary.row(bug, means)) for means in Means]
        lines.append(f"| `{bug}` | {' | '.join(cells)} |")
    lines += ["", "How each is caught, again:", ""]
    for bug in summary.bugs:
        caught = [row for means in Means if (row := summary.row(bug, means)) and row.shown]
        certain = [row for row in caught if row.means is not Means.KILLS] or caught
        if certain:
            lines.append(f"- **{bug}**: `{certain[0].repeat}`")
    return "\n".join([*lines, ""])


def _median(summary: Summary, means: Means) -> str:
    found = summary.median_s.get(means)
    return "" if found is None else f", median time to find {found:g} s"


def _controlled(summary: Summary, means: Means) -> str:
    counts = summary.controls[means]
    told = {"green": counts.green, "not green": counts.not_green, "not tried": counts.missing}
    said = ", ".join(f"{count} {what}" for what, count in told.items() if count)
    return f"; the same without the bug: {said}" if said else ""


def _cell(row: Row | None) -> Text:
    if row is None:
        return Text("-", style="dim")
    if not row.caught:
        return Text(_not_caught(row), style="yellow")
    said = f"{', '.join(row.codes)}\n{row.fault}, {row.seconds:.0f} s {_mark(row)}"
    return Text(said, style="green" if row.shown else "red")


def _markdown(row: Row | None) -> str:
    if row is None:
        return "–"
    if not row.caught:
        return _not_caught(row)
    codes = ", ".join(f"`{code}`" for code in row.codes)
    return f"{codes}: {row.fault}, {row.seconds:.0f} s {_mark(row)}"


def _mark(row: Row) -> str:
    return "" if row.control is None else _MARKS[row.control]


def _not_caught(row: Row) -> str:
    problem = row.problem.replace("|", "\\|")
    return f"not in {row.seconds:.0f} s" + (f" ({problem})" if problem else "")
