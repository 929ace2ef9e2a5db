"""`eoscheck explore`: schedules of faults that nobody thought of, within a time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from eoscheck.cli.session import open_session, run_options, scenario_options
from eoscheck.durations import parse_duration
from eoscheck.explore.search.budget import Budget
from eoscheck.explore.search.extra import require_extra
from eoscheck.explore.search.told import Told, in_lines
from eoscheck.report.folders import as_demo, read_run
from eoscheck.report.html import write_html
from eoscheck.run.naming import new_run_id

if TYPE_CHECKING:  # they need the extra, which an answer to --help does not
    from eoscheck.explore.search.search import Exploration
    from eoscheck.explore.search.whole import Prepared

BASE = "explore-base"
_DATABASE = "explore-database"


@click.command("explore", epilog="Example: eoscheck explore my-app.toml --for 30m")
@click.argument("scenario", metavar="[SCENARIO]", required=False)
@click.option("--for", "seconds", default="10m", show_default=True, help="For how long, in all.")
@click.option(
    "--only",
    multiple=True,
    metavar="KIND|FAMILY",
    help="Only faults of these kinds and families, as in `network` or `kill`. May be repeated.",
)
@click.option(
    "--database",
    type=click.Path(file_okay=False, path_type=Path),
    help=f"The folder that keeps failures for the next search.  [default: {_DATABASE} in --report]",
)
@scenario_options
@run_options
@click.argument("subject", metavar="[-- COMMAND ...]", nargs=-1, type=click.UNPROCESSED)
def command(
    *,
    scenario: str | None,
    seconds: str,
    only: tuple[str, ...],
    database: Path | None,
    seed: int | None,
    overrides: tuple[str, ...],
    base: Path | None,
    guarantee: str | None,
    report: Path,
    output_format: str,
    subject: tuple[str, ...],
) -> int:
    """Search for a schedule of faults that breaks the subject of SCENARIO, whose own faults are put
    aside: short runs on one cluster, each with other faults and another load; what fails is shrunk
    to the fewest faults, and saved as a scenario that repeats it.

    Without SCENARIO it is the app of --base, or the payments app. After `--`, COMMAND replaces the
    subject, as in `eoscheck run`.

    Exit code: 0 nothing found within the time, 1 found, 2 the search could not be made.
    """
    require_extra()
    from eoscheck.explore.search import whole

    budget = Budget(parse_duration(seconds, what="--for"))
    prepared = whole.prepare(
        scenario or (BASE if base is None else base),
        base=None if scenario is None else base,
        guarantee=guarantee,
        overrides=overrides,
        command=subject,
        only=only,
    )
    folder = report / new_run_id("explore")
    exploration = _searched(
        prepared,
        budget=budget,
        database=report / _DATABASE if database is None else database,
        folder=folder,
        seed=seed,
    )
    told = whole.keep(exploration, prepared, folder=folder)
    if told.run is not None and told.report is not None:
        write_html(as_demo([read_run(Path(told.run))]), path=Path(told.report))
    _show(told, output_format)
    return told.exit_code


def _searched(
    prepared: Prepared, *, budget: Budget, database: Path, folder: Path, seed: int | None
) -> Exploration:
    from eoscheck.explore.search import whole

    with open_session(prepared.source.scenario.cluster, prepared.needs) as session:
        return whole.explore(
            prepared,
            on=session,
            budget=budget,
            database=database,
            folder=folder,
            seed=seed,
            progress=session.progress,
        )


def _show(told: Told, output_format: str) -> None:
    if output_format == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(told)))
        return
    for line in in_lines(told):
        click.echo(line)
