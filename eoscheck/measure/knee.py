"""The knee of a curve of throughput over commit intervals: from where on it gains little.

Every round measures every interval once, so intervals are compared within rounds: their logarithms
are an additive model of interval and round, with one residual variance for all. "From this interval
on no longer one gains x or more" is said only where the upper ends of all the 95 % intervals of
those gains stay below x, beginning with the longest and stopping at the first of which it cannot be
said: so a claim too much is made at most 5 times of 100, whatever the number of intervals.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from eoscheck.measure.extra import load
from eoscheck.measure.figures import Estimate
from eoscheck.measure.quantiles import CONFIDENCE


def gains(rounds: Sequence[Sequence[float]]) -> list[Estimate | None]:
    """For each interval, in ascending order, the throughput of the best longer one over its own,
    with a 95 % interval that reaches from the best of the lower ends to the best of the upper ones.

    `rounds[r][i]`: records a second of interval i in round r. None for the longest, and for all
    where there is one round: it cannot tell a gain from noise.
    """
    logs = np.log(np.asarray(rounds, dtype=float))
    count, intervals = logs.shape
    if count < 2 or intervals < 2:
        return [None] * intervals
    half = _half_width(logs)
    means = logs.mean(axis=0)
    return [
        Estimate(value=math.exp(best), low=math.exp(best - half), high=math.exp(best + half))
        for best in (float(means[i + 1 :].max() - means[i]) for i in range(intervals - 1))
    ] + [None]


def knee(estimates: Sequence[Estimate | None], *, least_gain: float) -> int | None:
    """Of the estimates that `gains` gave, the index of the knee; None where it is not certain even
    of the last but one that the longest gains less than `least_gain` (0.05: 5 %)."""
    found = None
    for i in range(len(estimates) - 2, -1, -1):
        gain = estimates[i]
        if gain is None or gain.high is None or gain.high >= 1 + least_gain:
            break
        found = i
    return found


def _half_width(logs: npt.NDArray[np.float64]) -> float:
    """Of the 95 % interval of a difference of two intervals' means."""
    count, intervals = logs.shape
    fitted = logs.mean(axis=0) + logs.mean(axis=1, keepdims=True) - logs.mean()
    freedom = (count - 1) * (intervals - 1)
    variance = float(((logs - fitted) ** 2).sum()) / freedom
    quantile = float(load("scipy.stats").t.ppf((1 + CONFIDENCE) / 2, freedom))
    return quantile * math.sqrt(2 * variance / count)
