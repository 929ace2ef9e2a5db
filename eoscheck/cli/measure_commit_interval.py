"""`eoscheck measure commit-interval`: what each interval costs, and which one to choose."""

from __future__ import annotations

from pathlib import Path

import click

from eoscheck.cli.dashes import BeforeDashes
from eoscheck.cli.measure_text import interval_table
from eoscheck.cli.measured import show_measured
from eoscheck.cli.session import change_options, open_session, run_options
from eoscheck.durations import parse_duration
from eoscheck.errors import UsageError
from eoscheck.explore.measures.commit_interval import Sweep, SweepPlan
from eoscheck.explore.measures.folder import measure_folder
from eoscheck.explore.measures.settings import BASE_SCENARIO, with_defaults
from eoscheck.measure.objective import parse_objective
from eoscheck.run.setting import Setting

INTERVALS = "10ms,30ms,100ms,300ms,1s,3s"
_EXAMPLES = """\b
Examples:
  eoscheck measure commit-interval
  eoscheck measure commit-interval --objective p99=500ms --recovery-point 5000
  eoscheck measure commit-interval --intervals 100ms,1s,10s,30s --rounds 5 --kills 20
  eoscheck measure commit-interval my-app.toml \\
    --set 'subject.args=["--commit-ms", "{commit_interval_ms}"]'
"""


@click.command("commit-interval", cls=BeforeDashes, epilog=_EXAMPLES)
@click.argument("scenario", metavar="[SCENARIO]", default=BASE_SCENARIO)
@click.option("--intervals", default=INTERVALS, show_default=True, help="Which ones, by commas.")
@click.option(
    "--objective",
    metavar="pNN=DURATION",
    help="What the latency may be, as in p99=500ms.",
)
@click.option(
    "--recovery-point",
    metavar="RECORDS|DURATION",
    help="How much a kill may have processed again, as in 5000, or 2s of the rate.",
)
@click.option(
    "--rounds",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Drains and latency runs of each; a knee needs two or more.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.5),
    default=3.0,
    show_default=True,
    help="How long each of those is timed at least.",
)
@click.option(
    "--kills",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="Kills of each interval.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=1),
    help="Records a second for latency and kills.  [default: a quarter of the slowest throughput]",
)
@click.option(
    "--records",
    type=click.IntRange(min=1000),
    default=4_000_000,
    show_default=True,
    help="The largest backlog: intervals that need more are left out.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same order.")
@change_options
@run_options
def command(
    *,
    scenario: str,
    intervals: str,
    objective: str | None,
    recovery_point: str | None,
    rounds: int,
    seconds: float,
    kills: int,
    rate: float | None,
    records: int,
    seed: int,
    overrides: tuple[str, ...],
    report: Path,
    output_format: str,
    subject: tuple[str, ...],
) -> int:
    """Sweep the commit interval: throughput, latency, and what a kill costs, round by round in
    random order; the knee of the curve, and which interval to choose for what you ask for.

    SCENARIO has {commit_interval_ms}, and under exactly-once {transaction_timeout_ms} (at least
    three times as long), in its command, args or env; without one it is the payments app. After
    `--`, COMMAND replaces the subject's.

    Exit code: 0 measured, 1 an anomaly in a run with kills, 2 unknown, or not measured.
    """
    point, point_s = _recovery_point(recovery_point)
    given = Setting(source=scenario, overrides=overrides, command=subject)
    plan = SweepPlan(
        setting=with_defaults(given),
        intervals=tuple(
            parse_duration(each.strip(), what="--intervals") for each in intervals.split(",")
        ),
        seed=seed,
        rounds=rounds,
        seconds=seconds,
        kills=kills,
        records=records,
        rate=rate,
        objective=None if objective is None else parse_objective(objective),
        recovery_point=point,
        recovery_point_s=point_s,
    )
    words: list[object] = ["measure", "commit-interval", scenario, "--intervals", intervals]
    words += [] if objective is None else ["--objective", objective]
    words += [] if recovery_point is None else ["--recovery-point", recovery_point]
    words += ["--rounds", rounds, "--seconds", f"{seconds:g}", "--kills", kills]
    words += [] if rate is None else ["--rate", f"{rate:g}"]
    words += ["--records", records, "--seed", seed]
    loaded = plan.setting.load()
    folder = measure_folder(report, what="commit-interval", scenario=loaded.name)
    with open_session(loaded.cluster) as session:
        swept = Sweep(
            plan=plan,
            ground=session,
            folder=folder,
            repeat=given.repeat(words),
            watch=session.watch,
            progress=session.progress,
        ).measure()
    sweep = swept.measured.commit_interval
    show_measured(
        swept.measured,
        folder=folder,
        output_format=output_format,
        table="" if sweep is None else interval_table(sweep),
    )
    return swept.exit_code


def _recovery_point(text: str | None) -> tuple[float | None, float | None]:
    """As records, or as seconds of the rate."""
    if text is None:
        return None, None
    try:
        records = float(text)
    except ValueError:
        return None, parse_duration(text, what="--recovery-point")
    if records < 0:
        raise UsageError(f"--recovery-point {text}: records are counted from 0")
    return records, None
