"""A crash point matrix as a heat map: on a terminal, as a page, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from eoscheck.audit.findings import Code, Verdict
from eoscheck.explore.crashpoints.result import MATRIX_FILE, CellResult, Colour, MatrixResult
from eoscheck.report import numbers
from eoscheck.report.html import inert_json, render_page, write_page
from eoscheck.report.words import found, place_of
from eoscheck.run.kept import read_kept

_MARKS: Mapping[Colour, tuple[str, str]] = {
    Colour.GREEN: ("✓", "green"),
    Colour.RED: ("✗", "bold red"),
    Colour.UNKNOWN: ("?", "bold yellow"),
    Colour.UNREACHED: ("·", "dim"),
}
_ROLLED_BACK = "↺"
_VERDICTS = {
    Verdict.PASS: ("✓ pass", "bold green"),
    Verdict.FAIL: ("✗ fail", "bold red"),
    Verdict.UNKNOWN: ("? unknown", "bold yellow"),
}
_SIDE_BY_SIDE = 6
"""Columns whose names fit above them; more of them are numbered."""
_LEGEND = "✓ green   ✗ red   ? not judged   · not reached   ↺ the app rolled back"


@dataclass(frozen=True, kw_only=True)
class Row:
    """`cells`: one for each column; None where the matrix has none there."""

    step: str
    occasion: str
    cells: Sequence[CellResult | None]


@dataclass(frozen=True, kw_only=True)
class HeatMap:
    """What both drawings show: the same cells in the same places."""

    columns: Sequence[str]
    rows: Sequence[Row]


def heat_map(result: MatrixResult) -> HeatMap:
    """Rows in the order of the protocol, as learned; columns in that of the cells."""
    columns = sorted({each.cell.column for each in result.cells}, key=_column_order)
    learned = {each.step: each.occasion.value for each in result.steps}
    steps = [*learned, *sorted({each.cell.step for each in result.cells} - learned.keys())]
    by_place = {(each.cell.step, each.cell.column): each for each in result.cells}
    rows = [
        Row(
            step=step,
            occasion=learned.get(step, ""),
            cells=[by_place.get((step, column)) for column in columns],
        )
        for step in steps
    ]
    return HeatMap(columns=columns, rows=[row for row in rows if any(row.cells)])


def headline(result: MatrixResult) -> str:
    """The matrix in one line."""
    reached = f"{result.reached} of {result.planned} cells reached"
    counts = result.counts()
    if result.verdict is Verdict.PASS and not result.planned:
        steps = numbers.plural(len(result.steps), "step")
        return f"Nothing was broken: {steps} learned; a stop in order and a restart are right"
    if result.verdict is Verdict.PASS:
        said = f"{result.guarantee.value.capitalize()} held at every crash point"
        if hazards := counts[Colour.RED]:  # of the app's own it would not have passed
            said += f", but for {numbers.plural(hazards, 'known hazard')} of the protocol"
        allowed = found(result.allowed)
        said += f" ({allowed}, which it allows)" if allowed else ""
    elif result.before:
        said = f"Without any fault: {found(result.before)}"
    elif result.verdict is Verdict.FAIL:
        said = f"{numbers.plural(counts[Colour.RED], 'cell')} red"
    else:
        said = f"Unknown: {result.reasons[0] if result.reasons else 'something was not judged'}"
    return f"{said}; {reached}"


def print_matrix(result: MatrixResult, *, console: Console | None = None) -> None:
    """The verdict, the heat map, each cell that is not plainly green, and how to repeat it."""
    console = console or Console()
    mark, style = _VERDICTS[result.verdict]
    line = Text.assemble((f"{mark:<10}", style), (result.title, "bold"), f": {headline(result)}")
    console.print(line, soft_wrap=True)
    heat = heat_map(result)
    console.print(_table(heat))
    if len(heat.columns) > _SIDE_BY_SIDE:
        named = (f"{number} {column}" for number, column in enumerate(heat.columns, start=1))
        console.print(Text("columns: " + ", ".join(named), style="dim"))
    console.print(Text(_LEGEND, style="dim"))
    for cell in _told(result):
        console.print(_cell_line(cell), soft_wrap=True)
    console.print(Text(_coverage(result)), soft_wrap=True)
    for reason in _doubts(result):
        console.print(Text(f"{' ' * 10}{reason}", style="dim"), soft_wrap=True)
    console.print(Text(f"repeat: {result.repeat}", style="dim"), soft_wrap=True)


def matrix_json(result: MatrixResult) -> str:
    """One object, indented; `coverage` stands beside what the result has."""
    content = {
        "verdict": result.verdict.value,
        "coverage": {"reached": result.reached, "planned": result.planned},
        "counts": {colour.value: count for colour, count in sorted(result.counts().items())},
        "rolled_back": [each.name for each in result.cells if each.rolled_back],
        **msgspec.to_builtins(result),
    }
    content["cells"] = [{"name": each.name, **msgspec.to_builtins(each)} for each in result.cells]
    return msgspec.json.format(msgspec.json.encode(content), indent=2).decode()


def write_matrix(result: MatrixResult, *, path: Path) -> Path:
    """The page, in one atomic step; opens offline, with the result inside as JSON."""
    return write_page(render_matrix(result), path=path)


def read_matrix(folder: Path) -> MatrixResult:
    """As it was left there. Raises UsageError where it is not of this version."""
    return read_kept(folder / MATRIX_FILE, MatrixResult, what="matrix")


def render_matrix(result: MatrixResult) -> str:
    """The page: a pure function of the result."""
    return render_page(
        "heatmap.html.j2",
        styles=["report.css", "heatmap.css"],
        result=result,
        map=heat_map(result),
        headline=headline(result),
        told=_told(result),
        coverage=_coverage(result),
        doubts=_doubts(result),
        marks={colour.value: mark for colour, (mark, _style) in _MARKS.items()},
        rolled_back=_ROLLED_BACK,
        legend=_LEGEND,
        found=found_codes,
        data=inert_json(result),
    )


def found_codes(codes: Mapping[Code, int]) -> str:
    return found(dict(codes))


def _column_order(column: str) -> tuple[int, int, str]:
    """Crashes, then losses, then the rest; plain ones before those with a dimension."""
    action, *marks = column.split(" x ")
    order = ["crash-before", "crash-after", "drop-request", "drop-response"]
    return (len(marks), order.index(action) if action in order else len(order), column)


def _table(heat: HeatMap) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 1))
    table.add_column("step", no_wrap=True)
    numbered = len(heat.columns) > _SIDE_BY_SIDE
    for number, column in enumerate(heat.columns, start=1):
        name = str(number) if numbered else column.replace(" x ", "\n").replace("-", "-\n")
        table.add_column(name, justify="center", vertical="bottom", no_wrap=numbered)
    for row in heat.rows:
        table.add_row(row.step, *(_mark(cell) for cell in row.cells))
    return table


def _mark(cell: CellResult | None) -> Text:
    if cell is None:
        return Text("")
    mark, style = _MARKS[cell.colour]
    return Text(mark + (_ROLLED_BACK if cell.rolled_back else ""), style=style)


def _told(result: MatrixResult) -> list[CellResult]:
    """Red ones first, then what was not judged, then what was not reached."""
    order = [Colour.RED, Colour.UNKNOWN, Colour.UNREACHED]
    return [each for colour in order for each in result.cells if each.colour is colour]


def _cell_line(cell: CellResult) -> Text:
    mark, style = _MARKS[cell.colour]
    line = Text.assemble((f"{mark} ", style), (cell.name, "bold"))
    if cell.instance is not None and cell.reached:
        line.append(f", instance {cell.instance}, nth {cell.nth}", style="dim")
    line.append(f": {cell.reason}")
    if cell.known:
        line.append(f"\n    known hazard of the protocol: {cell.known}")
    for finding in cell.findings[:3]:
        offsets = ", ".join(map(str, finding.offsets[:3]))
        line.append(f"\n    {finding.code.value} ", style="bold")
        line.append(f"{place_of(finding)} @ {offsets}")
        line.append("" if finding.identity is None else f"  identity {finding.identity}")
    if cell.colour is Colour.RED:
        line.append(f"\n    {cell.repeat}", style="dim")
    return line


def _coverage(result: MatrixResult) -> str:
    rolled = sum(each.rolled_back for each in result.cells)
    parts = [
        f"{result.reached} of {result.planned} cells reached",
        f"{len(result.steps)} steps learned" if result.steps else "",
        f"the app rolled back in {rolled}",
        f"{numbers.plural(len(result.left), 'cell')} left" if result.left else "",
        numbers.plural(result.audits, "audit"),
        numbers.duration(result.duration_s),
    ]
    return "; ".join(part for part in parts if part)


def _doubts(result: MatrixResult) -> list[str]:
    """Reasons that no cell tells."""
    told = {each.name for each in _told(result)}
    return [reason for reason in result.reasons if reason.partition(":")[0] not in told]
