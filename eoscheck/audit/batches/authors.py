"""Which producer wrote an offset: runs of batches, by the headers that a raw reading follows."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

import numpy as np

from eoscheck.audit.rows.columns import Integers
from eoscheck.logformat.batches import Batches, Control

MOST_RUNS = 2_000_000
"""16 bytes each: beyond that nothing more is kept, and later offsets have no known author."""


@dataclass
class _Runs:
    """Where another producer begins to write, and which."""

    start: array[int] = field(default_factory=lambda: array("q"))
    producer_id: array[int] = field(default_factory=lambda: array("q"))


class Authors:
    """Takes the batches of one topic, each partition's in the order of its log."""

    def __init__(self, *, most_runs: int = MOST_RUNS) -> None:
        self._most = most_runs
        self._count = 0
        self._partitions: dict[int, _Runs] = {}
        self._ends: dict[int, int] = {}

    def take(self, partition: int, batches: Batches) -> None:
        data = np.flatnonzero((batches.control == Control.DATA) & batches.intact)
        if not len(data) or self._count >= self._most:
            return  # the ends stay where they are: nothing beyond them is known
        runs = self._partitions.setdefault(partition, _Runs())
        producer = np.where(batches.transactional[data], batches.producer_id[data], -1)
        before = runs.producer_id[-1] if runs.producer_id else -2
        changes = np.flatnonzero(np.diff(producer, prepend=before))
        if self._count + len(changes) > self._most:
            self._count = self._most
            return
        runs.start.extend(batches.base_offset[data][changes].tolist())
        runs.producer_id.extend(producer[changes].tolist())
        self._count += len(changes)
        self._ends[partition] = int(batches.last_offset[data[-1]]) + 1

    def of(self, partition: Integers, offset: Integers) -> Integers:
        """The producer ids of records; -1 where there is none: written outside a transaction, or
        not known here."""
        found = np.full(len(offset), -1, dtype=np.int64)
        for number in np.unique(partition).tolist():
            runs = self._partitions.get(number)
            if runs is None:
                continue
            rows = np.flatnonzero(partition == number)
            run = np.searchsorted(np.array(runs.start), offset[rows], side="right") - 1
            known = (run >= 0) & (offset[rows] < self._ends[number])
            found[rows[known]] = np.array(runs.producer_id, dtype=np.int64)[run[known]]
        return found
