"""What the commands that run something share: options, a cluster, progress, and how results end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar, cast

import click
from rich.console import Console
from rich.text import Text

from eoscheck.audit.findings import Guarantee
from eoscheck.cluster.addresses import Proxies
from eoscheck.cluster.provider import Cluster
from eoscheck.cluster.providers import open_cluster
from eoscheck.cluster.spec import ClusterSpec, Provider
from eoscheck.errors import UsageError
from eoscheck.history import Event
from eoscheck.measure import require_extra
from eoscheck.network import Network, start_network
from eoscheck.process import Supervisor
from eoscheck.process.allocator import share_arenas
from eoscheck.report.as_json import to_json
from eoscheck.report.html import write_html
from eoscheck.report.live import LiveView
from eoscheck.report.terminal import print_demo
from eoscheck.run.needs import ClusterNeeds
from eoscheck.run.proxies import connected
from eoscheck.run.result import DemoResult
from eoscheck.wire import Wire

_Command = TypeVar("_Command", bound=Callable[..., Any])

REPORTS = Path("reports")
_NOTHING = ClusterNeeds()


def run_options(function: _Command) -> _Command:
    """`--report` and `--format`."""
    function = click.option(
        "--report",
        type=click.Path(file_okay=False, path_type=Path),
        default=REPORTS,
        show_default=True,
        help="The folder that run folders and reports are written into.",
    )(function)
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="json: stdout is one JSON object; progress goes to stderr either way.",
    )(function)


def kafka_image_option(function: _Command) -> _Command:
    return click.option(
        "--kafka-image",
        metavar="IMAGE",
        help="Brokers in containers of this image (provider 'docker'), not the embedded Kafka.",
    )(function)


def provider_for(kafka_image: str | None) -> Provider:
    return "embedded" if kafka_image is None else "docker"


def scenario_options(command: _Command) -> _Command:
    """`--seed`, `--set`, `--base`, `--guarantee`, `--kafka-image`: what one scenario, or each of
    many, runs with. The last one reaches the command among its `overrides`."""

    @wraps(command)
    def on_image(*, kafka_image: str | None, overrides: tuple[str, ...], **options: Any) -> Any:
        if kafka_image is not None:
            overrides = (*overrides, "cluster.provider=docker", f"cluster.image={kafka_image}")
        return command(overrides=overrides, **options)

    function = kafka_image_option(cast("_Command", on_image))
    function = click.option(
        "--guarantee",
        type=click.Choice([each.value for each in Guarantee]),
        help="Run and judge it under this one; default: the scenario's.",
    )(function)
    function = click.option(
        "--base",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A file with your app (topics, subject, load, audit) instead of the one that the "
        "scenario extends: the same faults for another subject.",
    )(function)
    function = click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="Replaces one value of the scenario, as in load.rate=500. May be repeated.",
    )(function)
    return click.option(
        "--seed", type=int, help="Replaces the scenario's seed: the same seed, the same run."
    )(function)


@dataclass(frozen=True, kw_only=True)
class Session:
    """A running cluster, and where progress is shown."""

    cluster: Cluster
    supervisor: Supervisor
    console: Console
    network: Network | None
    wire: Wire | None

    def watch(self, title: str) -> AbstractContextManager[Callable[[Event], None]]:
        return LiveView(title, console=self.console)

    def progress(self, line: str) -> None:
        self.console.print(Text(line), soft_wrap=True)


@contextmanager
def open_session(spec: ClusterSpec, needs: ClusterNeeds = _NOTHING) -> Iterator[Session]:
    """A cluster as `spec` says, and proxies as `needs` says. Whatever it started is gone when the
    block is left."""
    if needs.wire and spec.provider == "external":
        raise UsageError(
            "an external cluster has no place for proxies that read the protocol (a trace, faults "
            "at its steps): leave out cluster.provider, or set it to 'embedded' or 'docker'"
        )
    require_extra()  # a run without its figures would be found out only at its end
    share_arenas()
    console = Console(stderr=True)

    def progress(line: str) -> None:
        console.print(Text(line), soft_wrap=True)

    with ExitStack() as stack:
        supervisor = stack.enter_context(Supervisor())
        network = None
        if needs.network:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="eoscheck-network-")))
            supervisor.remove_at_exit(folder)
            network = stack.enter_context(
                start_network(supervisor=supervisor, folder=folder, progress=progress)
            )
        wire = stack.enter_context(Wire()) if needs.wire else None
        proxies = None
        connect = connected(wire=wire, network=network)
        if connect is not None:
            proxies = Proxies(connect=connect, slots=needs.slots, broker_links=needs.broker_links)
        cluster = open_cluster(spec, supervisor=supervisor, proxies=proxies, progress=progress)
        stack.callback(cluster.close)
        yield Session(
            cluster=cluster, supervisor=supervisor, console=console, network=network, wire=wire
        )


def show(result: DemoResult, *, path: Path, output_format: str) -> None:
    """The report's file, and the result on standard output."""
    write_html(result, path=path)
    if output_format == "json":
        click.echo(to_json(result))
        return
    print_demo(result)
    click.echo(f"report: {path}")
