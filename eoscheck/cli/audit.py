"""`eoscheck audit`: what the topics of any pipeline say about its guarantee."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from eoscheck.audit import AuditSpec, Guarantee, run_audit
from eoscheck.audit.identity import FORMS
from eoscheck.cli.audit_progress import AuditProgress
from eoscheck.cli.audit_text import as_json, print_report
from eoscheck.cluster.external import ExternalCluster
from eoscheck.durations import parse_duration
from eoscheck.history import read_history

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command(
    "audit",
    epilog="Example: eoscheck audit --bootstrap-server 127.0.0.1:9092 --input payments "
    "--topic receipts --id json:/payment_id",
)
@click.option("--bootstrap-server", required=True, metavar="HOST:PORT[,HOST:PORT...]")
@click.option("--topic", required=True, help="The output to audit.")
@click.option("--input", "input_topic", metavar="TOPIC", help="What the output was made from.")
@click.option("--group", help="The pipeline's consumer group: only what it has committed is due.")
@click.option("--id", "identity", default="key", show_default=True, metavar="EXPR", help=FORMS)
@click.option("--input-id", metavar="EXPR", help="The same on the input. Default: as --id.")
@click.option(
    "--expect",
    type=click.Choice([guarantee.value for guarantee in Guarantee]),
    default=Guarantee.EXACTLY_ONCE.value,
    show_default=True,
    help="The guarantee: what it allows is counted, and changes no verdict.",
)
@click.option(
    "--order",
    type=click.Choice(["partition", "key", "none"]),
    default="partition",
    show_default=True,
    help="Within what outputs must keep the order of their inputs.",
)
@click.option(
    "--patience",
    default="30s",
    show_default=True,
    metavar="DURATION",
    help="How long to wait for a transaction that is open at the end of a partition.",
)
@click.option(
    "--max-findings",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Findings of each code to show; all of them are counted.",
)
@click.option(
    "--history",
    type=_FOLDER,
    metavar="RUN_DIR",
    help="A run's folder: what its load was told, and which fault goes with a finding.",
)
@click.option(
    "--command-config",
    type=_FILE,
    metavar="FILE",
    help="Client properties, as Kafka's own tools take them.",
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json: stdout is one JSON object, see docs/audit-json.md.",
)
@click.pass_context
def command(
    context: click.Context,
    *,
    bootstrap_server: str,
    topic: str,
    input_topic: str | None,
    group: str | None,
    identity: str,
    input_id: str | None,
    expect: str,
    order: Any,
    patience: str,
    max_findings: int,
    history: Path | None,
    command_config: Path | None,
    output_format: str,
) -> int:
    """Read a topic under read_committed and say whether it is exactly-once, and if not, where.

    Read-only: joins no group, commits and creates nothing. Exit code: 0 pass, 1 an anomaly,
    2 unknown, or the audit could not be made.
    """
    spec = AuditSpec(
        output=topic,
        input=input_topic,
        group=group,
        id=identity,
        input_id=input_id,
        expect=Guarantee(expect),
        order=order,
        patience_s=parse_duration(patience, what="--patience"),
        max_findings=max_findings,
    )
    cluster = ExternalCluster(bootstrap_server=bootstrap_server, command_config=command_config)
    events = read_history(history) if history is not None else []
    with AuditProgress(Console(stderr=True)) as progress:
        report = run_audit(
            spec, client_config=cluster.client_config, history=events, progress=progress
        )
    repeat = _repeat(context)
    if output_format == "json":
        click.echo(as_json(report, repeat=repeat))
    else:
        print_report(report, repeat=repeat, console=Console())
    return report.verdict.exit_code


def _repeat(context: click.Context) -> str:
    """The command that does the same again, from what it was given: no secret is among it."""
    words = ["eoscheck", "audit"]
    for option in context.command.params:
        value = context.params.get(option.name or "")
        if value is not None and value != option.get_default(context):
            words += [option.opts[0], str(value)]
    return shlex.join(words)
