"""Restore times on a straight line of the state's size, and how far that line can be trusted.

seconds = fixed + megabytes * slope, where a restore is off by a share of its time (a slow machine
slows a long restore by more seconds than a short one): least squares of the logarithms. Intervals
are Student's t with n - 2 degrees of freedom, on the logarithms too (docs/measures.md has them
simulated).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eoscheck.errors import UsageError
from eoscheck.measure.extra import load
from eoscheck.measure.figures import Estimate
from eoscheck.measure.measured import Bend, Objective, RestorePoint
from eoscheck.measure.quantiles import CONFIDENCE

_SAME_SIZE = 1.2
"""States whose sizes differ by less were meant to be of one size."""
_BENT, _SURE = 1.2, 0.01
_TINY_S = 1e-9
_LARGEST_MB = 1e9
_BOTH_SIDES = (1 + CONFIDENCE) / 2


@dataclass(frozen=True, kw_only=True)
class Line:
    """`slope` in seconds a MB; `smallest`: the smallest state that was restored, in MB; `spread`:
    the standard deviation of the logarithm of one restore's time; `covariance` of `fixed` and of
    the logarithm of `slope`."""

    fixed: float
    slope: float
    smallest: float
    spread: float
    covariance: NDArray[Any]
    freedom: int

    def seconds(self, megabytes: float) -> float:
        return self.fixed + self.slope * megabytes

    def predicted(self, megabytes: float) -> Estimate:
        """With the interval in which 95 % of single restores of that size are."""
        value, factor = self.seconds(megabytes), self._factor(megabytes, _BOTH_SIDES)
        return Estimate(value=value, low=value / factor, high=value * factor)

    @property
    def fixed_s(self) -> Estimate:
        half = self.t(_BOTH_SIDES) * math.sqrt(self.covariance[0, 0])
        return Estimate(value=self.fixed, low=self.fixed - half, high=self.fixed + half)

    @property
    def megabytes_per_s(self) -> Estimate:
        rate, factor = 1 / self.slope, math.exp(self.t(_BOTH_SIDES) * self.slope_error)
        return Estimate(value=rate, low=rate / factor, high=rate * factor)

    @property
    def slope_error(self) -> float:
        """The standard error of the logarithm of the slope, and so of the rate."""
        return math.sqrt(self.covariance[1, 1])

    def largest(self, objective: Objective) -> float | None:
        """The largest state whose restore is within the objective's time with the objective's
        probability; None where even the smallest that was restored is not."""

        def fits(megabytes: float) -> bool:
            slowest = self.seconds(megabytes) * self._factor(megabytes, objective.quantile)
            return slowest <= objective.seconds

        if not fits(self.smallest):
            return None
        low, high = self.smallest, self.smallest * 2
        while fits(high):
            low, high = high, high * 2
            if high > _LARGEST_MB:
                return low
        while high - low > high * 1e-6:
            middle = (low + high) / 2
            low, high = (middle, high) if fits(middle) else (low, middle)
        return low

    def _factor(self, megabytes: float, share: float) -> float:
        """By which one restore of that size is off at most, with that probability: for what the
        line does not know, and for its own spread."""
        seconds = max(self.seconds(megabytes), _TINY_S)
        at = np.array([1.0, self.slope * megabytes]) / seconds
        own = self.spread**2
        return math.exp(self.t(share) * math.sqrt(max(0.0, float(at @ self.covariance @ at)) + own))

    def t(self, share: float) -> float:
        return float(load("scipy.special").stdtrit(self.freedom, share))


def fitted(points: Sequence[RestorePoint]) -> Line:
    """Raises UsageError where the points give no line: fewer than three, all of one size, or larger
    states that are restored no slower."""
    sizes = np.array([point.megabytes for point in points])
    logs = np.log([point.seconds for point in points])
    if len(points) < 3 or len(set(sizes.tolist())) < 2:
        raise UsageError("a restore's rate needs at least three restores, of two sizes")

    def time(beta: NDArray[Any]) -> NDArray[Any]:
        seconds: NDArray[Any] = np.maximum(beta[0] + np.exp(beta[1]) * sizes, _TINY_S)
        return seconds

    def slopes(beta: NDArray[Any]) -> NDArray[Any]:
        parts: NDArray[Any] = np.column_stack([np.ones_like(sizes), np.exp(beta[1]) * sizes])
        relative: NDArray[Any] = parts / time(beta)[:, None]
        return relative

    found = load("scipy.optimize").least_squares(
        lambda beta: np.log(time(beta)) - logs, _first_guess(sizes, np.exp(logs)), jac=slopes
    )
    freedom = len(points) - 2
    variance = 2 * float(found.cost) / freedom
    jacobian = slopes(found.x)
    return Line(
        fixed=float(found.x[0]),
        slope=math.exp(found.x[1]),
        smallest=float(sizes.min()),
        spread=math.sqrt(variance),
        covariance=variance * np.linalg.pinv(jacobian.T @ jacobian),
        freedom=freedom,
    )


def by_size(points: Sequence[RestorePoint]) -> list[list[RestorePoint]]:
    """Those that were meant to be of one size, from the smallest on."""
    sizes: list[list[RestorePoint]] = []
    for point in sorted(points, key=lambda point: point.megabytes):
        if not sizes or point.megabytes > _SAME_SIZE * sizes[-1][0].megabytes:
            sizes.append([])
        sizes[-1].append(point)
    return sizes


def bend(line: Line, points: Sequence[RestorePoint]) -> Bend | None:
    """The size that is furthest off where the sizes do not lie on a line: by a fifth, and by more
    than repetitions of one size differ (the F-test of lack of fit on the logarithms, at 1 %)."""
    sizes = by_size(points)
    off = [
        [math.log(max(p.seconds, _TINY_S) / max(line.seconds(p.megabytes), _TINY_S)) for p in size]
        for size in sizes
    ]
    between, within = len(off) - 2, len(points) - len(off)
    if between < 1 or within < 1:
        return None
    means = [fmean(each) for each in off]
    lack = sum(len(each) * mean**2 for each, mean in zip(off, means, strict=True)) / between
    pure = sum((x - mean) ** 2 for each, mean in zip(off, means, strict=True) for x in each)
    ratio = lack / max(pure / within, _TINY_S)
    worst = max(range(len(off)), key=lambda at: abs(means[at]))
    chance = float(load("scipy.special").fdtrc(between, within, ratio))
    if chance > _SURE or abs(means[worst]) < math.log(_BENT):
        return None
    return Bend(megabytes=sizes[worst][0].megabytes, factor=math.exp(means[worst]))


def _first_guess(sizes: NDArray[Any], seconds: NDArray[Any]) -> tuple[float, float]:
    """The straight line by weights of 1 / seconds²."""
    slope, fixed = np.polyfit(sizes, seconds, 1, w=1 / seconds)
    if slope <= 0:
        raise UsageError(
            "larger states were restored no slower than smaller ones: their time is not that of "
            "the restore. Give larger --sizes"
        )
    return float(fixed), math.log(slope)
