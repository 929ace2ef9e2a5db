"""The command line: thin. It parses, calls one room, prints, and turns verdicts into exit codes."""

from __future__ import annotations

import importlib
import signal
import sys

import click

from eoscheck import __version__
from eoscheck.errors import EoscheckError, did_you_mean

# Imported only when asked for: `eoscheck --help` and completion stay quick.
_COMMANDS = {
    "audit": "eoscheck.cli.audit",
    "certify": "eoscheck.cli.certify",
    "cluster": "eoscheck.cli.cluster",
    "crashpoints": "eoscheck.cli.crashpoints",
    "demo": "eoscheck.cli.demo",
    "doctor": "eoscheck.cli.doctor",
    "explore": "eoscheck.cli.explore",
    "report": "eoscheck.cli.report",
    "run": "eoscheck.cli.run",
    "scenarios": "eoscheck.cli.scenarios",
    "toxiproxy": "eoscheck.cli.toxiproxy",
    "trace": "eoscheck.cli.trace",
}


class _LazyGroup(click.Group):
    """Each command lives in a module of its own, as its attribute `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        if cmd_name not in _COMMANDS:
            ctx.fail(f"no such command {cmd_name!r}{did_you_mean(cmd_name, _COMMANDS)}")
        command: click.Command = importlib.import_module(_COMMANDS[cmd_name]).command
        return command


@click.group(
    cls=_LazyGroup,
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
