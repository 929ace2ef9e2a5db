"""`python -m benchmarks.audit`, or `make bench-audit`: how fast, and in how much memory, it audits.

Every reading is a process of its own. Writes reports/bench/<date>.json and, where every section ran
in full, docs/audit-speed.md.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing
from multiprocessing import get_context

import click
from confluent_kafka import KafkaException
from rich.console import Console

from benchmarks import document
from benchmarks.audit_contenders import java_is_there
from benchmarks.audit_document import write_document
from benchmarks.audit_sections import SECTIONS, Stand
from benchmarks.audit_sizes import FULL, QUICK, Sizes, forecast_s
from benchmarks.figures import Section
from benchmarks.table import print_table
from eoscheck.cluster import open_cluster
from eoscheck.cluster.spec import ClusterSpec
from eoscheck.errors import EoscheckError
from eoscheck.process import Supervisor
from eoscheck.run.environment import describe_environment

_WIDTH = 150
_BUSY = 0.5
"""Processes that want a processor, before anything of ours does."""
_DISK_BYTES = 12 * 10**9
"""The most that topics take at a time, in full."""


@click.command(context_settings={"max_content_width": 100})
@click.option("--only", type=click.Choice(list(SECTIONS)), multiple=True, help="Repeatable.")
@click.option("--quick", is_flag=True, help="Tiny sizes, to try it out: the figures say nothing.")
@click.option(
    "--bootstrap-server",
    metavar="HOST:PORT",
    help="A cluster that is there and quiet, for topics of ours; else one is started here.",
)
def main(only: Sequence[str], quick: bool, bootstrap_server: str | None) -> None:
    """Measure the auditor beside a bare fetch, Kafka's ConsumerPerformance and Python clients."""
    load = os.getloadavg()[0]
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    say = _teller(console)
    sizes = QUICK if quick else FULL
    chosen = [name for name in SECTIONS if not only or name in only]
    _say_forecast(say, sizes, chosen)
    began = document.now()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with ExitStack() as stack:
            supervisor = stack.enter_context(Supervisor())
            cluster = open_cluster(
                ClusterSpec(
                    provider="embedded" if bootstrap_server is None else "external",
                    bootstrap_server=bootstrap_server,
                ),
                supervisor=supervisor,
                progress=say,
            )
            stack.callback(cluster.close)
            environment = describe_environment(cluster)
            # What writes the topics grows large, and a child is charged with its parent's size.
            writer = stack.enter_context(ProcessPoolExecutor(1, mp_context=get_context("spawn")))
            stand = Stand(client_config=cluster.client_config, sizes=sizes, writer=writer, say=say)
            sections = _run(stack.enter_context(closing(stand)), chosen)
    except EoscheckError as error:
        say(f"Error: {error}")
        sys.exit(2)
    options = f' BENCH="{" ".join(sys.argv[1:])}"' if sys.argv[1:] else ""
    about = document.about_this_run(environment, began, options)
    about |= {"command": f"make bench-audit{options}", "load before": _of_load(load)}
    print_table(console, sections)
    console.print(f"written: {document.write_json(sections, about, began)}")
    if not quick and len(sections) == len(SECTIONS):
        console.print(f"written: {write_document(sections, about)}")
    if len(sections) < len(chosen):
        sys.exit(2)


def _run(stand: Stand, chosen: Sequence[str]) -> list[Section]:
    """In order; a section that fails says so and is left out."""
    sections = []
    for name in chosen:
        try:
            sections.append(SECTIONS[name](stand))
        except (EoscheckError, KafkaException, BrokenProcessPool) as error:
            stand.say(f"{name} failed: {error}")
    return sections


def _of_load(load: float) -> str:
    if load <= _BUSY:
        return f"{load:.1f} processes"
    return f"{load:.1f} processes: a busy machine, whose wall times are too long"


def _teller(console: Console) -> Callable[[str], None]:
    began = time.monotonic()

    def say(text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - began), 60)
        line = f"{minutes:3}:{seconds:02}  {text}"
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    return say


def _say_forecast(say: Callable[[str], None], sizes: Sizes, chosen: Sequence[str]) -> None:
    if not java_is_there():
        say("ConsumerPerformance is left out: benchmarks/peers/java-consumer is not built")
    free = shutil.disk_usage(os.environ.get("TMPDIR", "/tmp")).free  # noqa: S108
    if sizes is FULL and free < _DISK_BYTES:
        say(f"{free / 1e9:.0f} GB are free for temporary files: {_DISK_BYTES / 1e9:.0f} are needed")
        sys.exit(2)
    parts = {name: forecast_s(sizes, name) for name in chosen}
    listed = ", ".join(f"{name} {seconds / 60:.1f}" for name, seconds in parts.items())
    say(f"about {sum(parts.values()) / 60:.0f} minutes on 2 quiet cores ({listed})")


if __name__ == "__main__":
    main()
