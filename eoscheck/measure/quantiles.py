"""Quantiles of few repetitions, and what so few can promise about the true ones."""

from __future__ import annotations

import math
from collections.abc import Sequence

from eoscheck.errors import UsageError
from eoscheck.measure.extra import load
from eoscheck.measure.figures import Distribution, Quantile

CONFIDENCE = 0.95


def distribution(durations: Sequence[float], *, censored: int = 0) -> Distribution | None:
    """`censored` more repetitions had not ended when they were last seen: they count as longer
    than every other. None without any repetition. Raises UsageError for a duration that is no
    number."""
    if any(math.isnan(duration) or math.isinf(duration) for duration in durations):
        raise UsageError("durations are finite numbers: give those without an end as `censored`")
    ordered = sorted(durations) + [math.inf] * censored
    if not ordered:
        return None
    return Distribution(
        n=len(ordered),
        censored=censored,
        p50=_quantile(ordered, 0.5),
        p90=_quantile(ordered, 0.9) if can_bound(0.9, n=len(ordered)) else None,
        p99=_quantile(ordered, 0.99) if can_bound(0.99, n=len(ordered)) else None,
        max=_finite(ordered[-1]),
    )


def can_bound(q: float, *, n: int) -> bool:
    """Whether the largest of n is an upper bound of the q quantile: 1 - q**n >= 95 %."""
    return 1 - q**n >= CONFIDENCE


def upper_rank(q: float, *, n: int) -> int | None:
    """The smallest k for which the k-th smallest of n is at or above the true q quantile with
    95 % confidence, whatever the distribution: P[Binomial(n, q) < k] >= 95 %."""
    if not can_bound(q, n=n):
        return None
    return int(load("scipy.stats").binom.ppf(CONFIDENCE, n, q)) + 1


def _quantile(ordered: Sequence[float], q: float) -> Quantile:
    rank = upper_rank(q, n=len(ordered))
    return Quantile(
        value=_finite(_interpolated(ordered, q)),
        upper=None if rank is None else _finite(ordered[rank - 1]),
    )


def _interpolated(ordered: Sequence[float], q: float) -> float:
    """Linear between order statistics (Hyndman and Fan's type 7): the usual median for q = 0.5."""
    position = (len(ordered) - 1) * q
    below = math.floor(position)
    share = position - below
    if share == 0:
        return ordered[below]
    low, high = ordered[below], ordered[below + 1]
    return high if math.isinf(high) else low + share * (high - low)


def _finite(value: float) -> float | None:
    return None if math.isinf(value) else value
