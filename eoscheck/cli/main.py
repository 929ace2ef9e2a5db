"""The command line: thin. It parses, calls one room, prints, and turns verdicts into exit codes."""

from __future__ import annotations

import signal
import sys

import click

from eoscheck import __version__
from eoscheck.cli.lazy import LazyGroup
from eoscheck.errors import EoscheckError

_COMMANDS = {
    "audit": "eoscheck.cli.audit",
    "certify": "eoscheck.cli.certify",
    "cluster": "eoscheck.cli.cluster",
    "compare": "eoscheck.cli.compare",
    "crashpoints": "eoscheck.cli.crashpoints",
    "demo": "eoscheck.cli.demo",
    "doctor": "eoscheck.cli.doctor",
    "explore": "eoscheck.cli.explore",
    "measure": "eoscheck.cli.measure",
    "report": "eoscheck.cli.report",
    "run": "eoscheck.cli.run",
    "scenarios": "eoscheck.cli.scenarios",
    "toxiproxy": "eoscheck.cli.toxiproxy",
    "trace": "eoscheck.cli.trace",
}


@click.group(
    cls=LazyGroup,
    modules=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="eoscheck")
def cli() -> None:
    """Prove that a Kafka pipeline is exactly-once, and know what a failure costs it.

    \b
    Example:
      eoscheck demo
      eoscheck audit --bootstrap-server 127.0.0.1:9092 --input payments --topic receipts \\
        --id json:/payment_id
    """


def main() -> None:
    """Exit codes: 0 pass, 1 an anomaly, 2 usage, infrastructure or unknown."""
    # A terminated command cleans up as an interrupted one does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted", err=True)
        sys.exit(2)
    except click.ClickException as error:
        click.echo(f"eoscheck: {error.format_message()}", err=True)
        sys.exit(2)
    except EoscheckError as error:
        click.echo(f"eoscheck: {error}", err=True)
        sys.exit(2)
    sys.exit(code if isinstance(code, int) else 0)
