"""Open-loop pacing: when each record should leave, whatever the cluster does."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

SHORTEST_WAIT_S = 0.002
"""The client counts in whole milliseconds: a poll for less than one returns at once, and a loop
of those keeps a core busy."""
LONGEST_WAIT_S = 0.05
"""What a stop may wait for."""


class Paced:
    """Record n is due at `start + n / rate` (seconds of the run's clock).

    A late sender catches up at once and skips nothing: the intended times stay what they are, so a
    stall shows in every latency taken from them (no coordinated omission).
    """

    def __init__(self, *, rate: float, start: float) -> None:
        self._rate = rate
        self._start = start

    def due(self, now: float) -> float:
        """How many records should have been sent by `now`."""
        # Of two readings of a clock one may be earlier than the other's intended time by rounding.
        return max(0, math.floor((now - self._start) * self._rate + 1e-6) + 1)

    def intended(self, seq: int) -> float:
        return self._start + seq / self._rate


class Timed:
    """Record n is due `offsets[n]` seconds after `start`; they do not fall. What is late is caught
    up as with `Paced`."""

    def __init__(self, offsets: NDArray[np.float64], *, start: float) -> None:
        self._offsets = offsets
        self._start = start

    def due(self, now: float) -> float:
        return int(np.searchsorted(self._offsets, now - self._start + 1e-6, side="right"))

    def intended(self, seq: int) -> float:
        """Of one behind the last: that of the last."""
        return self._start + float(self._offsets[min(seq, len(self._offsets) - 1)])


class Unpaced:
    """Every record is due at once: its intended time is when it is sent."""

    def __init__(self, *, start: float) -> None:
        self._now = start

    def due(self, now: float) -> float:
        self._now = now
        return math.inf

    def intended(self, seq: int) -> float:
        return self._now


def wait_s(gap: float) -> float:
    """How long to serve the client when the next record is due in `gap` seconds."""
    return 0.0 if gap <= 0 else min(max(gap, SHORTEST_WAIT_S), LONGEST_WAIT_S)
