"""`eoscheck run`: one scenario, from start to verdict."""

from __future__ import annotations

import json
from pathlib import Path

import click

from eoscheck.cli.session import open_session, run_options, setting_options, show
from eoscheck.report.folders import as_demo
from eoscheck.run.naming import new_run_id
from eoscheck.run.needs import cluster_needs
from eoscheck.run.runner import plan_faults, run_scenario
from eoscheck.run.setting import Setting


@click.command(
    "run",
    epilog="Example: eoscheck run kill-exactly-once --seed 7 --set load.rate=500",
)
@click.argument("scenario", metavar="SCENARIO")
@setting_options
@click.option(
    "--trace",
    is_flag=True,
    help="Write down what the subject's instances ask of brokers, for `eoscheck trace`.",
)
@click.option(
    "--input-file",
    metavar="FILE",
    help="NDJSON, CSV or Parquet: its rows are the load, at load.rate (docs/load.md).",
)
@run_options
@click.argument("subject", metavar="[-- COMMAND ...]", nargs=-1, type=click.UNPROCESSED)
def command(
    *,
    setting: Setting,
    seed: int | None,
    trace: bool,
    input_file: str | None,
    report: Path,
    output_format: str,
) -> int:
    """Run SCENARIO (a TOML file, or the name of a shipped one) and audit what came out.

    After `--`, COMMAND replaces the scenario's subject: any program; {bootstrap_server},
    {instance}, {state_dir} and {run_id} are filled in, in its arguments and environment.

    Exit code: 0 pass, 1 an anomaly, 2 unknown, or the run could not be made.
    """
    if trace:
        setting = setting.under("trace=true")
    if input_file is not None:
        setting = setting.under(f"load.input_file={json.dumps(input_file)}")
    run_id = new_run_id(setting.load().name)
    loaded = setting.load(run_id=run_id)
    seed = loaded.seed if seed is None else seed
    plan_faults(loaded, seed=seed)  # refused before a broker is started for it
    repeat = setting.repeat(["run", setting.source, "--seed", seed])
    needs = cluster_needs(loaded)
    with open_session(loaded.cluster, needs) as session, session.watch(loaded.title) as listener:
        result = run_scenario(
            loaded,
            on=session,
            folder=report / run_id,
            run_id=run_id,
            seed=seed,
            repeat=repeat,
            listener=listener,
        )
    show(
        as_demo([result]),
        folder=report / run_id,
        output_format=output_format,
    )
    return result.verdict.exit_code
