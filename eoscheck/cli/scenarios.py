"""`eoscheck scenarios`: what is shipped, what each one is for, and many of them in a row."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby
from pathlib import Path

import click
import msgspec

from eoscheck.cli.session import Session, open_session, run_options, scenario_options, show
from eoscheck.report.folders import as_demo
from eoscheck.run.catalogue import Entry, catalogue, run_series, select
from eoscheck.run.expectation import Expectation
from eoscheck.run.naming import new_run_id, repeat_run
from eoscheck.run.result import DEMO_FILE, RunResult
from eoscheck.run.runner import plan_faults, run_scenario
from eoscheck.run.scenario import Scenario


@click.group("scenarios", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """List the shipped scenarios; `show` explains one, `run` runs many.

    \b
    Example:
      eoscheck scenarios
      eoscheck scenarios show kill-exactly-once
      eoscheck scenarios run process broker
    """
    if ctx.invoked_subcommand is None:
        ctx.invoke(list_command)


@command.command("list")
def list_command() -> None:
    """List them: group by group, with their faults and what must come out."""
    entries = catalogue()
    names = max((len(entry.name) for entry in entries), default=0)
    for group, members in groupby(entries, key=lambda entry: entry.group):
        click.secho(group, bold=True)
        for entry in members:
            kinds = ", ".join(entry.kinds) or "no fault"
            about = f"{entry.scenario.title} ({kinds}). {expected(entry.scenario)}"
            click.echo(f"  {entry.name:<{names}}  {about}")


@command.command("show")
@click.argument("name", metavar="NAME")
def show_command(name: str) -> None:
    """Explain one scenario: what it does, what must come out, and its file."""
    for entry in select([name]):
        click.echo(f"{entry.group}/{entry.name}: {entry.scenario.title}")
        click.echo(f"{entry.scenario.description}\n")
        click.echo(f"faults:  {', '.join(entry.kinds) or 'none'}")
        if entry.needs_docker:
            click.echo("needs:   Docker")
        click.echo(f"expects: {expected(entry.scenario)}")
        click.echo(f"run it:  eoscheck run {entry.name}")
        click.echo(f"file:    {entry.path}\n")
        click.echo(entry.path.read_text(encoding="utf-8"))


@command.command("run", epilog="Example: eoscheck scenarios run broker kill-exactly-once")
@click.argument("words", metavar="[NAME|GROUP ...]", nargs=-1)
@scenario_options
@run_options
def run_command(
    *,
    words: tuple[str, ...],
    seed: int | None,
    overrides: tuple[str, ...],
    base: Path | None,
    guarantee: str | None,
    report: Path,
    output_format: str,
) -> int:
    """Run scenarios one after the other; without names, every shipped one that has faults and does
    not need Docker.

    Those that want the same cluster share one. At the end one table, and one report.

    Exit code: 0 where each came out as it must, 1 where one did not, 2 where one is unknown or
    could not be run.
    """
    if not words:
        docker = [entry.name for entry in catalogue() if entry.needs_docker]
        click.echo(f"left out, for it needs Docker (name it): {', '.join(docker)}", err=True)
    entries = [
        replace(entry, base=base, guarantee=guarantee, overrides=overrides)
        for entry in select(words)
    ]
    for entry in entries:  # refused before a broker is started for any of them
        plan_faults(entry.scenario, seed=_seed(entry.scenario, seed))
    series_id = new_run_id("scenarios")
    folder = report / series_id

    def run(session: Session, entry: Entry) -> RunResult:
        return _run(session, entry, seed=seed, folder=folder)

    series = run_series(entries, opened=open_session, run=run)
    for entry, reason in series.failed:
        click.echo(f"{entry.name} could not be run: {reason}", err=True)
    if series.runs:
        result = as_demo(series.runs)
        # So that `eoscheck report` draws the folder again.
        (folder / DEMO_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(result)))
        show(result, folder=folder, output_format=output_format)
    return series.exit_code


def expected(scenario: Scenario) -> str:
    """What must come out under each guarantee: `exactly-once: fail with LOST`."""
    wanted = {scenario.audit.expect: scenario.expect}
    wanted |= {known: variant.expect for known, variant in scenario.guarantees.items()}
    return "; ".join(f"{known.value}: {_verdict(expect)}" for known, expect in wanted.items())


def _verdict(expect: Expectation) -> str:
    codes = ", ".join(code.value for code in expect.codes)
    return expect.verdict.value + (f" with {codes}" if codes else "")


def _run(session: Session, entry: Entry, *, seed: int | None, folder: Path) -> RunResult:
    run_id = new_run_id(entry.name)
    scenario = entry.load(run_id=run_id)
    chosen = _seed(scenario, seed)
    with session.watch(scenario.title) as listener:
        return run_scenario(
            scenario,
            on=session,
            folder=folder / entry.name,
            run_id=run_id,
            seed=chosen,
            repeat=repeat_run(
                entry.name,
                seed=chosen,
                base=entry.base,
                guarantee=entry.guarantee,
                overrides=entry.overrides,
            ),
            listener=listener,
        )


def _seed(scenario: Scenario, seed: int | None) -> int:
    return scenario.seed if seed is None else seed
