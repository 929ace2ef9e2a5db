"""Liveness: the longest time in which nothing came out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from eoscheck.history.events import Event, OutputsObserved
from eoscheck.measure.figures import LongestGaps
from eoscheck.measure.landmarks import Landmarks


def longest_gaps(events: Sequence[Event], marks: Landmarks) -> LongestGaps:
    times = sorted({e.t for e in events if isinstance(e, OutputsObserved) and e.identities})
    gaps = [(a, b) for a, b in pairwise(times) if a >= marks.steady_from]
    if times and marks.waiting and marks.end > times[-1]:
        gaps.append((times[-1], marks.end))
    if marks.first_fault is None or marks.last_heal is None:
        return LongestGaps(before=_longest(gaps), during=None, after=None)
    first, last = marks.first_fault, marks.last_heal
    return LongestGaps(
        before=_longest((a, b) for a, b in gaps if b < first),
        during=_longest((a, b) for a, b in gaps if b >= first and a <= last),
        after=_longest((a, b) for a, b in gaps if a > last),
    )


def _longest(gaps: Iterable[tuple[float, float]]) -> float | None:
    return max((b - a for a, b in gaps), default=None)
