"""`eoscheck certify`: an exam, of a broker or of the tool itself."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from eoscheck.cli.certify_text import as_json, print_exam
from eoscheck.cli.repeat import repeat_of
from eoscheck.cluster import Cluster
from eoscheck.cluster.external import ExternalCluster
from eoscheck.cluster.providers import open_cluster
from eoscheck.cluster.spec import ClusterSpec
from eoscheck.durations import parse_duration
from eoscheck.errors import UsageError
from eoscheck.explore.broker_exam import (
    PROMISES,
    ExamResult,
    Promise,
    examine_broker,
    find_promises,
)
from eoscheck.explore.broker_exam.exam import PREFIX
from eoscheck.process import Supervisor

_EMBEDDED = "embedded"


@click.command(
    "certify",
    epilog="Example: eoscheck certify --broker 127.0.0.1:9092 --write",
)
@click.option(
    "--broker",
    required=True,
    metavar="HOST:PORT|embedded",
    help="Examine that broker; 'embedded': a real Kafka that is started for it.",
)
@click.option(
    "--write",
    is_flag=True,
    help=f"Allow topics, groups and transactional ids named {PREFIX}..., which are removed again.",
)
@click.option(
    "--command-config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Client properties, as Kafka's own tools take them.",
)
@click.option("--kafka-version", metavar="X.Y.Z", help="Of the embedded one.")
@click.option(
    "--promise",
    "names",
    multiple=True,
    metavar="NAME",
    help=f"Examine only that one; may be repeated: {', '.join(each.name for each in PROMISES)}.",
)
@click.option(
    "--timeout", default="5s", show_default=True, help="For one answer, and for what is due then."
)
@click.option(
    "--expiry",
    default="30s",
    show_default=True,
    help="For the end of an expired transaction: brokers look for them every 10 s by default.",
)
@click.option("--format", "output_format", type=click.Choice(["text", "json"]), default="text")
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    broker: str,
    write: bool,
    command_config: Path | None,
    kafka_version: str | None,
    names: tuple[str, ...],
    timeout: str,
    expiry: str,
    output_format: str,
) -> int:
    """Does this Kafka-compatible broker keep the promises that exactly-once rests on?

    Each promise is kept, broken or unknown, with the evidence: what was sent, and what came back.

    Exit code: 0 all are kept, 1 one is broken, 2 one could not be examined.
    """
    promises = find_promises(names)
    limits = {
        "timeout_s": parse_duration(timeout, what="--timeout"),
        "expiry_s": parse_duration(expiry, what="--expiry"),
    }
    if broker == _EMBEDDED:
        if command_config is not None:
            raise UsageError("the embedded broker needs no --command-config: leave it out")
        spec = ClusterSpec(kafka_version=kafka_version)
        with Supervisor() as supervisor, open_cluster(spec, supervisor=supervisor) as cluster:
            result = _examined(cluster, promises, limits)
    else:
        if kafka_version is not None:
            raise UsageError(f"--kafka-version is for --broker {_EMBEDDED}: leave it out")
        external = ExternalCluster(bootstrap_server=broker, command_config=command_config)
        if not write:
            raise UsageError(
                f"the exam writes to {broker}: it makes topics, groups and transactional ids named "
                f"{PREFIX}... and removes them again: allow it with --write"
            )
        result = _examined(external, promises, limits)
    repeat = repeat_of(context)
    if output_format == "json":
        click.echo(as_json(result, repeat=repeat))
    else:
        print_exam(result, repeat=repeat, console=Console())
    return result.exit_code


def _examined(
    cluster: Cluster, promises: Sequence[Promise], limits: dict[str, float]
) -> ExamResult:
    console = Console(stderr=True)
    return examine_broker(
        cluster.client_config,
        broker=cluster.description,
        promises=promises,
        progress=lambda line: console.print(Text(line), soft_wrap=True),
        **limits,
    )
