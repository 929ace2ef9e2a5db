"""The records of one topic, brought together by identity or by key as they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from eoscheck.audit.checks.outcome import Checked
from eoscheck.audit.rows.block import Block, ColumnSpec, Wanted
from eoscheck.audit.rows.columns import Digests, Flags, Integers, mixed
from eoscheck.audit.rows.records import Records, chosen_columns, from_rows, to_rows
from eoscheck.audit.rows.shuffle import Budget, Shuffle, bucket_of

Sample: TypeAlias = Callable[[Digests], Flags]
"""Which identities are kept."""


class Watcher(Protocol):
    """A check that keeps no records. `columns` are those it looks at: nobody else needs them."""

    @property
    def columns(self) -> frozenset[str]: ...

    def add(self, block: Block) -> None: ...

    def finish(self) -> Checked: ...


class Store:
    """A sink of blocks. Rows go together by their identity, or `by` that column. `kept` picks the
    rows of a sample; `watchers` are given every block before that."""

    def __init__(
        self,
        topic: str,
        wanted: Wanted,
        *,
        buckets: int,
        budget: Budget,
        by: str | None = None,
        kept: Sample | None = None,
        watchers: tuple[Watcher, ...] = (),
    ) -> None:
        self.topic = topic
        self.wanted = wanted
        self.rows = 0
        self.watchers = watchers
        self._by = by
        self._kept = kept
        self._watched = frozenset[str]().union(*(watcher.columns for watcher in watchers))
        self._shuffle = Shuffle(buckets=buckets, budget=budget)

    def add(self, block: Block) -> None:
        for watcher in self.watchers:
            watcher.add(block)
        columns = {name: c for name, c in block.columns.items() if name not in self._watched}
        identity, offset = block.identity, block.offset
        if self._kept is not None:
            rows = np.flatnonzero(self._kept(identity))
            identity, offset = Digests(identity.low[rows], identity.high[rows]), offset[rows]
            columns = chosen_columns(columns, rows)
        block = Block(partition=block.partition, offset=offset, identity=identity, columns=columns)
        self.rows += len(block)
        self._shuffle.add(bucket_of(self._hash(block), len(self._shuffle)), self._rows(block))

    def __len__(self) -> int:
        """How many shards."""
        return len(self._shuffle)

    @property
    def specs(self) -> dict[str, ColumnSpec]:
        """The columns of its records."""
        return {n: spec for n, spec in self.wanted.columns.items() if n not in self._watched}

    def records(self, shard: int) -> Records:
        return from_rows(self.topic, self._shuffle.read(shard), self.specs)

    def _rows(self, block: Block) -> dict[str, NDArray[Any]]:
        return to_rows(block)

    def _hash(self, block: Block) -> Integers:
        column = block.identity if self._by is None else block.columns[self._by]
        assert isinstance(column, Digests)
        return mixed(*column)


class Rearranged:
    """Records of both sides of a pipeline, brought together anew: by the key of the input."""

    def __init__(self, topic: str, *, buckets: int, budget: Budget) -> None:
        self._topic = topic
        self._specs: Mapping[str, ColumnSpec] = {}
        self._shuffle = Shuffle(buckets=buckets, budget=budget)

    def add(self, records: Records, bucket: Integers, specs: Mapping[str, ColumnSpec]) -> None:
        """Rows with a negative bucket are left out."""
        self._specs = specs
        rows = np.flatnonzero(bucket >= 0)
        self._shuffle.add(bucket[rows].astype(np.uint16), to_rows(records.chosen(rows)))

    def records(self, shard: int) -> Records:
        found = from_rows(self._topic, self._shuffle.read(shard), self._specs)
        return found.chosen(np.lexsort((found.offset, found.partition)))
