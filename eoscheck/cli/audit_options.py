"""The options of `eoscheck audit`, in the groups in which its help shows them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click

from eoscheck.audit import AuditSpec, Changelog, Guarantee
from eoscheck.audit.identity import FORMS
from eoscheck.durations import parse_duration
from eoscheck.errors import UsageError

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
_SIZE = re.compile(r"(\d{1,9})\s*(MB|MiB|GB|GiB)", re.IGNORECASE)


class HeadedOption(click.Option):
    """An option under a heading of the help."""

    def __init__(self, *args: Any, heading: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.heading = heading


_read = partial(click.option, cls=HeadedOption, heading="What to read")
_expected = partial(click.option, cls=HeadedOption, heading="What is expected")
_oracle = partial(click.option, cls=HeadedOption, heading="Oracles")
_extent = partial(click.option, cls=HeadedOption, heading="How much")
_said = partial(click.option, cls=HeadedOption, heading="What to say")

_OPTIONS = (
    _read("--bootstrap-server", required=True, metavar="HOST:PORT[,HOST:PORT...]"),
    _read("--topic", help="The output to audit."),
    _read("--input", metavar="TOPIC", help="What the output was made from."),
    _read("--group", help="The pipeline's consumer group: only what it committed is due."),
    _read(
        "--offsets",
        type=click.Choice(["due", "informational"]),
        default="due",
        show_default=True,
        help="informational: the group's offsets are not the truth (Flink's checkpoints).",
    ),
    _read("--id", default="key", show_default=True, metavar="EXPR", help=FORMS),
    _read("--input-id", metavar="EXPR", help="The same on the input."),
    _read(
        "--command-config",
        type=_FILE,
        metavar="FILE",
        help="Client properties, as Kafka's own tools take them.",
    ),
    _read(
        "--history",
        type=_FOLDER,
        metavar="RUN_DIR",
        help="A run's folder: what its load was told, and which fault goes with a finding.",
    ),
    _expected(
        "--expect",
        type=click.Choice([guarantee.value for guarantee in Guarantee]),
        default=Guarantee.EXACTLY_ONCE.value,
        show_default=True,
        help="The guarantee: what it allows is counted, and changes no verdict.",
    ),
    _expected(
        "--order",
        type=click.Choice(["partition", "key", "none"]),
        default="partition",
        show_default=True,
        help="Within what outputs must keep the order of their inputs.",
    ),
    _expected(
        "--per-input",
        default="1",
        show_default=True,
        metavar="N",
        help="Outputs of one input: 2, 0..3 or python:module:function.",
    ),
    _expected(
        "--input-filter",
        metavar="COND",
        help="Only inputs that pass have outputs: EXPR=VALUE or python:module:function.",
    ),
    _expected("--atomic", metavar="EXPR", help="Outputs that share this are of one transaction."),
    _expected(
        "--partitioner",
        type=click.Choice(["murmur2", "crc32"]),
        help="What decides the partition of a key: murmur2 is Java's, crc32 librdkafka's.",
    ),
    _oracle("--golden", metavar="TOPIC", help="The output of a fault-free run on this input."),
    _oracle(
        "--golden-by",
        type=click.Choice(["multiset", "last"]),
        default="multiset",
        show_default=True,
        help="Compare all contents, or the last value of each key.",
    ),
    _oracle("--sum-is-zero", metavar="EXPR", help="These amounts add up to nothing."),
    _oracle("--monotonic", metavar="EXPR", help="These numbers rise for each key."),
    _oracle("--fold", metavar="python:M:F", help="The last value of each key, of your own fold."),
    _oracle("--changelog", metavar="TOPIC", help="A state's changelog."),
    _oracle("--same-as", metavar="TOPIC", help="A second changelog of that state."),
    _oracle("--dump", type=_FILE, metavar="FILE", help="A dump of that state's store."),
    _oracle("--windowed", metavar="RETENTION", help="That state holds windows, for so long."),
    _extent("--from", "start", metavar="WHERE", help="OFFSET, TIME, committed:GROUP."),
    _extent("--to", "stop", metavar="WHERE", help="The same; what follows is left."),
    _extent("--partitions", metavar="LIST", help="Such as 0,3-5."),
    _extent("--sample", metavar="1/N", help="One in N identities, on both sides."),
    _extent(
        "--memory",
        default="512MB",
        show_default=True,
        metavar="SIZE",
        help="What does not fit goes to the disk (TMPDIR).",
    ),
    _extent(
        "--reader",
        type=click.Choice(["auto", "fast", "client"]),
        default="auto",
        show_default=True,
        help="fast: compiled, on raw batches; client: as any consumer reads.",
    ),
    _extent(
        "--patience",
        default="30s",
        show_default=True,
        metavar="DURATION",
        help="How long to wait for a transaction that is open at the end of a partition.",
    ),
    _said(
        "--explain",
        metavar="TOPIC/PARTITION/OFFSET",
        help="No audit, but the story of this one offset.",
    ),
    _said(
        "--max-findings",
        type=click.IntRange(min=1),
        default=100,
        show_default=True,
        help="Findings of each code to show; all of them are counted.",
    ),
    _said("--strict", is_flag=True, help="Hazards count as failures."),
    _said(
        "--recovery-objective",
        metavar="DURATION",
        help="Time-outs and transactions that do not allow it are hazards.",
    ),
    _said(
        "--format",
        "output_format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="json: stdout is one JSON object, see docs/audit-json.md.",
    ),
)


class HeadedCommand(click.Command):
    """Shows its options under their headings, in the order of their definition."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                sections.setdefault(getattr(param, "heading", "Other"), []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def audit_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """All of them, for a function that takes keyword arguments."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def spec_of(options: dict[str, Any]) -> AuditSpec:
    """What the options ask for. Raises UsageError for a size or a duration that is none, and for
    options that need another."""
    if options["topic"] is None:
        raise UsageError("--topic is missing: the output to audit")
    objective = options["recovery_objective"]
    same = (
        "input", "group", "offsets", "id", "input_id", "order", "per_input", "input_filter",
        "atomic", "partitioner", "golden", "golden_by", "sum_is_zero", "monotonic", "start",
        "stop", "partitions", "sample", "reader", "strict", "max_findings",
    )  # fmt: skip
    changelogs = list(_changelogs(options))
    return AuditSpec(
        output=options["topic"],
        expect=Guarantee(options["expect"]),
        fold=None if changelogs else options["fold"],
        changelogs=changelogs,
        memory_mb=parse_size_mb(options["memory"]),
        patience_s=parse_duration(options["patience"], what="--patience"),
        recovery_objective_s=None
        if objective is None
        else parse_duration(objective, what="--recovery-objective"),
        **{name: options[name] for name in same},
    )


def parse_size_mb(text: str) -> int:
    """`512MB` or `2GB`: mebibytes. Raises UsageError for anything else."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"--memory {text!r} is not a size like 512MB or 2GB")
    return int(match[1]) * (1024 if match[2].lower().startswith("g") else 1)


def _changelogs(options: dict[str, Any]) -> Iterator[Changelog]:
    name, window = options["changelog"], options["windowed"]
    if name is None:
        for option in ("same_as", "dump", "windowed"):
            if options[option] is not None:
                raise UsageError(f"--{option.replace('_', '-')} needs --changelog")
        return
    if all(options[option] is None for option in ("same_as", "dump", "fold")):
        raise UsageError(
            "--changelog needs something to be held against: --same-as TOPIC, --dump FILE, or "
            "--fold python:module:function"
        )
    yield Changelog(
        name=name,
        topic=options["same_as"],
        dump=None if options["dump"] is None else str(options["dump"]),
        fold=options["fold"],
        window=None if window is None else "suffix",
        retention_ms=None
        if window is None
        else round(parse_duration(window, what="--windowed") * 1000),
    )
