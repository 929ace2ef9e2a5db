"""`eoscheck crashpoints`: every step of the protocol that an app performs, broken on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from eoscheck.cli.dashes import BeforeDashes
from eoscheck.cli.session import open_session, run_options, setting_options
from eoscheck.durations import parse_duration
from eoscheck.errors import UsageError
from eoscheck.explore.crashpoints.block import Site, check_scenario
from eoscheck.explore.crashpoints.cells import Cell, parse_cell
from eoscheck.explore.crashpoints.matrix import run_matrix
from eoscheck.explore.crashpoints.options import CLIENT_TIMEOUT_S, HALVINGS, Options
from eoscheck.report.heatmap import matrix_json, print_matrix, write_matrix
from eoscheck.report.heatmap_live import MatrixProgress
from eoscheck.run.naming import new_run_id
from eoscheck.run.needs import cluster_needs
from eoscheck.run.setting import Setting

DEFAULT = "crashpoints"


@click.command(
    "crashpoints",
    cls=BeforeDashes,
    epilog="Example: eoscheck crashpoints --cell 'EndTxn(commit) x crash-after' --seed 7",
)
@click.argument("scenario", metavar="[SCENARIO]", default=DEFAULT)
@click.option(
    "--full",
    is_flag=True,
    help="Every action, with state kept and wiped, hand-over and quick restart.",
)
@click.option(
    "--cell",
    "names",
    multiple=True,
    metavar="'STEP x ACTION'",
    help="Only this cell, as a red one names it: nothing is learned first. May be repeated.",
)
@click.option(
    "--learn-only",
    is_flag=True,
    help="Break nothing: learn the steps (a stop in order and a restart), and audit that.",
)
@click.option(
    "--client-timeout",
    default=f"{CLIENT_TIMEOUT_S:g}s",
    show_default=True,
    help="What your clients wait at most for what is lost (delivery.timeout.ms, max.block.ms and "
    "such): a span ends when they give up, and may last so long.",
)
@click.option("--stop-after", type=click.IntRange(min=1), help="End it after so many red cells.")
@click.option(
    "--halvings",
    type=click.IntRange(min=0),
    default=HALVINGS,
    show_default=True,
    help="So often the load of a red cell that was tried alone is halved, while it stays red.",
)
@setting_options
@run_options
def command(
    *,
    setting: Setting,
    full: bool,
    learn_only: bool,
    names: tuple[str, ...],
    client_timeout: str,
    stop_after: int | None,
    halvings: int,
    seed: int | None,
    report: Path,
    output_format: str,
) -> int:
    """Learn which steps of the protocol the app of SCENARIO performs, and break each one on
    purpose: the matrix of steps and actions, cell by cell on one live cluster, each judged.

    The app is any program (COMMAND replaces the scenario's), with at least two instances. A red
    cell is tried alone again, with less and less load, and told with the command that repeats it.

    Exit code: 0 no cell is red, 1 one is, 2 one could not be judged, or it could not be run.
    """
    cells = [parse_cell(name) for name in names]
    if learn_only and (cells or full):
        raise UsageError("--learn-only breaks nothing: leave out --cell and --full")
    give_up_s = parse_duration(client_timeout, what="--client-timeout")
    loaded = msgspec.structs.replace(setting.load(), trace=True)
    check_scenario(loaded)  # refused before a broker is started for it
    seed = loaded.seed if seed is None else seed

    def repeat(chosen: Sequence[Cell], settings: Sequence[str]) -> str:
        words: list[object] = ["crashpoints"]
        words += [setting.source] if setting.source != DEFAULT else []
        words += ["--seed", seed]
        cells = [cell.name for cell in chosen] or names
        words += [word for name in cells for word in ("--cell", name)]
        words += ["--full"] if full and not chosen else []
        words += ["--learn-only"] if learn_only else []
        words += ["--client-timeout", client_timeout]
        return setting.under(*settings).repeat(words)

    folder = report / new_run_id(f"{loaded.name}-matrix")
    with open_session(loaded.cluster, cluster_needs(loaded)) as session:
        assert session.wire is not None, "it was asked for"
        result = run_matrix(
            lambda run_id: setting.load(run_id=run_id),
            site=Site(cluster=session.cluster, supervisor=session.supervisor, wire=session.wire),
            folder=folder,
            repeat=repeat,
            options=Options(
                cells=cells,
                full=full,
                learn_only=learn_only,
                seed=seed,
                client_timeout_s=give_up_s,
                red_enough=stop_after,
                halvings=halvings,
            ),
            listener=MatrixProgress(console=session.console),
        )
    page = write_matrix(result, path=folder / "report.html")
    if output_format == "json":
        click.echo(matrix_json(result))
    else:
        print_matrix(result)
        click.echo(f"report: {page}")
    return result.verdict.exit_code
