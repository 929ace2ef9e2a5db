"""How every measure ends: its headline, what has to be known to read it, and where it lies."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from eoscheck.explore.measures.folder import MeasureFolder
from eoscheck.measure.measured import Measured


def show_measured(
    measured: Measured, *, folder: MeasureFolder, output_format: str, table: str = ""
) -> Path:
    """Keeps it in its folder, and prints it: `table` has the figures, as text. Returns the file."""
    file = folder.keep(measured)
    if output_format == "json":
        click.echo(msgspec.json.encode(measured))
        return file
    click.echo(measured.headline)
    if table:
        click.echo(f"\n{table}\n")
    for note in measured.notes:
        click.echo(f"note: {note}")
    click.echo(f"measured: {file}")
    click.echo(f"repeat: {measured.repeat}")
    return file
