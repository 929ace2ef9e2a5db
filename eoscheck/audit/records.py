"""What an audit keeps of each record: a row of numbers, never the record itself.

The names, times and writers of the few records that a finding shows are read again from the topic.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from eoscheck.audit.columns import (
    Digests,
    Flags,
    Integers,
    as_numbers,
    as_sequence,
    encode,
    encode_repeating,
)
from eoscheck.audit.identity import Headers, parse
from eoscheck.history.events import Identity

Content: TypeAlias = tuple[bytes | None, bytes | None, Headers]
"""(key, value, headers)"""

_MISFITS_SHOWN = 5


class Place(NamedTuple):
    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}@{self.offset}"


@dataclass(frozen=True, kw_only=True)
class Records:
    """The committed records of one topic up to its cut, in the order of (partition, offset).

    `group` and `number` mean what the reader asked for: the key and amount of an input, the result
    of an output, the source and number of a sequence. Rows of a group that did not fit hold a
    digest of nothing; of numbers, `number_known` is false there.
    """

    topic: str
    partition: Integers
    offset: Integers
    identity: Digests
    group: Digests | None = None
    number: Integers | None = None
    number_known: Flags | None = None

    def __len__(self) -> int:
        return len(self.offset)

    def place(self, row: int) -> Place:
        return Place(self.topic, int(self.partition[row]), int(self.offset[row]))


@dataclass(frozen=True, kw_only=True)
class Misfits:
    """Records of a topic that an expression does not fit: how many, and the first of them."""

    expression: str
    count: int
    first: list[Place]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The expressions to evaluate for each record. `sequence` takes group and number from the
    identity itself."""

    identity: str
    group: str | None = None
    number: str | None = None
    sequence: bool = False


class RecordsBuilder:
    """Takes the records of one topic in batches, each partition's in the order of its offsets."""

    def __init__(self, topic: str, wanted: Wanted) -> None:
        self.topic = topic
        self.expressions = tuple(
            each for each in (wanted.identity, wanted.group, wanted.number) if each is not None
        )
        self._sequence = wanted.sequence
        self._identity = _Expression(wanted.identity)
        self._group = _Expression(wanted.group) if wanted.group else None
        self._number = _Expression(wanted.number, integers=True) if wanted.number else None
        self._blocks: list[dict[str, NDArray[Any]]] = []

    def add(
        self, partitions: Sequence[int], offsets: Sequence[int], contents: Sequence[Content]
    ) -> None:
        """One batch, as columns of equal length."""
        places = _Places(self.topic, partitions, offsets)
        identities = self._identity(contents, places)
        groups = self._group(contents, places) if self._group else None
        numbers = self._number(contents, places) if self._number else None
        if self._sequence:
            groups, numbers = as_sequence(identities)
        digests, fits = encode(identities)
        block: dict[str, NDArray[Any]] = {
            "partition": np.array(partitions, dtype=np.int32),
            "offset": np.array(offsets, dtype=np.int64),
            "low": digests.low,
            "high": digests.high,
        }
        if groups is not None:
            block["group_low"], block["group_high"] = encode_repeating(groups)
        if numbers is not None:
            block["number"], known = as_numbers(numbers)
            block["known"] = np.ones(len(numbers), dtype=np.bool_) if known is None else known
        if fits is not None:
            block = {name: column[fits] for name, column in block.items()}
        self._blocks.append(block)

    @property
    def unidentified(self) -> int:
        return self._identity.count

    def misfits(self) -> list[Misfits]:
        asked = [self._identity, self._group, self._number]
        return [each.misfits() for each in asked if each is not None and each.count]

    def finish(self) -> Records:
        """All rows. A record that the client handed over twice (after a reconnect, say) is one."""
        if not self._blocks:
            self.add([], [], [])  # an empty topic has the same columns
        columns = {
            name: np.concatenate([block[name] for block in self._blocks])
            for name in self._blocks[0]
        }
        self._blocks.clear()
        order = np.lexsort((columns["offset"], columns["partition"]))
        repeated = np.zeros(len(order), dtype=np.bool_)
        repeated[1:] = (np.diff(columns["offset"][order]) == 0) & (
            np.diff(columns["partition"][order]) == 0
        )
        order = order[~repeated]
        for name in columns:
            columns[name] = columns[name][order]
        grouped = "group_low" in columns
        return Records(
            topic=self.topic,
            partition=columns["partition"],
            offset=columns["offset"],
            identity=Digests(columns["low"], columns["high"]),
            group=Digests(columns["group_low"], columns["group_high"]) if grouped else None,
            number=columns.get("number"),
            number_known=columns.get("known"),
        )


class _Places(NamedTuple):
    topic: str
    partitions: Sequence[int]
    offsets: Sequence[int]

    def at(self, row: int) -> Place:
        return Place(self.topic, self.partitions[row], self.offsets[row])


class _Expression:
    """Evaluates one expression, and counts the records that it does not fit."""

    def __init__(self, expression: str, *, integers: bool = False) -> None:
        self._expression = expression
        self._identify = parse(expression)
        self._misfit: Callable[[Identity | None], bool] = _no_integer if integers else _nothing
        self._integers = integers
        self._first: list[Place] = []
        self.count = 0

    def __call__(self, contents: Sequence[Content], places: _Places) -> list[Identity | None]:
        identify = self._identify
        found = [identify(key, value, headers) for key, value, headers in contents]
        if None in found or (self._integers and not set(map(type, found)) <= {int}):
            rows = [row for row, each in enumerate(found) if self._misfit(each)]
            self.count += len(rows)
            room = max(0, _MISFITS_SHOWN - len(self._first))
            self._first.extend(places.at(row) for row in rows[:room])
        return found

    def misfits(self) -> Misfits:
        return Misfits(expression=self._expression, count=self.count, first=self._first)


def _nothing(found: Identity | None) -> bool:
    return found is None


def _no_integer(found: Identity | None) -> bool:
    return not isinstance(found, int)
