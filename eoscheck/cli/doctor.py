"""`eoscheck doctor`: what works on this machine."""

from __future__ import annotations

from collections.abc import Sequence

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from eoscheck.cluster.machine import Check, can_run_a_broker, examine


@click.command("doctor", epilog="Example: eoscheck doctor --format json")
@click.option("--format", "output_format", type=click.Choice(["text", "json"]), default="text")
def command(*, output_format: str) -> int:
    """Say what works on this machine, and how to get the rest.

    Exit code: 0 where an embedded Kafka can run, 2 where it cannot.
    """
    checks = examine()
    works = can_run_a_broker(checks)
    if output_format == "json":
        click.echo(msgspec.json.encode({"embedded_broker": works, "checks": checks}))
    else:
        _show(checks, works)
    return 0 if works else 2


def _show(checks: Sequence[Check], works: bool) -> None:
    table = Table(box=None, header_style="bold")
    for column in ("", "what", "found"):
        table.add_column(column, overflow="fold")
    for check in checks:
        found = check.detail if not check.fix else f"{check.detail}\n-> {check.fix}"
        table.add_row(_mark(check), check.name, Text(found))
    console = Console()
    console.print(table)
    console.print(
        "\nAn embedded Kafka can run here: eoscheck demo"
        if works
        else "\nAn embedded Kafka cannot run here: see what is marked 'no'"
    )


def _mark(check: Check) -> Text:
    if check.ok:
        return Text("ok", style="green")
    return Text("no", style="bold red") if check.needed else Text("-", style="yellow")
