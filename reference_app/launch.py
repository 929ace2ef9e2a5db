"""What the apps' front doors share: options in, a running app, an exit code out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
import msgspec

from reference_app.streams import logs
from reference_app.streams.app import StreamsApp
from reference_app.streams.command_line import from_command_line, streams_options
from reference_app.streams.dump import dump
from reference_app.streams.errors import StreamsError
from reference_app.streams.parts import Parts
from reference_app.streams.topology import Topology

F = TypeVar("F", bound=Callable[..., Any])

EXIT_CODES = """
\b
Exit codes: 0 stopped by a signal and closed cleanly, 1 a record cannot be processed,
2 options, topics, state directory or broker, 3 fenced by another process,
4 stopped but closed dirty, 5 a call of the client does not come back,
70 an error of the app itself.
"""


def app_options(*, application_id: str) -> Callable[[F], F]:
    """The runtime's options, and those every app has: --describe, --dump-store, --bug and more."""
    options = [
        streams_options(application_id=application_id),
        click.option(
            "--log-level",
            type=click.Choice(["debug", "info", "warning", "error"]),
            default="info",
            show_default=True,
            help="Of the log on stderr.",
        ),
        click.option(
            "--bug",
            metavar="NAME",
            default=None,
            help="Break one rule on purpose, for testing tests; 'list' prints them.",
        ),
        click.option("--describe", is_flag=True, help="Print the topology and exit."),
        click.option(
            "--dump-store",
            metavar="NAME",
            default=None,
            help="Print what a store of the state directory holds, as JSON lines, and exit. "
            "The app must not be running there.",
        ),
    ]

    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def launch(
    topology: Topology,
    *,
    describe: bool,
    dump_store: str | None,
    bug: str | None,
    log_level: str,
    **streams: Any,
) -> NoReturn:
    """Runs `topology` with the values of `app_options` until it is stopped, and exits."""
    if describe:
        click.echo(topology.describe())
        sys.exit(0)
    if bug == "list":
        from reference_app.bugs import zoo

        click.echo(zoo.listing())
        sys.exit(0)
    logs.setup(log_level)
    try:
        if dump_store is not None:
            _print_store(topology, dump_store, **streams)
            sys.exit(0)
        options = from_command_line(**streams)
        parts = _parts(bug)
    except StreamsError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
    sys.exit(StreamsApp(topology, options, parts=parts).run())


def _print_store(
    topology: Topology, store: str, *, state_dir: Path, application_id: str, **_: Any
) -> None:
    encode = msgspec.json.Encoder().encode
    for each in dump(topology, store, state_dir=state_dir, application_id=application_id):
        sys.stdout.buffer.write(encode(each) + b"\n")
    sys.stdout.flush()


def _parts(bug: str | None) -> Parts:
    """Imports the zoo only for a bug: without one, none of its code is loaded."""
    if bug is None:
        return Parts()
    from reference_app.bugs import zoo

    return zoo.find(bug).breed(Parts())
