"""The records of one topic, brought together by identity or by key as they are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from eoscheck.audit.block import Block, BlockSink, ColumnSpec, Wanted
from eoscheck.audit.checks.sequence import stretch_of
from eoscheck.audit.columns import Digests, Flags, Integers, mixed
from eoscheck.audit.records import Records, chosen_columns, from_rows, to_rows
from eoscheck.audit.shuffle import Budget, Shuffle, bucket_of

_FEW_SOURCES = 1000


class Store:
    """A sink of blocks. `wanted` is what has to be read, `keeps` the columns of it that are kept
    (by default all). Rows go together by their identity, or `by` that column. `stretched` keeps
    runs of a source's numbers together (columns `group` and `number`), for checks of sequences.
    `kept` picks the rows of a sample; `watchers` are given every block before that."""

    def __init__(
        self,
        topic: str,
        wanted: Wanted,
        *,
        buckets: int,
        budget: Budget,
        stretched: bool = False,
        by: str | None = None,
        keeps: Mapping[str, ColumnSpec] | None = None,
        kept: Callable[[Digests], Flags] | None = None,
        watchers: Sequence[BlockSink] = (),
    ) -> None:
        self.topic = topic
        self.wanted = wanted
        self.rows = 0
        self._stretched = stretched
        self._by = by
        self._keeps = wanted.columns if keeps is None else keeps
        self._kept = kept
        self._watchers = list(watchers)
        self._sources: set[int] = set()
        self._shuffle = Shuffle(buckets=buckets, budget=budget)

    def watch(self, watcher: BlockSink) -> None:
        """It will be given each block."""
        self._watchers.append(watcher)

    def add(self, block: Block) -> None:
        for watcher in self._watchers:
            watcher.add(block)
        if len(block.columns) > len(self._keeps):
            block = replace(block, columns={name: block.columns[name] for name in self._keeps})
        if self._kept is not None:
            rows = np.flatnonzero(self._kept(block.identity))
            block = Block(
                partition=block.partition,
                offset=block.offset[rows],
                identity=Digests(block.identity.low[rows], block.identity.high[rows]),
                columns=chosen_columns(block.columns, rows),
            )
        self.rows += len(block)
        columns = to_rows(block)
        if self._stretched:
            # An integer is its own number: it is not kept twice.
            columns["number.value"] = np.where(block.identity.high == 0, 0, columns["number.value"])
        self._shuffle.add(bucket_of(self._hash(block), len(self._shuffle)), columns)

    def __len__(self) -> int:
        """How many shards."""
        return len(self._shuffle)

    def records(self, shard: int) -> Records:
        rows = self._shuffle.read(shard)
        if self._stretched and rows:
            np.copyto(rows["number.value"], rows["low"], where=rows["high"] == 0)
        return from_rows(self.topic, rows, self._keeps)

    def clear(self) -> None:
        self._shuffle.clear()

    @property
    def few_sources(self) -> bool:
        """Of a stretched store: whether its identities come from some sources only."""
        return len(self._sources) <= _FEW_SOURCES

    def _hash(self, block: Block) -> Integers:
        if self._by is not None:
            column = block.columns[self._by]
            assert isinstance(column, Digests)
            return mixed(*column)
        by_identity = mixed(*block.identity)
        if not self._stretched:
            return by_identity
        source, numbers = block.columns["group"], block.columns["number"]
        assert isinstance(source, Digests)
        assert not isinstance(numbers, Digests)
        if self.few_sources:
            self._sources.update(np.unique(source.low).tolist())
        by_stretch = mixed(source.low, stretch_of(numbers.value))
        return (
            by_stretch
            if numbers.known is None
            else np.where(numbers.known, by_stretch, by_identity)
        )


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

    def clear(self) -> None:
        self._shuffle.clear()
