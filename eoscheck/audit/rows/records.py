"""What an audit keeps of each record: a row of numbers, never the record itself.

The names, times and writers of the few records that a finding shows are read again from the topic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from eoscheck.audit.identity import Headers
from eoscheck.audit.rows.block import Block, Column, ColumnSpec, Numbers
from eoscheck.audit.rows.columns import Digests, Flags, Integers

Content: TypeAlias = tuple[bytes | None, bytes | None, Headers]
"""(key, value, headers)"""


class Place(NamedTuple):
    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}@{self.offset}"


@dataclass(frozen=True, kw_only=True)
class Misfits:
    """Records of a topic that an expression does not fit: how many, and the first of them."""

    expression: str
    count: int
    first: list[Place]


@dataclass(frozen=True, kw_only=True)
class Records:
    """Committed records of one topic, all of them or one shard, ordered by partition and offset.

    Columns that checks know by name: `group` and `number` are the key and amount of an input,
    the result of an output, or the source and number of a sequence. `*_known` is false where a
    number did not fit.
    """

    topic: str
    partition: Integers
    offset: Integers
    identity: Digests
    columns: Mapping[str, Column] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.offset)

    def place(self, row: int) -> Place:
        return Place(self.topic, int(self.partition[row]), int(self.offset[row]))

    @property
    def group(self) -> Digests | None:
        return self.digests("group")

    @property
    def number(self) -> Integers | None:
        numbers = self.numbers("number")
        return None if numbers is None else numbers.value

    @property
    def number_known(self) -> Flags | None:
        """Of every row."""
        numbers = self.numbers("number")
        if numbers is None or numbers.known is not None:
            return None if numbers is None else numbers.known
        return np.ones(len(self), dtype=np.bool_)

    def digests(self, name: str) -> Digests | None:
        column = self.columns.get(name)
        return column if isinstance(column, Digests) else None

    def numbers(self, name: str) -> Numbers | None:
        column = self.columns.get(name)
        return column if isinstance(column, Numbers) else None

    def chosen(self, rows: Integers | Flags) -> Records:
        """Those rows, in their order."""
        return Records(
            topic=self.topic,
            partition=self.partition[rows],
            offset=self.offset[rows],
            identity=Digests(*(part[rows] for part in self.identity)),
            columns=chosen_columns(self.columns, rows),
        )


def chosen_columns(columns: Mapping[str, Column], rows: Integers | Flags) -> dict[str, Column]:
    """Those rows of each column."""
    return {name: _chosen(column, rows) for name, column in columns.items()}


def _chosen(column: Column, rows: Integers | Flags) -> Column:
    if isinstance(column, Digests):
        return Digests(column.low[rows], column.high[rows])
    return Numbers(column.value[rows], None if column.known is None else column.known[rows])


def is_digest(spec: ColumnSpec) -> bool:
    return spec.kind in ("identity", "source", "content", "value")


def to_rows(found: Block | Records) -> dict[str, NDArray[Any]]:
    """As the plain columns that a shuffle takes; `from_rows` makes records of them."""
    rows: dict[str, NDArray[Any]] = {
        "partition": np.full(len(found), found.partition, dtype=np.int32)
        if isinstance(found, Block)
        else found.partition,
        "offset": found.offset,
        "low": found.identity.low,
        "high": found.identity.high,
    }
    for name, column in found.columns.items():
        if isinstance(column, Digests):
            rows[f"{name}.low"], rows[f"{name}.high"] = column
        else:
            known = column.known
            rows[f"{name}.value"] = column.value
            rows[f"{name}.known"] = np.ones(len(found), dtype=np.bool_) if known is None else known
    return rows


def from_rows(
    topic: str, rows: Mapping[str, NDArray[Any]], specs: Mapping[str, ColumnSpec]
) -> Records:
    """Records of what a shuffle holds; within a partition they came in the order of the log."""
    if not rows:
        nothing = np.zeros(0, dtype=np.int64)
        rows = {"partition": nothing, "offset": nothing, "low": nothing, "high": nothing}
        rows |= {f"{n}.{part}": nothing for n in specs for part in ("low", "high", "value")}
        rows |= {f"{name}.known": np.zeros(0, dtype=np.bool_) for name in specs}
    columns: dict[str, Column] = {
        name: Digests(rows[f"{name}.low"], rows[f"{name}.high"])
        if is_digest(spec)
        else Numbers(rows[f"{name}.value"], rows[f"{name}.known"])
        for name, spec in specs.items()
    }
    found = Records(
        topic=topic,
        partition=rows["partition"],
        offset=rows["offset"],
        identity=Digests(rows["low"], rows["high"]),
        columns=columns,
    )
    partition = found.partition
    if len(partition) and (np.diff(partition) < 0).any():
        found = found.chosen(np.argsort(partition, kind="stable"))
    return found
