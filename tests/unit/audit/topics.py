"""Topics as plain lists, and as the columns that the checks take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from eoscheck.audit.capture import Captured
from eoscheck.audit.checks.outcome import Checked, merged
from eoscheck.audit.plan import wanted_of_input, wanted_of_output
from eoscheck.audit.readers.evaluate import Evaluator
from eoscheck.audit.readers.reading import Read
from eoscheck.audit.readers.scan import Reached, Span
from eoscheck.audit.rows.block import ColumnSpec, Wanted
from eoscheck.audit.rows.columns import Flags
from eoscheck.audit.rows.numbered import NumberedStore
from eoscheck.audit.rows.records import Records
from eoscheck.audit.rows.shuffle import Budget
from eoscheck.audit.rows.store import Store
from eoscheck.audit.shards import Shards, check_shards
from eoscheck.audit.spec import AuditSpec
from eoscheck.history.events import Identity

OUTPUT = "receipts"
INPUT = "payments"


@dataclass(frozen=True)
class Row:
    """One committed record. Its offset is its place in the list, plus holes where `offset` says."""

    identity: Identity
    key: str = "k"
    number: int | None = None
    offset: int | None = None


Topic = Mapping[int, Sequence[Row]]
"""partition -> records"""


def offsets(rows: Sequence[Row]) -> list[int]:
    return [index if row.offset is None else row.offset for index, row in enumerate(rows)]


ROOMY = (1 << 30, 1 << 20)
"""Bytes of rows in memory, rows a shard."""
CRAMPED = (0, 3)
"""Everything on disk, in many small shards."""


def wanted(
    *,
    identity: str = "json:/id",
    group: str | None = None,
    number: str | None = None,
    sequence: bool = False,
) -> Wanted:
    columns: dict[str, ColumnSpec] = {}
    if sequence:
        columns["group"] = ColumnSpec(kind="source", expression=identity)
        columns["number"] = ColumnSpec(kind="sequence", expression=identity)
    if group:
        columns["group"] = ColumnSpec(kind="identity", expression=group)
    if number:
        columns["number"] = ColumnSpec(kind="number", expression=number)
    return Wanted(identity=identity, columns=columns)


def store(
    name: str,
    topic: Topic,
    asked: Wanted | None = None,
    *,
    budget: Budget | None = None,
    buckets: int = 1,
) -> Store:
    """As a scan would fill it: JSON values with `id` and `n`, the key as it is."""
    asked = asked or wanted()
    numbered = any(spec.kind == "sequence" for spec in asked.columns.values())
    kind = NumberedStore if numbered else Store
    found = kind(
        name,
        asked,
        buckets=buckets,
        budget=budget or Budget(rows_bytes=ROOMY[0], shard_rows=ROOMY[1]),
    )
    evaluator = Evaluator(name, asked, sink=found)
    for partition, rows in topic.items():
        values = [
            msgspec.json.encode(
                {"id": row.identity} | ({} if row.number is None else {"n": row.number})
            )
            for row in rows
        ]
        contents = [
            (row.key.encode(), value, None) for row, value in zip(rows, values, strict=True)
        ]
        evaluator.add([partition] * len(rows), offsets(rows), contents)
    assert not evaluator.unidentified
    return found


def records(name: str, topic: Topic, asked: Wanted | None = None) -> Records:
    return store(name, topic, asked).records(0)


def check_all(
    output: Topic,
    source: Topic | None = None,
    *,
    due_below: Mapping[int, int] | None = None,
    spec: AuditSpec | None = None,
    settled: bool = True,
    room: tuple[int, int] = ROOMY,
    output_gaps: Sequence[str] = (),
) -> Checked:
    """Every check, as an audit makes them of topics that were read."""
    spec = spec or AuditSpec(
        output=OUTPUT, input=None if source is None else INPUT, id="json:/id", max_findings=10_000
    )
    with Budget(rows_bytes=room[0], shard_rows=room[1]) as budget:
        shards = budget.buckets(max(ends(output), ends(source or {})))
        captured = Captured(
            output=store(OUTPUT, output, wanted_of_output(spec), budget=budget, buckets=shards),
            output_read=read(OUTPUT, output, gaps=output_gaps),
            input=None
            if source is None
            else store(INPUT, source, wanted_of_input(spec), budget=budget, buckets=shards),
            input_read=None if source is None else read(INPUT, source),
            due_below=due_below
            if due_below is not None
            else {n: max(offsets(rows), default=-1) + 1 for n, rows in (source or {}).items()},
        )
        made = Shards(spec=spec, captured=captured, budget=budget)
        parts = list(check_shards(made, moves=lambda _seconds: not settled, watch_s=0))
    return merged(parts, limit=spec.max_findings)


def ends(topic: Topic) -> int:
    return sum(max(offsets(rows), default=-1) + 1 for rows in topic.values())


def read(name: str, topic: Topic, gaps: Sequence[str] = ()) -> Read:
    return Read(
        topic=name,
        partitions={
            number: Reached(span=Span(start=0, cut=cut), position=cut)
            for number, rows in topic.items()
            for cut in [max(offsets(rows), default=-1) + 1]
        },
        gaps=gaps,
    )


def below(found: Records, limits: Mapping[int, int]) -> Flags:
    return np.array(
        [
            offset < limits.get(partition, 0)
            for partition, offset in zip(found.partition, found.offset, strict=True)
        ],
        dtype=np.bool_,
    )


def line(*identities: Identity) -> list[Row]:
    return [Row(identity) for identity in identities]
