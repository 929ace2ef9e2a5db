"""`eoscheck measure restore`: how long state takes to come back, and how long more of it would."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import click

from eoscheck.audit.findings import Verdict
from eoscheck.cli.dashes import BeforeDashes
from eoscheck.cli.measured import as_table, show_measured
from eoscheck.cli.session import open_session, run_options, setting_options
from eoscheck.durations import parse_duration
from eoscheck.errors import UsageError
from eoscheck.explore.measures.folder import measure_folder
from eoscheck.explore.measures.recovery import verdict_notes
from eoscheck.explore.measures.restore import (
    Restored,
    Restores,
    Variant,
    check_sizes,
    holds,
    parse_size,
    restore_measure,
)
from eoscheck.explore.measures.restore_told import headline, notes, size
from eoscheck.measure.extrapolation import fitted
from eoscheck.measure.measured import Measured, Objective, RestoreMeasure
from eoscheck.report import numbers
from eoscheck.run.needs import cluster_needs
from eoscheck.run.setting import Setting

DEFAULT = "measure-restore"
_QUANTILE = 0.95
_EXAMPLES = """\b
Examples:
  eoscheck measure restore --sizes 100MB,200MB,400MB --check 1600MB --objective 60s
  eoscheck measure restore --value-bytes 100,10000 --keys 1000 \\
    --standby '--num-standby-replicas 1'
  eoscheck measure restore my-app.toml -- my-app --state {state_dir}
"""


@click.command("restore", cls=BeforeDashes, epilog=_EXAMPLES)
@click.argument("scenario", metavar="[SCENARIO]", default=DEFAULT)
@click.option(
    "--sizes",
    default="160MB,320MB,640MB",
    show_default=True,
    help="How large the state is made: keys and values of its changelogs. Beyond what the store "
    "keeps in memory.",
)
@click.option(
    "--check",
    metavar="SIZE",
    help="One more size, which is measured too and not used: does the line hold there?",
)
@click.option(
    "--repetitions", type=click.IntRange(min=1), default=3, show_default=True, help="Of each size."
)
@click.option(
    "--predict", default="20GB,200GB", show_default=True, help="Sizes to draw the line out to."
)
@click.option(
    "--objective",
    metavar="DURATION",
    help="What a restore may take: tells up to which size it does, 19 times of 20.",
)
@click.option(
    "--value-bytes",
    metavar="N,N",
    help="The sizes again with values so large: what {noise} in load.value is made of.",
)
@click.option("--keys", metavar="N,N", help="The sizes again with so many keys (load.keys).")
@click.option(
    "--standby",
    metavar="ARGS",
    help="The sizes again with these arguments for the subject, which give it a standby: two "
    "instances, of which the one at work is stopped and the other one timed.",
)
@setting_options
@run_options
def command(
    *,
    setting: Setting,
    sizes: str,
    check: str | None,
    repetitions: int,
    predict: str,
    objective: str | None,
    value_bytes: str | None,
    keys: str | None,
    standby: str | None,
    seed: int | None,
    report: Path,
    output_format: str,
) -> int:
    """Fill the state of the app of SCENARIO by its load, stop one instance, wipe its state
    directory, start it, and time its restore: for several sizes, and of those a line with its
    intervals, drawn out to sizes that nobody wants to wait for.

    A restore lasts from its begin to its end as the subject logs them (docs/state.md), or else from
    the start to the first new commit.
    After `--`, COMMAND replaces the scenario's subject, as in `eoscheck run`.

    Exit code: 0 measured, 1 an audit found an anomaly, 2 the line does not hold at --check, or it
    could not be measured.
    """
    wanted = [parse_size(each) for each in sizes.split(",")]
    checked = None if check is None else parse_size(check)
    check_sizes(wanted, check=checked, repetitions=repetitions)
    ahead = [parse_size(each) for each in predict.split(",") if each.strip()]
    goal = None if objective is None else _objective(objective)
    variants = list(_variants(value_bytes=value_bytes, keys=keys, standby=standby))
    loaded = setting.load()
    for variant in variants:
        variant.of(loaded)  # refused before a broker is started for it
    seed = loaded.seed if seed is None else seed
    words: list[object] = [
        "measure",
        "restore",
        *([] if setting.source == DEFAULT else [setting.source]),
    ]
    words += ["--sizes", sizes, "--repetitions", repetitions, "--predict", predict, "--seed", seed]
    for name, value in (
        ("--check", check),
        ("--objective", objective),
        ("--value-bytes", value_bytes),
        ("--keys", keys),
        ("--standby", standby),
    ):
        words += [] if value is None else [name, value]
    repeat = setting.repeat(words)
    folder = measure_folder(report, what="restore", scenario=loaded.name)
    with open_session(loaded.cluster, cluster_needs(loaded)) as session:
        restores = Restores(
            load=lambda run_id: setting.load(run_id=run_id),
            repetitions=repetitions,
            seed=seed,
            repeat=repeat,
            ground=session,
            folder=folder,
            watch=session.watch,
            tell=session.progress,
        )
        done = []
        for number, variant in enumerate(variants, start=1):
            session.progress(variant.name)
            more = [checked] if checked is not None and number == 1 else []
            done.append(restores.measure(variant, number=number, sizes=[*wanted, *more]))
    try:
        measure = restore_measure(done, check=checked, predict=ahead, objective=goal)
    except UsageError:
        click.echo(_table(done), err=True)  # there is no line, and yet it was measured
        raise
    runs = [each.run for each in done]
    red = [run for run in runs if run.verdict is not Verdict.PASS]
    measured = Measured(
        what="restore",
        measure_id=folder.measure_id,
        title=f"Restore: {loaded.title}",
        headline=headline(measure, red=len(red)),
        scenario=loaded.name,
        seed=seed,
        started_at=folder.started_at,
        environment=runs[0].environment,
        repeat=repeat,
        folder=str(folder.path),
        notes=[*verdict_notes(runs), *notes(done, measure)],
        runs=[run.folder for run in runs],
        restore=measure,
    )
    show_measured(measured, folder=folder, output_format=output_format, table=_table(done))
    return _exit_code(measure, {run.verdict for run in runs})


def _exit_code(measure: RestoreMeasure, verdicts: set[Verdict]) -> int:
    if Verdict.FAIL in verdicts:
        return 1
    checks = [each for each in measure.extrapolations if each.measured_s is not None]
    return 0 if verdicts == {Verdict.PASS} and all(map(holds, checks)) else 2


def _objective(text: str) -> Objective:
    seconds = parse_duration(text, what="--objective")
    return Objective(quantile=_QUANTILE, seconds=seconds)


def _variants(
    *, value_bytes: str | None, keys: str | None, standby: str | None
) -> Iterator[Variant]:
    yield Variant(name="as the scenario has it")
    for number in _numbers(value_bytes, what="--value-bytes"):
        yield Variant(name=f"values of {number:,} bytes", noise=number)
    for number in _numbers(keys, what="--keys"):
        yield Variant(name=f"{number:,} keys", keys=number)
    if standby is not None:
        yield Variant(name="with a standby", standby_args=shlex.split(standby))


def _numbers(text: str | None, *, what: str) -> list[int]:
    try:
        found = [int(each) for each in (text or "").split(",") if each.strip()]
    except ValueError:
        raise UsageError(f"{what} takes numbers, as in 100,10000, not {text!r}") from None
    if any(number < 1 for number in found):
        raise UsageError(f"{what} takes numbers from 1 on, not {text!r}")
    return found


def _table(done: Sequence[Restored]) -> str:
    heads = ["", "state", "n", "records", "keys", "value", "seconds p50", "MB/s p50", "line MB/s"]
    return as_table(heads, [row for each in done for row in _rows(each)])


def _rows(restored: Restored) -> Iterator[list[str]]:
    line = _line(restored)
    for number, wanted in enumerate(dict.fromkeys(each for each, _ in restored.points)):
        points = [point for each, point in restored.points if each == wanted]
        last = points[-1]
        yield [
            restored.variant.name if number == 0 else "",
            size(median(point.megabytes for point in points)),
            str(len(points)),
            numbers.count(last.records),
            numbers.count(last.keys),
            f"{last.value_bytes:,} B",
            f"{median(point.seconds for point in points):.2f}",
            f"{median(point.megabytes_per_s for point in points):.1f}",
            line if number == 0 else "",
        ]


def _line(restored: Restored) -> str:
    """Of a setting with few or warm restores there may be none: a standby's take as long whatever
    their size."""
    try:
        rate = fitted([point for _, point in restored.points]).megabytes_per_s
    except UsageError:
        return numbers.NONE
    return f"{rate.value:.0f} ({rate.low:.0f} – {rate.high:.0f})"
