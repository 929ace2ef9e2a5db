"""The same figures taken twice: what has changed, and what is only noise.

Two samples of durations are compared by their ranks (Hodges and Lehmann's estimate with the
interval that belongs to the Mann-Whitney test): it holds for any distribution, and for repetitions
that never ended. Means of logarithms (throughputs, rates) are compared by Welch's t. All intervals
of one comparison hold together with 95 %: else one of twenty figures would change by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist, fmean, stdev
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from eoscheck.measure.extra import load
from eoscheck.measure.figures import Estimate
from eoscheck.measure.quantiles import CONFIDENCE

Better = Literal["less", "more"]
Outcome = Literal["regression", "improvement", "no difference", "not judged"]
_EXACT_TO = 2500
"""Products of two sample sizes: beyond it the normal distribution does."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Repetitions of one thing; infinite: it did not end. `by_ratio`: they are positive, and
    compared by their quotient; else by their difference."""

    values: Sequence[float]
    by_ratio: bool = True

    @property
    def middle(self) -> float | None:
        if not self.values:
            return None
        middle = float(np.median(self.values))
        return middle if math.isfinite(middle) else None


@dataclass(frozen=True, kw_only=True)
class LogMean:
    """A positive figure by the mean of its logarithms, that mean's standard error, and the degrees
    of freedom of it."""

    mean: float
    error: float
    freedom: float

    @property
    def middle(self) -> float:
        return math.exp(self.mean)


@dataclass(frozen=True, kw_only=True)
class Figure:
    """`taken` is a plain number where nothing tells how sure it is: it is shown, and not judged."""

    name: str
    unit: str
    better: Better
    taken: Sample | LogMean | float

    @property
    def value(self) -> float | None:
        return self.taken if isinstance(self.taken, float) else self.taken.middle


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """`change`: after / before, or after - before where `by` says so, with its interval."""

    name: str
    unit: str
    better: Better
    before: float | None
    after: float | None
    by: Literal["ratio", "difference"]
    change: Estimate | None
    outcome: Outcome


def log_mean(values: Sequence[float]) -> LogMean | float:
    """Of positive values, at least one."""
    logs = [math.log(value) for value in values]
    if len(logs) < 2:
        return math.exp(logs[0])
    return LogMean(
        mean=fmean(logs), error=stdev(logs) / math.sqrt(len(logs)), freedom=len(logs) - 1
    )


def of_estimate(estimate: Estimate, *, freedom: int) -> LogMean | float:
    """One whose interval was Student's t on the logarithms."""
    low, high = estimate.low, estimate.high
    if low is None or high is None or low <= 0 or freedom < 1:
        return estimate.value
    t = float(load("scipy.special").stdtrit(freedom, (1 + CONFIDENCE) / 2))
    error = (math.log(high) - math.log(low)) / 2 / t
    return LogMean(mean=math.log(estimate.value), error=error, freedom=freedom)


def changes(before: Sequence[Figure], after: Sequence[Figure]) -> list[Change]:
    """Of the figures that both have, in the order of the first."""
    others = {figure.name: figure for figure in after}
    pairs = [(figure, others[figure.name]) for figure in before if figure.name in others]
    judged = sum(_comparable(first, second) for first, second in pairs)
    alpha = (1 - CONFIDENCE) / max(judged, 1)
    return [_change(first, second, alpha=alpha) for first, second in pairs]


def _comparable(first: Figure, second: Figure) -> bool:
    one, two = first.taken, second.taken
    if isinstance(one, LogMean) and isinstance(two, LogMean):
        return True
    return (
        isinstance(one, Sample)
        and isinstance(two, Sample)
        and min(len(one.values), len(two.values)) >= 2
    )


def _change(first: Figure, second: Figure, *, alpha: float) -> Change:
    one, two = first.taken, second.taken
    by: Literal["ratio", "difference"] = "ratio"
    change = None
    if isinstance(one, LogMean) and isinstance(two, LogMean):
        change = _by_means(one, two, alpha=alpha)
    elif isinstance(one, Sample) and isinstance(two, Sample):
        by = "ratio" if one.by_ratio else "difference"
        change = _by_ranks(one, two, alpha=alpha)
    return Change(
        name=first.name,
        unit=first.unit,
        better=first.better,
        before=first.value,
        after=second.value,
        by=by,
        change=change,
        outcome=_outcome(change, none=1.0 if by == "ratio" else 0.0, better=first.better),
    )


def _outcome(change: Estimate | None, *, none: float, better: Better) -> Outcome:
    if change is None or (change.low is None and change.high is None):
        return "not judged"
    rises = change.low is not None and change.low > none
    falls = change.high is not None and change.high < none
    if not (rises or falls):
        return "no difference"
    return "regression" if rises == (better == "less") else "improvement"


def _by_means(one: LogMean, two: LogMean, *, alpha: float) -> Estimate:
    difference, error = two.mean - one.mean, math.hypot(one.error, two.error)
    if error == 0:
        value = math.exp(difference)
        return Estimate(value=value, low=value, high=value)
    freedom = error**4 / (one.error**4 / one.freedom + two.error**4 / two.freedom)
    half = float(load("scipy.special").stdtrit(freedom, 1 - alpha / 2)) * error
    return Estimate(
        value=math.exp(difference),
        low=math.exp(difference - half),
        high=math.exp(difference + half),
    )


def _by_ranks(one: Sample, two: Sample, *, alpha: float) -> Estimate | None:
    if not one.values or not two.values:
        return None
    scale = np.log if one.by_ratio else np.asarray
    back = math.exp if one.by_ratio else float
    first, second = (np.asarray(scale(sample.values), dtype=float) for sample in (one, two))
    with np.errstate(invalid="ignore"):
        apart = (second[:, None] - first[None, :]).ravel()
    apart = np.sort(np.where(np.isnan(apart), 0.0, apart))  # neither of the two has ended
    rank = _rank(len(first), len(second), alpha)
    value = float(np.median(apart))
    if not math.isfinite(value):
        return None

    def bound(at: int) -> float | None:
        return back(float(apart[at])) if rank and math.isfinite(apart[at]) else None

    return Estimate(value=back(value), low=bound(rank - 1), high=bound(len(apart) - rank))


@cache
def _rank(n: int, m: int, alpha: float) -> int:
    """Which of the n * m differences, from either end, bounds the interval; 0: too few of them."""
    if n * m > _EXACT_TO:
        spread = math.sqrt(n * m * (n + m + 1) / 12)
        return max(0, math.floor(n * m / 2 - NormalDist().inv_cdf(1 - alpha / 2) * spread))
    below = np.cumsum(_mann_whitney(n, m))
    return int(np.searchsorted(below, alpha / 2, side="right"))


def _mann_whitney(n: int, m: int) -> NDArray[np.float64]:
    """The probability of each value of U where nothing differs: how many orders of two samples have
    it (the coefficients of a Gaussian binomial), among all."""
    ways = [0] * (n * m + 1)
    ways[0] = 1
    for i in range(1, n + 1):
        for at in range(n * m, m + i - 1, -1):
            ways[at] -= ways[at - m - i]
        for at in range(i, n * m + 1):
            ways[at] += ways[at - i]
    whole = math.comb(n + m, n)
    return np.array([way / whole for way in ways])
