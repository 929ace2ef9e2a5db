"""Numbered identities without an input: stretches of a source's numbers are kept together."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from eoscheck.audit.checks.sequence import stretch_of
from eoscheck.audit.rows.block import Block, ColumnSpec, Wanted
from eoscheck.audit.rows.columns import Digests, Flags, Integers, mixed
from eoscheck.audit.rows.records import Records
from eoscheck.audit.rows.shuffle import Budget
from eoscheck.audit.rows.store import Sample, Store, Watcher

_FEW_SOURCES = 1000
_LOWEST = -(2**63)


class NumberedStore(Store):
    """A store whose records have the columns `group` (their source) and `number`; it adds `late`,
    which is 1 where a higher number of the source stood before in the partition."""

    def __init__(
        self,
        topic: str,
        wanted: Wanted,
        *,
        buckets: int,
        budget: Budget,
        kept: Sample | None = None,
        watchers: tuple[Watcher, ...] = (),
    ) -> None:
        super().__init__(
            topic, wanted, buckets=buckets, budget=budget, kept=kept, watchers=watchers
        )
        self._sources: set[int] = set()
        self._highest: dict[tuple[int, int], int] = {}
        self._lowest: dict[tuple[int, int], int] = {}

    @property
    def few_sources(self) -> bool:
        return len(self._sources) <= _FEW_SOURCES

    def whole(self) -> dict[int, tuple[int, int]]:
        """By source: from the highest first number of a partition that has it to the lowest last
        one. Empty where there are too many sources to follow."""
        bounds: dict[int, tuple[int, int]] = {}
        if not self.few_sources:
            return bounds
        for key, highest in self._highest.items():
            first, last = bounds.get(key[1], (_LOWEST, 2**63 - 1))
            bounds[key[1]] = max(first, self._lowest[key]), min(last, highest)
        return bounds

    @property
    def specs(self) -> dict[str, ColumnSpec]:
        return {**super().specs, "late": ColumnSpec(kind="number")}

    def records(self, shard: int) -> Records:
        found = super().records(shard)
        numbers = found.numbers("number")
        assert numbers is not None
        # An integer is its own number, and was not kept twice.
        np.copyto(numbers.value, found.identity.low, where=found.identity.high == 0)
        return found

    def _rows(self, block: Block) -> dict[str, NDArray[Any]]:
        rows = super()._rows(block)
        rows["late.value"] = self._late(block)
        rows["late.known"] = np.ones(len(block), dtype=np.bool_)
        whole = block.identity.high == 0
        rows["number.value"] = np.where(whole, 0, rows["number.value"])
        return rows

    def _hash(self, block: Block) -> Integers:
        source, value, known = _numbers_of(block)
        by_stretch = mixed(source.low, stretch_of(value))
        if known is None:
            return by_stretch
        return np.where(known, by_stretch, super()._hash(block))

    def _late(self, block: Block) -> Integers:
        """Where there are too many sources to follow, everything may be late."""
        source, value, known = _numbers_of(block)
        alike = len(block) == 0 or bool((source.low == source.low[0]).all())
        if self.few_sources:
            self._sources.update(source.low[:1].tolist() if alike else source.low.tolist())
        late = np.ones(len(block), dtype=np.int64)
        if not self.few_sources or not len(block):
            return late
        names = source.low[:1] if alike else np.unique(source.low)
        for name in names.tolist():
            rows: slice | Flags = slice(None) if alike else source.low == name
            numbers = value[rows]
            key = block.partition, name
            highest = np.maximum.accumulate(numbers)
            before = np.append(_LOWEST, highest[:-1])
            np.maximum(before, self._highest.get(key, _LOWEST), out=before)
            late[rows] = numbers < before
            self._lowest[key] = min(int(numbers.min()), self._lowest.get(key, 2**63 - 1))
            self._highest[key] = max(int(highest[-1]), self._highest.get(key, _LOWEST))
        if known is not None:
            late[~known] = 0
        return late


def _numbers_of(block: Block) -> tuple[Digests, Integers, Flags | None]:
    source, numbers = block.columns["group"], block.columns["number"]
    assert isinstance(source, Digests)
    assert not isinstance(numbers, Digests)
    return source, numbers.value, numbers.known
