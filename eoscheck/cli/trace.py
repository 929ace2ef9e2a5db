"""`eoscheck trace`: what the instances of a run asked of brokers, step by step."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.console import Console

from eoscheck.durations import parse_duration
from eoscheck.errors import UsageError
from eoscheck.history import read_history
from eoscheck.report.trace_text import trace_lines
from eoscheck.run.trace import learned_steps, read_trace
from eoscheck.run.trace_select import Span, around, select


@click.command(
    "trace",
    epilog="Example: eoscheck trace reports/crash-after-commit-7f3a --around crash-after-1",
)
@click.argument("folder", metavar="RUN_DIR", type=click.Path(path_type=Path))
@click.option("--instance", type=int, help="Only this one's.")
@click.option("--from", "start", metavar="T", help="From so long after the run began: 11.2s.")
@click.option("--to", "end", metavar="T", help="Up to then.")
@click.option(
    "--around",
    "what",
    metavar="FAULT|RECORD",
    help="Around a fault (crash-after-1) or an output ([TOPIC/]PARTITION@OFFSET).",
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json: stdout is one JSON object.",
)
def command(
    *,
    folder: Path,
    instance: int | None,
    start: str | None,
    end: str | None,
    what: str | None,
    output_format: str,
) -> int:
    """Print the protocol steps of a run's instances, each with its answer.

    RUN_DIR is the folder of a run that was traced (`eoscheck run --trace`, or one with faults at
    steps of the protocol).
    """
    if what is not None and (start is not None or end is not None):
        raise UsageError("--around says its own times: leave out --from and --to")
    trace = read_trace(folder)
    if what is not None:
        span = around(what, read_history(folder))
    else:
        span = Span(start=_seconds(start, "--from"), end=_seconds(end, "--to"))
    chosen = select(trace, instance=instance, span=span)
    if output_format == "json":
        content = {"exchanges": chosen, "learned": learned_steps(chosen)}
        click.echo(msgspec.json.format(msgspec.json.encode(content)).decode())
        return 0
    console = Console(highlight=False)
    for line in trace_lines(chosen):
        console.print(line, soft_wrap=True)
    return 0


def _seconds(text: str | None, option: str) -> float | None:
    return None if text is None else parse_duration(text, what=option)
