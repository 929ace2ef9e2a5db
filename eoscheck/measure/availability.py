"""Availability: the longest time in which input waited and nothing came out."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from msgspec.structs import replace

from eoscheck.history.events import Event, OutputsObserved
from eoscheck.measure.figures import Outage, Recovery
from eoscheck.measure.journeys import Journey
from eoscheck.measure.landmarks import Landmarks


def outages(events: Sequence[Event], journeys: Sequence[Journey], marks: Landmarks) -> list[Outage]:
    """Every stretch between two moments with committed outputs in which an input waited for its
    own, that began while the load ran; in order. A silence at the end counts where input waits."""
    times = sorted({e.t for e in events if isinstance(e, OutputsObserved) and e.identities})
    moments = [marks.steady_from, *(t for t in times if t > marks.steady_from)]
    if marks.waiting and marks.end > moments[-1]:
        moments.append(marks.end)
    waiting = _Waiting(journeys)
    found = []
    for begin, end in pairwise(moments):
        start = max(begin, waiting.since(end))
        if start < min(end, marks.drain):
            found.append(Outage(t=start, seconds=end - start))
    return found


def longest(found: Sequence[Outage]) -> Outage | None:
    return max(found, key=lambda outage: outage.seconds, default=None)


def with_outages(judged: Sequence[Recovery], found: Sequence[Outage]) -> list[Recovery]:
    """Each fault with the longest stretch that touches the time from its injection to its heal."""
    return [replace(fault, longest_outage_s=_during(fault, found)) for fault in judged]


def _during(fault: Recovery, found: Sequence[Outage]) -> float | None:
    healed = math.inf if fault.healed_at is None else fault.healed_at
    touching = [each for each in found if each.end >= fault.t and each.t <= healed]
    most = longest(touching)
    return None if most is None else most.seconds


class _Waiting:
    """Since when does the oldest of the inputs wait whose output comes at t or later, or never?"""

    def __init__(self, journeys: Sequence[Journey]) -> None:
        ends = [(math.inf if j.seen is None else j.seen, j.intended) for j in journeys]
        ends.sort()
        self._seen = [seen for seen, _ in ends]
        self._since = [intended for _, intended in ends]
        for i in range(len(ends) - 2, -1, -1):
            self._since[i] = min(self._since[i], self._since[i + 1])

    def since(self, t: float) -> float:
        """Infinite where none does."""
        i = bisect_left(self._seen, t)
        return self._since[i] if i < len(self._since) else math.inf
