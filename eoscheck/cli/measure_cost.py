"""`eoscheck measure cost`: exactly-once against at-least-once, on your app and your machine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from eoscheck.cli.dashes import BeforeDashes
from eoscheck.cli.measure_text import cost_table
from eoscheck.cli.measured import show_measured
from eoscheck.cli.session import change_options, open_session, run_options
from eoscheck.durations import parse_duration
from eoscheck.errors import UsageError
from eoscheck.explore.measures.cost import CostPlan, measure
from eoscheck.explore.measures.folder import measure_folder
from eoscheck.explore.measures.settings import (
    BASE_SCENARIO,
    at_interval,
    baseline_of,
    with_defaults,
)
from eoscheck.run.setting import Setting


@click.command(
    "cost",
    cls=BeforeDashes,
    epilog="""\b
Examples:
  eoscheck measure cost
  eoscheck measure cost --commit-interval 1s --records 1000000
  eoscheck measure cost my-app.toml --pairs 8 --seconds 20
  eoscheck measure cost my-app-eos.toml my-app-alos.toml
  eoscheck measure cost my-app.toml -- my-app --brokers {bootstrap_server} --mode {guarantee}
""",
)
@click.argument("measured", metavar="[MEASURED]", default=BASE_SCENARIO)
@click.argument("baseline", metavar="[BASELINE]", required=False)
@click.option(
    "--baseline-set",
    multiple=True,
    metavar="KEY=VALUE",
    help="What is different in the baseline, where it is no scenario of its own.",
)
@click.option(
    "--commit-interval",
    metavar="DURATION",
    help="Fills in {commit_interval_ms}, and {transaction_timeout_ms} with three times that.",
)
@click.option(
    "--pairs",
    type=click.IntRange(min=1),
    default=4,
    show_default=True,
    help="Pairs of drains; an interval needs two, a narrow one eight.",
)
@click.option(
    "--records",
    type=click.IntRange(min=1000),
    default=400_000,
    show_default=True,
    help="The backlog of each drain: enough for many commits.",
)
@click.option(
    "--latency-pairs",
    type=click.IntRange(min=0),
    default=3,
    show_default=True,
    help="Pairs of runs at each share of the saturation throughput.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0.5),
    default=5.0,
    show_default=True,
    help="How long each of those is timed.",
)
@click.option(
    "--shares",
    default="25,50,75",
    show_default=True,
    metavar="PERCENT,...",
    help="At which shares of the slower side's saturation throughput.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Same seed, same records.")
@change_options
@run_options
def command(
    *,
    measured: str,
    baseline: str | None,
    baseline_set: tuple[str, ...],
    commit_interval: str | None,
    pairs: int,
    records: int,
    latency_pairs: int,
    seconds: float,
    shares: str,
    seed: int,
    overrides: tuple[str, ...],
    report: Path,
    output_format: str,
    subject: tuple[str, ...],
) -> int:
    """What exactly-once costs against at-least-once: throughput, brokers' CPU and bytes, and
    latency at 25, 50 and 75 % of saturation, as ratios of interleaved pairs with 95 % intervals.

    MEASURED is a scenario under exactly-once; without one, the payments app. BASELINE is the same
    app under at-least-once: a scenario, or MEASURED with another {guarantee} (exactly_once_v2,
    at_least_once), with what --baseline-set says, or with its table guarantees.at-least-once.
    """
    if baseline is not None and (subject or baseline_set):
        raise click.UsageError("BASELINE is the baseline: leave out --baseline-set and COMMAND")
    given = Setting(source=measured, overrides=overrides, command=subject)
    sources = [measured] if baseline is None else [measured, baseline]
    sides = [with_defaults(replace(given, source=source)) for source in sources]
    if commit_interval is not None:
        interval_s = parse_duration(commit_interval, what="--commit-interval")
        sides = [at_interval(side, interval_s) for side in sides]
    plan = CostPlan(
        measured=sides[0],
        baseline=sides[1] if len(sides) > 1 else baseline_of(sides[0], differing=baseline_set),
        seed=seed,
        pairs=pairs,
        records=records,
        latency_pairs=latency_pairs,
        seconds=seconds,
        shares=_shares(shares),
    )
    words: list[object] = ["measure", "cost", measured, *([] if baseline is None else [baseline])]
    words += [word for each in baseline_set for word in ("--baseline-set", each)]
    words += [] if commit_interval is None else ["--commit-interval", commit_interval]
    words += ["--pairs", pairs, "--records", records, "--latency-pairs", latency_pairs]
    words += [
        "--seconds",
        f"{seconds:g}",
        "--shares",
        shares,
        "--seed",
        seed,
    ]
    scenario = plan.measured.load()
    folder = measure_folder(report, what="cost", scenario=scenario.name)
    with open_session(scenario.cluster) as session:
        result = measure(
            plan,
            ground=session,
            folder=folder,
            repeat=given.repeat(words),
            progress=session.progress,
        )
    table = "" if result.cost is None else cost_table(result.cost)
    show_measured(result, folder=folder, output_format=output_format, table=table)
    return 0


def _shares(text: str) -> tuple[float, ...]:
    """`25,50` -> 0.25, 0.5."""
    try:
        shares = tuple(float(each) / 100 for each in text.split(","))
    except ValueError:
        shares = ()
    if not shares or not all(0 < share < 1 for share in shares):
        raise UsageError(f"--shares takes percents between 0 and 100, as in 25,50,75, not {text!r}")
    return shares
