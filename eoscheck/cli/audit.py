"""`eoscheck audit`: what the topics of any pipeline say about its guarantee."""

from __future__ import annotations

from typing import Any

import click
import msgspec
from rich.console import Console

from eoscheck.audit import run_audit
from eoscheck.audit.forensics.explain import explain, parse_place
from eoscheck.cli.audit_options import HeadedCommand, audit_options, spec_of
from eoscheck.cli.audit_progress import AuditProgress
from eoscheck.cli.audit_text import as_json, print_report, print_story
from eoscheck.cli.repeat import repeat_of
from eoscheck.cluster.external import ExternalCluster
from eoscheck.history import read_history


@click.command(
    "audit",
    cls=HeadedCommand,
    epilog="Example: eoscheck audit --bootstrap-server 127.0.0.1:9092 --input payments "
    "--topic receipts --id json:/payment_id",
)
@audit_options
@click.pass_context
def command(context: click.Context, /, **options: Any) -> int:
    """Read a topic under read_committed and say whether it is exactly-once, and if not, where.

    Read-only: joins no group, commits and creates nothing. Exit code: 0 pass, 1 an anomaly,
    2 unknown, or the audit could not be made.
    """
    cluster = ExternalCluster(
        bootstrap_server=options["bootstrap_server"], command_config=options["command_config"]
    )
    if options["explain"] is not None:
        return _explain(options["explain"], cluster=cluster, output_format=options["output_format"])
    spec = spec_of(options)
    events = read_history(options["history"]) if options["history"] is not None else []
    with AuditProgress(Console(stderr=True)) as progress:
        report = run_audit(
            spec, client_config=cluster.client_config, history=events, progress=progress
        )
    repeat = repeat_of(context)
    if options["output_format"] == "json":
        click.echo(as_json(report, repeat=repeat))
    else:
        print_report(report, repeat=repeat, console=Console())
    return report.verdict.exit_code


def _explain(text: str, *, cluster: ExternalCluster, output_format: str) -> int:
    place = parse_place(text)
    story = explain(*place, client_config=cluster.client_config)
    if output_format == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(story), indent=2).decode())
    else:
        print_story(story.lines(), console=Console())
    return 0
