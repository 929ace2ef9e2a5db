"""How every measure ends: its headline and figures, what has to be known to read them, its page."""

from __future__ import annotations

from collections.abc import Sequence

import click
import msgspec

from eoscheck.explore.measures.folder import MeasureFolder
from eoscheck.measure.measured import Measured
from eoscheck.report.measured import write_measured

_BETWEEN = "  "


def show_measured(
    measured: Measured, *, folder: MeasureFolder, output_format: str, table: str = ""
) -> None:
    """Keeps it in its folder, draws its page, and prints it: `table` has the figures, as text."""
    folder.keep(measured)
    page = write_measured(measured, path=folder.path / "report.html")
    if output_format == "json":
        click.echo(msgspec.json.encode(measured))
        return
    click.echo(measured.headline)
    if table:
        click.echo(f"\n{table}\n")
    for note in measured.notes:
        click.echo(f"note: {note}")
    click.echo(f"report: {page}")


def as_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they have to be; the first is of words, the others of figures."""
    lines = [heads, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join(
        _BETWEEN.join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
