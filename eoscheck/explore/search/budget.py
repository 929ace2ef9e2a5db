"""The time that a search has, for all that it does."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from statistics import median

_REMEMBERED = 9
_LEAST_S = 0.001


class Budget:
    """`seconds` from now on. A run is only begun where its like, so far, has fitted into what is
    left."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._until = self._began + seconds
        self._took: deque[float] = deque(maxlen=_REMEMBERED)

    @property
    def left_s(self) -> float:
        return max(self._until - self._clock(), 0.0)

    @property
    def used_s(self) -> float:
        return self._clock() - self._began

    def allows_a_run(self) -> bool:
        typical = median(self._took) if self._took else 0.0
        return self.left_s >= max(typical, _LEAST_S)

    def timed(self, began: float) -> None:
        """A run that began at `used_s` = `began` is over."""
        self._took.append(self.used_s - began)
