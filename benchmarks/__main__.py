"""`python -m benchmarks`, or `make bench`: all benchmarks, a table, a JSON file and a document."""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import click
from confluent_kafka import KafkaException
from rich.console import Console

from benchmarks import cost, document, recovery, restart, restore, throughput
from benchmarks.bench import Bench
from benchmarks.figures import Section
from benchmarks.memory import memory_run
from benchmarks.sizes import FULL, QUICK, Sizes, forecast_s
from benchmarks.subjects import Who, peer_is_built
from benchmarks.table import print_table
from eoscheck.cluster import ClusterView, open_cluster
from eoscheck.cluster.provider import Cluster
from eoscheck.cluster.spec import ClusterSpec
from eoscheck.errors import EoscheckError
from eoscheck.process import Supervisor
from eoscheck.run.environment import describe_environment

_RUNS: dict[str, Callable[[Bench, Sizes], Section]] = {
    "throughput": throughput.run,
    "cost": cost.run,
    "restore": restore.run,
    "restart": restart.run,
    "recovery": recovery.run,
}
NAMES = (*_RUNS, "memory")
_WIDTH = 150
"""Of a table that goes into a file."""


@click.command(context_settings={"max_content_width": 100})
@click.option("--only", type=click.Choice(NAMES), multiple=True, help="These sections; repeatable.")
@click.option("--quick", is_flag=True, help="Tiny sizes, to try it out: the figures say nothing.")
@click.option("--rounds", type=click.IntRange(min=1), help="Rounds of the throughput section.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the input.")
@click.option(
    "--bootstrap-server",
    metavar="HOST:PORT",
    help="A cluster that is there and quiet; else one is started on this machine.",
)
def main(
    only: Sequence[str], quick: bool, rounds: int | None, seed: int, bootstrap_server: str | None
) -> None:
    """Measure the reference app beside Kafka Streams and a bare loop.

    Writes reports/bench/<date>.json and, where every section ran in full, docs/benchmarks.md.
    """
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    sizes = QUICK if quick else FULL
    if rounds is not None:
        sizes = replace(sizes, rounds=rounds)
    chosen = [name for name in NAMES if not only or name in only]
    subjects = (Who.APP, Who.PEER) if peer_is_built() else (Who.APP,)
    began = document.now()
    say = _teller(console)
    _say_forecast(say, sizes, chosen, peer=Who.PEER in subjects)
    # A terminated command cleans up as an interrupted one does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with ExitStack() as stack:
            bench = _open(stack, subjects, seed=seed, server=bootstrap_server, say=say)
            environment = describe_environment(bench.cluster)
            sections = _run(bench, sizes, chosen)
    except EoscheckError as error:
        say(f"Error: {error}")
        sys.exit(2)
    options = f' BENCH="{" ".join(sys.argv[1:])}"' if sys.argv[1:] else ""
    about = document.about_this_run(environment, began, options)
    print_table(console, sections)
    console.print(f"written: {document.write_json(sections, about, began)}")
    if not quick and not only and len(sections) == len(NAMES):
        console.print(f"written: {document.write_document(sections, about)}")
    if len(sections) < len(chosen):
        sys.exit(2)


def _run(bench: Bench, sizes: Sizes, chosen: Sequence[str]) -> list[Section]:
    """In order; a section that fails says so and is left out.

    Memory is watched while processes of the recovery section are killed.
    """
    sections: list[Section] = []

    def attempt(name: str, run: Callable[[], Section]) -> None:
        try:
            sections.append(run())
        except (EoscheckError, KafkaException) as error:
            bench.say(f"{name} failed: {error}")

    def watch_memory() -> Section:
        with memory_run(bench, sizes) as watched:
            if "recovery" in chosen:
                attempt("recovery", lambda: recovery.run(bench, sizes))
            return watched.finish()

    for name in chosen:
        if name == "memory":
            attempt(name, watch_memory)
        elif name != "recovery" or "memory" not in chosen:
            attempt(name, partial(_RUNS[name], bench, sizes))
    return sections


def _open(
    stack: ExitStack,
    subjects: tuple[Who, ...],
    *,
    seed: int,
    server: str | None,
    say: Callable[[str], None],
) -> Bench:
    supervisor = stack.enter_context(Supervisor())
    cluster: Cluster = open_cluster(
        ClusterSpec(provider="embedded" if server is None else "external", bootstrap_server=server),
        supervisor=supervisor,
        progress=say,
    )
    stack.callback(cluster.close)
    folder = Path(tempfile.mkdtemp(prefix="bench-"))
    supervisor.remove_at_exit(folder)
    return Bench(
        cluster=cluster,
        view=stack.enter_context(ClusterView(cluster.client_config)),
        supervisor=supervisor,
        folder=folder,
        seed=seed,
        subjects=subjects,
        say=say,
    )


def _teller(console: Console) -> Callable[[str], None]:
    began = time.monotonic()

    def say(text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - began), 60)
        console.print(
            f"{minutes:3}:{seconds:02}  {text}", markup=False, highlight=False, soft_wrap=True
        )

    return say


def _say_forecast(
    say: Callable[[str], None], sizes: Sizes, chosen: Sequence[str], *, peer: bool
) -> None:
    if not peer:
        say("Kafka Streams is left out: benchmarks/peers/java-streams is not built, or no java")
    parts = {name: forecast_s(sizes, name, peer=peer) for name in chosen}
    total = sum(parts.values())
    listed = ", ".join(f"{name} {seconds / 60:.1f}" for name, seconds in parts.items())
    say(f"about {total / 60:.0f} minutes on 2 quiet cores ({listed})")


if __name__ == "__main__":
    main()
