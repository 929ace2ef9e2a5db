"""`eoscheck compare`: the same measured twice, and what of it has changed."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from eoscheck.cli.measured import as_table
from eoscheck.explore.measures.compare import Comparison, compare
from eoscheck.measure.comparison import Change
from eoscheck.report import numbers

_EXAMPLES = """\b
Examples:
  eoscheck compare reports/measure-recovery-main reports/measure-recovery-branch
  eoscheck compare reports/before reports/after --fail-on-regression
"""


@click.command("compare", epilog=_EXAMPLES)
@click.argument("before", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("after", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--fail-on-regression", is_flag=True, help="Exit code 1 where something got worse.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
)
def command(*, before: Path, after: Path, fail_on_regression: bool, output_format: str) -> int:
    """Compare two folders, each of a run, a demo or a measure of the same: figure by figure, with
    intervals that hold together with 95 %. Only where one excludes "no change" it is called a
    regression or an improvement; and a verdict that was a pass and is a fail is a regression.

    Exit code: 0 compared, 1 a regression (with --fail-on-regression), 2 they cannot be compared.
    """
    comparison = compare(before, after)
    if output_format == "json":
        click.echo(msgspec.json.encode(comparison))
    else:
        _print(comparison)
    return 1 if fail_on_regression and comparison.regressions else 0


def _print(comparison: Comparison) -> None:
    worse, better = (
        sum(each.outcome == outcome for each in comparison.changes)
        for outcome in ("regression", "improvement")
    )
    click.echo(
        f"{comparison.what}: {numbers.plural(worse, 'regression')}, "
        f"{numbers.plural(better, 'improvement')}, of {len(comparison.changes)} figures"
    )
    for line in comparison.verdicts:
        click.echo(f"verdict: {line}")
    heads = ["", "before", "after", "change", "interval", ""]
    click.echo(f"\n{as_table(heads, [_row(each) for each in comparison.changes])}")
    for line in comparison.environment:
        click.echo(f"note: not the same conditions: {line}")


def _row(change: Change) -> list[str]:
    found = change.change
    ratio = change.by == "ratio"

    def shown(value: float | None) -> str:
        if value is None:
            return numbers.NONE
        return f"{value:.2f} ×" if ratio else f"{value:+,.0f}"

    known = found is not None and (found.low is not None or found.high is not None)
    return [
        change.name,
        _value(change.before, change.unit),
        _value(change.after, change.unit),
        shown(found.value if found else _plain(change)),
        f"{shown(found.low)} – {shown(found.high)}" if found is not None and known else "",
        change.outcome.upper() if change.outcome == "regression" else change.outcome,
    ]


def _plain(change: Change) -> float | None:
    if change.by != "ratio" or not change.before or change.after is None:
        return None
    return change.after / change.before


def _value(value: float | None, unit: str) -> str:
    if unit == "s":
        return numbers.duration(value)
    if value is None:
        return numbers.NONE
    digits = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{digits} {unit}".rstrip()
