"""What a reader hands on: a run of one partition's records as columns of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol, TypeAlias

from eoscheck.audit.rows.columns import Digests, Flags, Integers

Kind: TypeAlias = Literal[
    "identity", "number", "source", "sequence", "content", "value", "home", "bounds", "seal"
]
"""How a column is made of a record.

`identity`: an expression, as `Digests`. `number`: an expression that must give an integer of 64
bits, as `Numbers`. `source` and `sequence`: of an identity expression that ends in a number, what
stands before it (`Digests`) and that number (`Numbers`). `content`: a digest of key and value
together. `value`: a digest of the raw value, nothing for a tombstone. `home`: the hash of the
raw key that a partitioner takes modulo the partitions, 31 bits for `murmur2` (Java's default) and
32 for `crc32` (librdkafka's), as `Numbers`, not known for a null key; the expression is its name.
`bounds`: how many outputs the record must (the upper 32 bits) and may have, not known where the
user's function does not tell. `seal`: what is wrong with a record of the load by its own seal
(`checks.content.Flaw`, 0 for nothing), not known where it has none.
"""


class Numbers(NamedTuple):
    """64-bit integers, and which of them are there: None where all are."""

    value: Integers
    known: Flags | None


Column: TypeAlias = Digests | Numbers


@dataclass(frozen=True, kw_only=True)
class ColumnSpec:
    """`optional`: a record that the expression does not fit is none of our business. `condition` is
    the filter of `bounds`."""

    kind: Kind
    expression: str = ""
    optional: bool = False
    condition: str | None = None


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What has to be evaluated for each record: its identity, and further columns by name."""

    identity: str
    columns: Mapping[str, ColumnSpec] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Block:
    """Committed records of one partition that have an identity, in the order of their offsets."""

    partition: int
    offset: Integers
    identity: Digests
    columns: Mapping[str, Column] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.offset)


class BlockSink(Protocol):
    """Takes what was read. Blocks of a partition come in the order of its log."""

    def add(self, block: Block) -> None: ...
