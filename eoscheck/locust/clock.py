"""The run's time on a worker: the master's clock, as far as messages can tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Offset:
    """What must be added to this machine's monotonic clock to have the master's, in seconds; it is
    wrong by `error` at most (Cristian's algorithm: half of the quickest round trip)."""

    seconds: float = 0.0
    error: float = float("inf")

    def answered(self, *, sent: float, theirs: float, received: float) -> None:
        """A question sent and its answer received by our clock; `theirs` was read in between."""
        error = (received - sent) / 2
        if error < self.error:
            self.error = error
            self.seconds = theirs - (sent + received) / 2

    @property
    def certain(self) -> float:
        """Zero where the clocks may be the same one: on one machine they are."""
        return self.seconds if abs(self.seconds) > self.error else 0.0


def run_clock(origin: float, offset: Offset, monotonic: Callable[[], float]) -> Callable[[], float]:
    """Seconds of the run; `origin` by the master's monotonic clock."""
    begin = origin - offset.certain
    return lambda: monotonic() - begin
