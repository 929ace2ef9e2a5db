"""`eoscheck report`: the HTML report of finished runs, drawn again."""

from __future__ import annotations

from pathlib import Path

import click

from eoscheck.errors import UsageError
from eoscheck.explore.crashpoints.result import MATRIX_FILE
from eoscheck.explore.measures.folder import read_measured
from eoscheck.measure.measured import MEASURED_FILE
from eoscheck.report.beside import REPORT_FILE
from eoscheck.report.charts import NoCharts, chart_library
from eoscheck.report.folders import read_folders
from eoscheck.report.heatmap import read_matrix, write_matrix
from eoscheck.report.html import write_html
from eoscheck.report.measured import write_measures


@click.command(
    "report",
    epilog="Example: eoscheck report reports/demo-7f3a --output /tmp/for-the-customer.html",
)
@click.argument(
    "folders", metavar="RUN_DIR...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"The file to write.  [default: {REPORT_FILE} in the first RUN_DIR]",
)
def command(*, folders: tuple[Path, ...], output: Path | None) -> int:
    """Write the HTML report of finished runs, from what they left in their folders.

    Each RUN_DIR is the folder of a run, or of a whole demo; or all are folders of measures; or it
    is the one of a matrix of crash points.
    Needs neither a broker nor the subject.
    """
    path = output or folders[0] / REPORT_FILE
    try:
        if len(folders) == 1 and (folders[0] / MATRIX_FILE).is_file():
            click.echo(write_matrix(read_matrix(folders[0]), path=path))
            return 0
        if all((folder / MEASURED_FILE).is_file() for folder in folders):
            measures = [read_measured(folder) for folder in folders]
            click.echo(write_measures(measures, path=path))
            return 0
        result = read_folders(folders)
        charts = chart_library()
        if isinstance(charts, NoCharts):
            click.echo(f"without charts: {charts.reason}", err=True)
        write_html(result, path=path, charts=charts)
    except OSError as error:
        raise UsageError(
            f"{error.filename or output} cannot be written: {error.strerror}"
        ) from error
    click.echo(path)
    return 0
