"""TORN_TRANSACTION by what is declared to belong together: outputs that share an expression."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eoscheck.audit.checks.outcome import Checked, Doubt, merged
from eoscheck.audit.checks.transactions import Attempts, check_atomic
from eoscheck.audit.findings import Code
from eoscheck.audit.rows.block import Block
from eoscheck.audit.rows.columns import Digests, mixed
from eoscheck.audit.rows.shuffle import Budget, Shuffle, bucket_of


class AtomicCheck:
    """A watcher of the output that keeps, of each committed record, to which group it belongs; and
    of each aborted one too, where the reader is asked to show those to `withheld`."""

    columns = frozenset({"atomic"})

    def __init__(self, topic: str, *, buckets: int, budget: Budget, limit: int) -> None:
        self._topic = topic
        self._limit = limit
        self._shuffle = Shuffle(buckets=buckets, budget=budget)
        self.withheld = _Withheld(self)
        self.shown = False
        """Whether the reader could show the aborted ones."""

    def add(self, block: Block, *, committed: bool = True) -> None:
        group = block.columns["atomic"]
        assert isinstance(group, Digests)
        columns: dict[str, NDArray[Any]] = {
            "partition": np.full(len(block), block.partition, dtype=np.int32),
            "offset": block.offset,
            "low": block.identity.low,
            "high": block.identity.high,
            "group_low": group.low,
            "group_high": group.high,
            "committed": np.full(len(block), committed, dtype=np.bool_),
        }
        self._shuffle.add(bucket_of(mixed(*group), len(self._shuffle)), columns)

    def finish(self) -> Checked:
        if not self.shown:
            reason = (
                "aborted records can be read by the compiled reader only: --reader fast, "
                "pip install 'eoscheck[fast]'"
            )
            return Checked(unknowns=[Doubt(subject=Code.TORN_TRANSACTION, reason=reason)])
        return merged(self._by_shard(), limit=self._limit)

    def _by_shard(self) -> Iterator[Checked]:
        for shard in range(len(self._shuffle)):
            rows = self._shuffle.read(shard)
            if rows:
                attempts = Attempts(
                    topic=self._topic,
                    group=Digests(rows["group_low"], rows["group_high"]),
                    identity=Digests(rows["low"], rows["high"]),
                    committed=rows["committed"],
                    partition=rows["partition"],
                    offset=rows["offset"],
                )
                yield check_atomic(attempts, limit=self._limit)


class _Withheld:
    def __init__(self, check: AtomicCheck) -> None:
        self._check = check

    def add(self, block: Block) -> None:
        self._check.add(block, committed=False)
