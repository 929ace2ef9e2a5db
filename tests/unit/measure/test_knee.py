"""The knee is claimed only where it is certain, and too much at most 5 times of 100."""

from __future__ import annotations

import math

import numpy as np
import pytest

from eoscheck.measure.figures import Estimate
from eoscheck.measure.knee import gains, knee

LEAST = 0.05
TRIALS = 2000


def test_a_curve_without_noise_has_its_knee_where_it_becomes_flat() -> None:
    curve = [20, 60, 95, 99, 100]
    found = gains([curve, [2 * each for each in curve]])
    assert [round(each.value, 3) for each in found if each] == [5, 1.667, 1.053, 1.01]
    assert found[-1] is None
    assert knee(found, least_gain=LEAST) == 3
    assert knee(found, least_gain=0.06) == 2


def test_a_round_on_a_slower_machine_is_no_noise_of_the_intervals() -> None:
    first = gains([[50, 100, 102], [25, 50, 51]])[0]
    assert first is not None
    assert first.high == pytest.approx(first.value)


def test_one_round_tells_nothing() -> None:
    assert gains([[50, 100, 100]]) == [None, None, None]
    assert knee(gains([[50, 100, 100]]), least_gain=LEAST) is None


def test_a_curve_that_still_rises_has_no_knee() -> None:
    assert knee(gains([[10, 20, 40], [10, 20, 40]]), least_gain=LEAST) is None


def test_an_interval_before_one_that_is_uncertain_is_no_knee() -> None:
    sure, unsure = (Estimate(value=1.0, low=0.9, high=high) for high in (1.04, 1.2))
    assert knee([sure, unsure, sure, None], least_gain=LEAST) == 2


def simulated(curve: list[float], *, rounds: int, noise: float, seed: int) -> list[list[Estimate]]:
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(TRIALS):
        slowness = rng.lognormal(0, 0.2, size=(rounds, 1))
        rates = np.array(curve) * slowness * rng.lognormal(0, noise, size=(rounds, len(curve)))
        found.append([each for each in gains(rates.tolist()) if each is not None])
    return found


@pytest.mark.thorough
@pytest.mark.parametrize("rounds", [2, 3, 6])
def test_the_interval_of_a_gain_covers_the_truth_93_to_97_times_in_100(rounds: int) -> None:
    # Of the last but one: there is one longer interval only, so that no best is chosen among them.
    truth = 100 / 90
    hits = [
        estimates[-1].low <= truth <= estimates[-1].high  # type: ignore[operator]
        for estimates in simulated([20, 60, 90, 100], rounds=rounds, noise=0.05, seed=7)
    ]
    assert 0.93 <= np.mean(hits) <= 0.97


@pytest.mark.thorough
@pytest.mark.parametrize("rounds", [2, 3, 6])
@pytest.mark.parametrize(
    "curve",
    [
        pytest.param([50, 100 / (1 + LEAST), 100, 100, 100], id="just at the limit before a flat"),
        pytest.param([50, 95.2, 95.2, 95.2, 100], id="just at the limit at the very end"),
        pytest.param([95.2, 95.2, 100, 95.2, 100], id="not even rising"),
    ],
)
def test_a_knee_with_a_gain_above_it_is_claimed_at_most_5_times_in_100(
    curve: list[float], rounds: int
) -> None:
    best = [max(curve[i + 1 :], default=0) for i in range(len(curve))]
    wrong = 0
    for estimates in simulated(curve, rounds=rounds, noise=0.02, seed=11):
        found = knee([*estimates, None], least_gain=LEAST)
        wrong += found is not None and best[found] / curve[found] >= 1 + LEAST - 1e-3
    assert wrong / TRIALS <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / TRIALS)


def test_with_enough_rounds_the_knee_is_found() -> None:
    found = [
        knee([*estimates, None], least_gain=LEAST)
        for estimates in simulated([20, 60, 98, 99, 100], rounds=10, noise=0.02, seed=3)
    ]
    assert np.mean([each == 2 for each in found]) > 0.7
