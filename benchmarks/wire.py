"""`python -m benchmarks.wire`: what the wire proxy costs a client, beside the same one without it.

One broker, and pairs of client processes in turn: straight to it, and through the proxy (with no
rule armed, and every exchange told to a listener). Writes reports/bench/<date>.json.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, Literal

import click
from rich.console import Console

from benchmarks import document
from benchmarks.figures import Row, Section, at_least
from benchmarks.subjects import ROOT
from benchmarks.table import print_table
from eoscheck.cluster import Cluster, NewTopic, create_topics, open_cluster
from eoscheck.cluster.addresses import Proxies
from eoscheck.errors import EoscheckError, InfrastructureError
from eoscheck.measure.cost import ratio_of
from eoscheck.measure.figures import Estimate
from eoscheck.process import Supervisor
from eoscheck.run.environment import describe_environment
from eoscheck.wire import Exchange, TopicRoles, Wire

_TOPIC = "wire-benchmark"
_CLIENT_TIMEOUT_S = 300.0
_LEAST_RATIO = 0.8
_MOST_MORE_MS = 0.2

Way = Literal["direct", "proxied"]


@click.command(context_settings={"max_content_width": 100})
@click.option("--quick", is_flag=True, help="Tiny sizes, to try it out: the figures say nothing.")
@click.option("--rounds", type=click.IntRange(min=2), default=10, show_default=True)
def main(quick: bool, rounds: int) -> None:
    """Measure throughput in batches of 16 kB, and the time of a produce that is waited for."""
    console = Console(width=None if sys.stdout.isatty() else 150)
    records, synchronous = (2_000, 200) if quick else (60_000, 1_000)
    began, load = document.now(), os.getloadavg()[0]
    exchanges: list[Exchange] = []
    try:
        with (
            Supervisor() as supervisor,
            Wire() as wire,
            open_cluster(
                supervisor=supervisor, proxies=Proxies(connect=wire.connect, slots=1)
            ) as cluster,
        ):
            create_topics(cluster.client_config, [NewTopic(name=_TOPIC)])
            roles = TopicRoles(outputs=frozenset([_TOPIC]))
            wire.begin(roles=roles, crash=_never, listener=exchanges.append)
            environment = describe_environment(cluster)
            burnt: list[float] = []
            sections = [
                _throughput(cluster, records, rounds, burnt),
                _sync(cluster, synchronous, rounds),
            ]
            wire.check()
    except EoscheckError as error:
        console.print(f"Error: {error}", markup=False)
        sys.exit(2)
    if not any("Produce(output)" in each.steps for each in exchanges):
        sys.exit("the proxied client did not go through the proxy")
    about = document.about_this_run(environment, began, "")
    about |= {"command": "python -m benchmarks.wire", "load before": f"{load:.1f} processes"}
    print_table(console, sections)
    for name, value in about.items():
        console.print(f"{name}: {value}", markup=False, highlight=False)
    console.print(f"written: {document.write_json(sections, about, began)}")


def _never(instance: int) -> None:
    raise InfrastructureError(f"nobody is to crash instance {instance}")


def _throughput(cluster: Cluster, records: int, rounds: int, burnt: list[float]) -> Section:
    def rate(way: Way) -> float:
        processor = time.process_time()
        found = _client(cluster, way, "throughput", records)
        if way == "proxied":
            burnt.append(1e3 * (time.process_time() - processor) / (found["bytes"] / 1e6))
        return float(found["bytes"] / found["seconds"] / 1e6)

    pairs = _pairs(rate, rounds)
    ratio = ratio_of(pairs)
    row = Row(
        what="produced in batches of 16 kB",
        unit="MB/s",
        value=median(proxied for proxied, _ in pairs),
        beside="direct",
        other=median(direct for _, direct in pairs),
        ratio=ratio,
        target=f"at least {_LEAST_RATIO}",
        verdict=at_least(ratio, _LEAST_RATIO),
    )
    burnt_row = Row(what="the proxy's processor time", unit="ms/MB", value=median(burnt))
    return Section(
        name="throughput",
        method=f"{records} records of 1 kB, idempotent; medians of {rounds} pairs",
        rows=[row, burnt_row],
        raw={"pairs": pairs, "processor ms/MB": burnt},
    )


def _sync(cluster: Cluster, records: int, rounds: int) -> Section:
    def p50(way: Way) -> float:
        return 1e3 * float(median(_client(cluster, way, "sync", records)))

    pairs = _pairs(p50, rounds)
    more = sorted(proxied - direct for proxied, direct in pairs)
    middle = median(more)
    row = Row(
        what="p50 of a produce that is waited for",
        unit="ms",
        value=median(proxied for proxied, _ in pairs),
        beside="direct",
        other=median(direct for _, direct in pairs),
        ratio=ratio_of(pairs),
    )
    extra = Row(
        what="more than direct, least to most",
        unit="ms",
        value=middle,
        interval=Estimate(value=middle, low=more[0], high=more[-1]),
        target=f"at most {_MOST_MORE_MS} ms",
        verdict="met" if middle <= _MOST_MORE_MS else f"missed by {middle - _MOST_MORE_MS:.2f} ms",
    )
    return Section(
        name="latency",
        method=f"{records} records of 100 B, one at a time; medians of {rounds} pairs",
        rows=[row, extra],
        raw={"pairs": pairs},
    )


def _pairs(measure: Callable[[Way], float], rounds: int) -> Sequence[tuple[float, float]]:
    """(proxied, direct), next to each other in time and in turn first."""
    pairs = []
    for number in range(rounds):
        order: Sequence[Way] = ("proxied", "direct") if number % 2 else ("direct", "proxied")
        found = {way: measure(way) for way in order}
        pairs.append((found["proxied"], found["direct"]))
        proxied, direct = pairs[-1]
        print(f"pair {number + 1} of {rounds}: proxied {proxied:.3f}, direct {direct:.3f}")
    return pairs


def _client(cluster: Cluster, way: Way, mode: str, count: int) -> Any:
    server = cluster.bootstrap_for(0) if way == "proxied" else cluster.bootstrap_servers
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.wire_client", server, _TOPIC, mode, str(count)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=_CLIENT_TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        raise InfrastructureError(f"the measured client failed: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout)


if __name__ == "__main__":
    main()
