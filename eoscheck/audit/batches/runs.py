"""Offsets that a client gave, as runs of neighbours: how many are there between two offsets?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from eoscheck.audit.batches.markers import NEVER

Numbers = NDArray[np.int64]


class Runs:
    """16 bytes for each run: about one for each transaction. What was read is from `start` to
    below `stop`."""

    def __init__(self) -> None:
        self.start, self.stop = 0, int(NEVER)
        self._parts: list[tuple[Numbers, Numbers]] = []
        self._firsts = self._ends = self._before = np.zeros(0, dtype=np.int64)

    def add(self, offsets: Numbers) -> None:
        """In any order; one given twice counts once."""
        if not len(offsets):
            return
        if (np.diff(offsets) <= 0).any():
            offsets = np.unique(offsets)
        cut = np.flatnonzero(np.diff(offsets) != 1)
        firsts = offsets[np.append(0, cut + 1)]
        ends = offsets[np.append(cut, len(offsets) - 1)] + 1
        self._parts.append((firsts, ends))

    def count(self, first: Numbers, last: Numbers) -> Numbers:
        """How many were given from each `first` to each `last`, both included."""
        self._merge()
        return self._below(last + 1) - self._below(first)

    def _below(self, offset: Numbers) -> Numbers:
        if not len(self._firsts):
            return np.zeros(len(offset), dtype=np.int64)
        run = np.searchsorted(self._firsts, offset) - 1
        there = np.minimum(offset, self._ends[run]) - self._firsts[run]
        return np.where(run < 0, 0, self._before[run] + there)

    def _merge(self) -> None:
        if not self._parts:
            return
        parts = [(self._firsts, self._ends), *self._parts]
        firsts = np.concatenate([part[0] for part in parts])
        ends = np.concatenate([part[1] for part in parts])
        order = np.argsort(firsts, kind="stable")
        firsts, ends = firsts[order], np.maximum.accumulate(ends[order])
        apart = np.append(True, firsts[1:] > ends[:-1])
        starts = np.flatnonzero(apart)
        self._firsts = firsts[starts]
        self._ends = ends[np.append(starts[1:] - 1, len(firsts) - 1)]
        self._before = np.append(0, np.cumsum(self._ends - self._firsts)[:-1])
        self._parts = []
