"""Sizes and durations of any number of transactions in a fixed space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BITS = 6
_EXACT = 1 << _BITS
"""Numbers below are counted exactly; above, in 32 steps to each doubling: within 1.6 %."""
_STEPS = _EXACT >> 1
_BUCKETS = _EXACT + (63 - _BITS) * _STEPS


class Spread:
    """How whole numbers of at least 0 are spread: 15 kB, filled a column at a time.

    Buckets as HdrHistogram's, whose Python package takes one number at a time, a microsecond each.
    """

    def __init__(self) -> None:
        self._counts = np.zeros(_BUCKETS, dtype=np.int64)
        self._max = 0

    def add(self, numbers: NDArray[np.int64]) -> None:
        if not len(numbers):
            return
        self._max = max(self._max, int(numbers.max()))
        _fraction, exponent = np.frexp(numbers.astype(np.float64))
        shift = np.maximum(exponent.astype(np.int64) - _BITS, 0)
        self._counts += np.bincount(shift * _STEPS + (numbers >> shift), minlength=_BUCKETS)

    def summary(self) -> dict[str, float]:
        """`p50`, `p99` and `max`; empty where nothing was counted."""
        total = int(self._counts.sum())
        if not total:
            return {}
        return {"p50": self._quantile(0.5), "p99": self._quantile(0.99), "max": float(self._max)}

    def _quantile(self, share: float) -> float:
        reached = np.cumsum(self._counts)
        rank = max(1, int(np.ceil(share * int(reached[-1]))))
        bucket = int(np.searchsorted(reached, rank))
        if bucket < _EXACT:
            return float(bucket)
        shift = (bucket - _EXACT) // _STEPS + 1
        low = (bucket - shift * _STEPS) << shift
        return float(min(low + (1 << shift) // 2, self._max))
