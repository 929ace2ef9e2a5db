"""`eoscheck cluster`: a real Kafka on this machine, to play with."""

from __future__ import annotations

import click
import msgspec

from eoscheck.cli.session import kafka_image_option, provider_for
from eoscheck.cluster.distribution import KAFKA_VERSION
from eoscheck.cluster.keeper import (
    KeptCluster,
    Wanted,
    keep,
    kept_cluster,
    start_kept,
    stop_kept,
)
from eoscheck.cluster.settings import PROFILES
from eoscheck.cluster.spec import ClusterSpec, Profile
from eoscheck.errors import InfrastructureError, UsageError


@click.group("cluster")
def command() -> None:
    """Start a real Apache Kafka on this machine, and stop it.

    \b
    Example:
      eoscheck cluster up --port 9092
      eoscheck cluster status
      eoscheck cluster down
    """


@command.command("up", epilog="Example: eoscheck cluster up --port 9092 --brokers 3")
@click.option("--port", type=click.IntRange(1, 65535), help="Default: a free one.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="A broker property, as in transaction.max.timeout.ms=60000. May be repeated.",
)
@click.option(
    "--brokers", type=click.IntRange(1, 9), default=1, help="Nodes, each a controller too: 1 or 3."
)
@click.option("--kafka-version", default=KAFKA_VERSION, show_default=True, metavar="X.Y.Z")
@kafka_image_option
@click.option(
    "--transaction-version",
    type=click.IntRange(0, 2),
    help="Level of Kafka's feature transaction.version. Default: the version's own.",
)
@click.option(
    "--profile",
    type=click.Choice(PROFILES),
    default="fast",
    show_default=True,
    help="How soon several brokers miss one: in about 2 s, or as Kafka does by default (9 s).",
)
@click.option("--foreground", is_flag=True, help="Stay, and stop the cluster at Ctrl-C.")
def up(
    *,
    port: int | None,
    settings: tuple[str, ...],
    brokers: int,
    kafka_version: str,
    kafka_image: str | None,
    transaction_version: int | None,
    profile: Profile,
    foreground: bool,
) -> None:
    """Start Kafka; its data is thrown away when it stops."""
    spec = ClusterSpec(
        provider=provider_for(kafka_image),
        image=kafka_image,
        settings=dict(_setting(text) for text in settings),
        brokers=brokers,
        kafka_version=kafka_version,
        transaction_version=transaction_version,
        profile=profile,
    )
    wanted = Wanted(cluster=spec, port=port)
    if not foreground:
        _show(start_kept(wanted, progress=_progress))
        click.echo("stop it with: eoscheck cluster down")
        return
    try:
        keep(wanted, progress=_progress, ready=_show)
    except KeyboardInterrupt:
        click.echo("stopped", err=True)


@command.command("status")
@click.option("--format", "output_format", type=click.Choice(["text", "json"]), default="text")
def status(*, output_format: str) -> None:
    """Say where the cluster is that `up` started; exit code 2 where there is none."""
    kept = kept_cluster()
    if kept is None:
        raise InfrastructureError("no cluster is up: start one with 'eoscheck cluster up'")
    if output_format == "json":
        click.echo(msgspec.json.encode(kept))
    else:
        _show(kept)


@command.command("down")
def down() -> None:
    """Stop the cluster that `up` started, and remove its data."""
    kept = stop_kept()
    click.echo("no cluster is up" if kept is None else f"stopped {kept.description}")


def _setting(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not name or not separator:
        raise UsageError(f"--set {text!r} is not of the form KEY=VALUE")
    return name, value


def _show(kept: KeptCluster) -> None:
    click.echo(f"{kept.description}, keeper process {kept.pid}")
    click.echo(f"bootstrap server: {kept.bootstrap_servers}")


def _progress(news: str) -> None:
    click.echo(news, err=True)
