"""`eoscheck certify`: an exam, of a broker or of the tool itself."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
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
from eoscheck.explore.own_exam.exam import ask_zoo, run_exam
from eoscheck.explore.own_exam.plan import Attempt, Means, choose
from eoscheck.explore.own_exam.results import Entry
from eoscheck.explore.own_exam.summary import summarise
from eoscheck.placeholders import fill
from eoscheck.process import Supervisor
from eoscheck.report.power import power_json, power_lines, power_page, power_table

_EMBEDDED = "embedded"
_ZOO = "{python} -m reference_app.bugs --json"
_OF_BROKER = ("write", "command_config", "kafka_version", "promises", "timeout", "expiry")
_OF_TOOL = ("bugs", "only", "budget", "seed", "results", "show", "zoo")


@click.command(
    "certify",
    epilog="Example: eoscheck certify --broker 127.0.0.1:9092 --write",
)
@click.option(
    "--broker",
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
    "promises",
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
@click.option("--bugs", metavar="NAME,...", help="Only these of the zoo.")
@click.option(
    "--only",
    type=click.Choice([each.value for each in Means]),
    multiple=True,
    help="Bring bugs out only so; may be repeated.",
)
@click.option(
    "--budget",
    default="120s",
    show_default=True,
    help="So long one bug is under random kills; crash points are compared at the same time.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of the first attempt.")
@click.option(
    "--results",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("reports") / "certify.ndjson",
    show_default=True,
    help="A line for each attempt and control: an exam that was stopped goes on from there.",
)
@click.option("--show", is_flag=True, help="Make no attempt: only show what --results holds.")
@click.option(
    "--zoo", default=_ZOO, show_default=True, metavar="COMMAND", help="Prints the bugs as JSON."
)
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
)
@click.pass_context
def command(context: click.Context, /, *, broker: str | None, **options: Any) -> int:
    """Examine a broker (--broker), or the tool itself.

    A broker: does it keep the promises that exactly-once rests on? Each is kept, broken, unknown
    or not offered, with what was sent and what came back. Exit code: 0 all that are offered are
    kept, 1 one is broken, 2 one could not be examined.

    The tool: each bug of the zoo against random kills, the scenario that is meant for it, and the
    crash points of the protocol: what catches it, and how soon. What caught it is repeated once
    without the bug, and has to be green. Exit code: 0 where a scenario or a crash point catches
    each, 1 where one is caught by neither.
    """
    ours, others = (_OF_TOOL, _OF_BROKER) if broker is None else (_OF_BROKER, _OF_TOOL)
    for option in context.command.params:
        given = context.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE
        if given and option.name in others:
            where = "with --broker alone" if broker is None else "without --broker"
            raise UsageError(f"{option.opts[0]} is for the exam {where}: leave it out")
    chosen = {name: options[name] for name in (*ours, "output_format")}
    repeat = repeat_of(context)
    if broker is None:
        return _examine_tool(repeat=repeat, **chosen)
    return _examine_broker(broker, repeat=repeat, **chosen)


def _examine_broker(
    broker: str,
    *,
    write: bool,
    command_config: Path | None,
    kafka_version: str | None,
    promises: tuple[str, ...],
    timeout: str,
    expiry: str,
    output_format: str,
    repeat: str,
) -> int:
    chosen = find_promises(promises)
    limits = {
        "timeout_s": parse_duration(timeout, what="--timeout"),
        "expiry_s": parse_duration(expiry, what="--expiry"),
    }
    if output_format == "markdown":
        raise UsageError("--format markdown is for the tool's own exam: use text or json")
    if broker == _EMBEDDED:
        if command_config is not None:
            raise UsageError("the embedded broker needs no --command-config: leave it out")
        spec = ClusterSpec(kafka_version=kafka_version)
        with Supervisor() as supervisor, open_cluster(spec, supervisor=supervisor) as cluster:
            result = _asked(cluster, chosen, limits)
    else:
        if kafka_version is not None:
            raise UsageError(f"--kafka-version is for --broker {_EMBEDDED}: leave it out")
        external = ExternalCluster(bootstrap_server=broker, command_config=command_config)
        if not write:
            raise UsageError(
                f"the exam writes to {broker}: it makes topics, groups and transactional ids named "
                f"{PREFIX}... and removes them again: allow it with --write"
            )
        result = _asked(external, chosen, limits)
    if output_format == "json":
        click.echo(as_json(result, repeat=repeat))
    else:
        print_exam(result, repeat=repeat, console=Console())
    return result.exit_code


def _asked(
    cluster: Cluster, promises: Sequence[Promise], limits: Mapping[str, float]
) -> ExamResult:
    return examine_broker(
        cluster.client_config,
        broker=cluster.description,
        promises=promises,
        progress=_progress,
        **limits,
    )


def _examine_tool(
    *,
    bugs: str | None,
    only: tuple[str, ...],
    budget: str,
    seed: int,
    results: Path,
    show: bool,
    zoo: str,
    output_format: str,
    repeat: str,
) -> int:
    budget_s = parse_duration(budget, what="--budget")
    means = [each for each in Means if not only or each.value in only]
    words = [fill(each, {"python": sys.executable}, what="--zoo") for each in shlex.split(zoo)]
    with Supervisor() as supervisor:
        chosen = choose(ask_zoo(words, supervisor=supervisor), bugs.split(",") if bugs else [])
        found = run_exam(
            chosen,
            means=[] if show else means,
            results=results,
            seed=seed,
            budget_s=budget_s,
            supervisor=supervisor,
            tell=_tell,
        )
    summary = summarise(chosen, found, budget_s=budget_s)
    match output_format:
        case "json":
            click.echo(power_json(summary, repeat=repeat))
        case "markdown":
            click.echo(power_page(summary), nl=False)
        case _:
            console = Console()
            console.print(power_table(summary))
            for line in power_lines(summary):
                console.print(Text(line, style="bold"), soft_wrap=True)
            console.print(Text(f"repeat: {repeat}", style="dim"), soft_wrap=True)
    return summary.exit_code


def _tell(entry: Entry) -> None:
    found = ", ".join(f"{count} × {code}" for code, count in entry.codes.items())
    if isinstance(entry, Attempt):
        what = f"{entry.bug}, {entry.means.value}, seed {entry.seed}"
        outcome = "caught" if entry.caught else "not caught"
        parts = [found, entry.fault]
    else:
        what = f"without the bug: {entry.repeat}"
        outcome = "nothing" if entry.verdict is None else entry.verdict.value
        parts = [found]
    said = "; ".join(filter(None, [*parts, entry.problem, f"{entry.seconds:.0f} s"]))
    _progress(f"{what}: {outcome} ({said})")


def _progress(line: str) -> None:
    Console(stderr=True).print(Text(line), soft_wrap=True)
