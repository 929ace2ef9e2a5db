"""Latency from the intended send, so that a stall is paid for by all it held up (no coordinated
omission), to the moment a `read_committed` reader had the output."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from eoscheck.measure.extra import load
from eoscheck.measure.figures import Latency, LatencyFigure
from eoscheck.measure.journeys import Journey
from eoscheck.measure.landmarks import Landmarks

_MICROSECONDS = 1_000_000
_DIGITS = 3


def latency(journeys: Iterable[Journey], marks: Landmarks) -> Latency:
    overall: list[float] = []
    steady: list[float] = []
    faults: list[float] = []
    for journey in journeys:
        if journey.seen is None:
            continue
        # A generator that sends what is due in one tick may be a moment early: never below zero.
        took = max(0.0, journey.seen - journey.intended)
        overall.append(took)
        if journey.intended < marks.steady_from:
            continue
        undisturbed = marks.first_fault is None or journey.seen < marks.first_fault
        (steady if undisturbed else faults).append(took)
    return Latency(
        overall=latency_figure(overall),
        steady=latency_figure(steady),
        faults=latency_figure(faults),
    )


def latency_figure(seconds: Sequence[float]) -> LatencyFigure | None:
    """None without any latency."""
    if not seconds:
        return None
    longest = max(seconds)
    ticks = Counter(_five_digits(round(took * _MICROSECONDS)) for took in seconds)
    histogram = load("hdrh.histogram").HdrHistogram(1, max(2, *ticks), _DIGITS)
    for value, times in ticks.items():
        histogram.record_value(value, times)

    def at(percentile: float) -> float:
        # A bucket's upper edge may lie above the largest value in it.
        return min(longest, float(histogram.get_value_at_percentile(percentile)) / _MICROSECONDS)

    return LatencyFigure(
        n=len(seconds), p50=at(50), p90=at(90), p99=at(99), p999=at(99.9), max=longest
    )


def quantile_of(seconds: Sequence[float], quantile: float) -> float:
    """Of latencies, which are many: what the share `quantile` of them does not exceed."""
    ordered = sorted(seconds)
    return ordered[max(0, math.ceil(quantile * len(ordered)) - 1)]


def _five_digits(ticks: int) -> int:
    """The histogram keeps three digits and takes 10 µs for each distinct value it is given."""
    scale: int = 10 ** max(0, len(str(ticks)) - 5)
    return round(ticks / scale) * scale
