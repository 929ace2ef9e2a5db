"""The click options that set the runtime's options."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from reference_app.streams.errors import ConfigurationError
from reference_app.streams.options import Guarantee, StreamsOptions, read_properties

F = TypeVar("F", bound=Callable[..., Any])


def _default(name: str) -> Any:
    """Said once, in `StreamsOptions`."""
    return StreamsOptions.__dataclass_fields__[name].default


def _number(name: str, text: str) -> Callable[[F], F]:
    return click.option(
        f"--{name}",
        type=click.IntRange(min=0),
        default=_default(name.replace("-", "_")),
        show_default=True,
        help=text,
    )


_OPTIONS = [
    click.option("--bootstrap-server", metavar="HOST:PORT,...", help="Where the cluster is."),
    click.option(
        "--processing-guarantee",
        type=click.Choice([guarantee.value for guarantee in Guarantee]),
        default=_default("processing_guarantee").value,
        show_default=True,
    ),
    click.option(
        "--commit-interval-ms",
        type=click.IntRange(min=0),
        show_default="100 for exactly_once_v2, 30000 for at_least_once",
    ),
    click.option(
        "--state-dir",
        type=click.Path(path_type=Path, file_okay=False),
        default=_default("state_dir"),
        show_default=True,
        help="Stores and process id; one directory for each process.",
    ),
    click.option(
        "--group-instance-id",
        help="Static membership: a restart within the session keeps its partitions.",
    ),
    _number("num-stream-threads", "Workers of this process, each with its own clients."),
    _number("num-standby-replicas", "Other processes that keep a warm copy of each store."),
    _number("session-timeout-ms", "Without heartbeats for so long, a member is taken for dead."),
    _number("heartbeat-interval-ms", "Between heartbeats to the group coordinator."),
    _number("max-poll-interval-ms", "Longest time between polls before the member leaves."),
    _number("max-poll-records", "Most records processed between two looks at the clock."),
    _number("transaction-timeout-ms", "The coordinator aborts a transaction that is open longer."),
    _number("default-api-timeout-ms", "How long a broker that does not answer is waited for."),
    _number("close-timeout-ms", "After SIGTERM, a clean close ends within this or not at all."),
    click.option(
        "--dead-letter-topic",
        metavar="NAME",
        default=_default("dead_letter_topic"),
        help="An existing topic for records that cannot be processed; without it the first one "
        "stops the app, with exit code 1.",
    ),
    click.option(
        "--replication-factor",
        type=int,
        default=_default("replication_factor"),
        show_default=True,
        help="Of changelog topics; -1: the broker's default.",
    ),
    click.option(
        "--metrics-file",
        type=click.Path(path_type=Path, dir_okay=False),
        show_default="metrics.json in the state directory",
    ),
    click.option(
        "--command-config",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="A file of client properties, in librdkafka's names.",
    ),
    click.option(
        "--client-property",
        multiple=True,
        metavar="NAME=VALUE",
        help="One client property; consumer.NAME or producer.NAME for one client.",
    ),
]


def streams_options(*, application_id: str) -> Callable[[F], F]:
    """Adds the runtime's options to a click command; `from_command_line` makes them an object."""
    group = click.option(
        "--application-id",
        default=application_id,
        show_default=True,
        help="Consumer group, and prefix of changelog topics and transactional ids.",
    )

    def decorate(command: F) -> F:
        for option in reversed([_OPTIONS[0], group, *_OPTIONS[1:]]):
            command = option(command)
        return command

    return decorate


def from_command_line(
    *,
    bootstrap_server: str | None,
    command_config: Path | None,
    client_property: tuple[str, ...],
    **values: Any,
) -> StreamsOptions:
    """The parameters that `streams_options` added, as options. Raises ConfigurationError."""
    if not bootstrap_server:
        raise ConfigurationError("--bootstrap-server is missing: give a broker's HOST:PORT")
    properties = {}
    if command_config is not None:
        lines = command_config.read_text(encoding="utf-8").splitlines()
        properties = read_properties(lines, origin=str(command_config))
    properties |= read_properties(client_property, origin="--client-property")
    values["processing_guarantee"] = Guarantee(values["processing_guarantee"])
    return StreamsOptions(bootstrap_server=bootstrap_server, client_properties=properties, **values)
