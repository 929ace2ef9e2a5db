"""Evaluates expressions on records as Python sees them: what the client reader hands on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

import numpy as np

from eoscheck.audit.checks.content import flaw_column
from eoscheck.audit.checks.partitioning import Partitioner, homes
from eoscheck.audit.identity import parse, reads_headers
from eoscheck.audit.multiplicity import parse_multiplicity
from eoscheck.audit.rows.block import Block, BlockSink, Column, ColumnSpec, Numbers, Wanted
from eoscheck.audit.rows.columns import (
    Digests,
    Integers,
    as_numbers,
    as_sequence,
    encode,
    encode_repeating,
)
from eoscheck.audit.rows.digests import digest_contents, digest_values
from eoscheck.audit.rows.records import Content, Misfits, Place, chosen_columns
from eoscheck.history.events import Identity

_MISFITS_SHOWN = 5


class Evaluator:
    """Takes the records of one topic in batches, each partition's in the order of its offsets, and
    hands on blocks of those that have an identity."""

    def __init__(self, topic: str, wanted: Wanted, *, sink: BlockSink) -> None:
        self.topic = topic
        self._wanted = wanted
        self._sink = sink
        self._identity = _Expression(wanted.identity)
        self._expressions = {
            name: _Expression(spec.expression, integers=spec.kind == "number")
            for name, spec in wanted.columns.items()
            if spec.kind in ("identity", "number")
        }
        self._outputs = {
            name: parse_multiplicity(spec.expression, spec.condition)
            for name, spec in wanted.columns.items()
            if spec.kind == "bounds"
        }
        self._next: dict[int, int] = {}

    @property
    def with_headers(self) -> bool:
        if any(spec.kind == "seal" for spec in self._wanted.columns.values()):
            return True
        if any("headers" in outputs.needs for outputs in self._outputs.values()):
            return True
        return any(map(reads_headers, (self._wanted.identity, *self._expressions_of())))

    def _expressions_of(self) -> list[str]:
        kinds = ("identity", "number")
        return [spec.expression for spec in self._wanted.columns.values() if spec.kind in kinds]

    @property
    def unidentified(self) -> int:
        return self._identity.count

    def misfits(self) -> list[Misfits]:
        asked = [
            self._identity,
            *(e for n, e in self._expressions.items() if not self._wanted.columns[n].optional),
        ]
        return [each.misfits() for each in asked if each.count]

    def add(
        self, partitions: Sequence[int], offsets: Sequence[int], contents: Sequence[Content]
    ) -> None:
        """One batch, as columns of equal length."""
        if not contents:
            return
        places = _Places(self.topic, partitions, offsets)
        identities = self._identity(contents, places)
        digests, fits = encode(identities)
        columns = {
            name: self._column(name, spec, contents, places, identities)
            for name, spec in self._wanted.columns.items()
        }
        partition = np.array(partitions, dtype=np.int32)
        offset = np.array(offsets, dtype=np.int64)
        for number in np.unique(partition).tolist():
            rows = partition == number
            if fits is not None:
                rows &= fits
            self._hand_on(number, np.flatnonzero(rows), offset, digests, columns)

    def _hand_on(
        self,
        partition: int,
        rows: Integers,
        offset: Integers,
        identity: Digests,
        columns: dict[str, Column],
    ) -> None:
        # A record that the client handed over twice (after a reconnect, say) is one.
        rows = rows[offset[rows] >= self._next.get(partition, 0)]
        if len(rows) == 0:
            return
        self._next[partition] = int(offset[rows[-1]]) + 1
        self._sink.add(
            Block(
                partition=partition,
                offset=offset[rows],
                identity=Digests(identity.low[rows], identity.high[rows]),
                columns=chosen_columns(columns, rows),
            )
        )

    def _column(
        self,
        name: str,
        spec: ColumnSpec,
        contents: Sequence[Content],
        places: _Places,
        identities: list[Identity | None],
    ) -> Column:
        match spec.kind:
            case "identity":
                return encode_repeating(self._expressions[name](contents, places))
            case "number":
                return Numbers(*as_numbers(self._expressions[name](contents, places)))
            case "source":
                return encode_repeating(as_sequence(identities)[0])
            case "sequence":
                return Numbers(*as_numbers(as_sequence(identities)[1]))
            case "content":
                return digest_contents([key for key, _v, _h in contents], _values(contents))
            case "value":
                return digest_values(_values(contents))
            case "home":
                partitioner = cast(Partitioner, spec.expression)
                return homes([key for key, _value, _headers in contents], partitioner)
            case "seal":
                return flaw_column(contents, places.partitions, topic=self.topic)
            case "bounds":
                least, most, judged = self._outputs[name].of_records(contents)
                return Numbers((least.astype(np.int64) << 32) | most, judged)


def _values(contents: Sequence[Content]) -> list[bytes | None]:
    return [value for _key, value, _headers in contents]


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
