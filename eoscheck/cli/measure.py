"""`eoscheck measure`: the numbers people repeat, taken on your app and your machine."""

from __future__ import annotations

import click

from eoscheck.cli.lazy import LazyGroup

_COMMANDS: dict[str, str] = {
    "commit-interval": "eoscheck.cli.measure_commit_interval",
    "cost": "eoscheck.cli.measure_cost",
    "recovery": "eoscheck.cli.measure_recovery",
    "restore": "eoscheck.cli.measure_restore",
}


@click.group("measure", cls=LazyGroup, modules=_COMMANDS)
def command() -> None:
    """Measure what exactly-once and failures cost your app, and say how sure each figure is.

    Each measure leaves a folder below --report: measured.json (for `eoscheck compare`),
    report.html, and a folder for each run that it was taken from.
    """
