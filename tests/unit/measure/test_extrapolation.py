"""The line through restores of several sizes, and whether its intervals hold what they promise."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from eoscheck.errors import UsageError
from eoscheck.measure.extrapolation import bend, fitted
from eoscheck.measure.measured import Objective, RestorePoint

SIZES = (5.0, 10.0, 20.0, 40.0)
FIXED, RATE = 1.0, 50.0


def point(megabytes: float, seconds: float) -> RestorePoint:
    return RestorePoint(
        megabytes=megabytes,
        records=1,
        keys=1,
        value_bytes=1,
        standby=False,
        seconds=seconds,
    )


def restores(
    chance: np.random.Generator,
    *,
    sizes: Sequence[float] = SIZES,
    each: int = 3,
    spread: float = 0.1,
) -> list[RestorePoint]:
    return [
        point(size, (FIXED + size / RATE) * math.exp(spread * chance.standard_normal()))
        for size in sizes
        for _ in range(each)
    ]


def test_a_perfect_line_is_found() -> None:
    line = fitted([point(size, FIXED + size / RATE) for size in SIZES])
    assert math.isclose(line.fixed, FIXED, rel_tol=1e-6)
    assert math.isclose(line.megabytes_per_s.value, RATE, rel_tol=1e-6)
    assert math.isclose(line.predicted(20_000).value, FIXED + 20_000 / RATE, rel_tol=1e-6)


@pytest.mark.parametrize(
    "points",
    [
        [],
        [point(5, 1.0), point(10, 1.1)],
        [point(5, 1.0)] * 4,
        [point(5, 2.0), point(10, 1.5), point(20, 1.0)],
    ],
)
def test_no_line_no_rate(points: list[RestorePoint]) -> None:
    with pytest.raises(UsageError):
        fitted(points)


@pytest.mark.thorough
@pytest.mark.parametrize(("spread", "each"), [(0.05, 3), (0.1, 3), (0.1, 5), (0.2, 5)])
def test_95_of_100_restores_four_times_larger_are_in_the_interval(spread: float, each: int) -> None:
    chance = np.random.default_rng([1, each, int(spread * 100)])
    trials, held = 1000, 0
    for _ in range(trials):
        predicted = fitted(restores(chance, spread=spread, each=each)).predicted(160.0)
        [measured] = restores(chance, sizes=[160.0], each=1, spread=spread)
        assert predicted.low is not None
        assert predicted.high is not None
        held += predicted.low <= measured.seconds <= predicted.high
    assert 0.93 <= held / trials <= 0.97


@pytest.mark.thorough
def test_95_of_100_intervals_of_the_rate_hold_the_true_one() -> None:
    chance = np.random.default_rng(2)
    trials, held = 1000, 0
    for _ in range(trials):
        rate = fitted(restores(chance)).megabytes_per_s
        assert rate.low is not None
        assert rate.high is not None
        held += rate.low <= RATE <= rate.high
    assert 0.93 <= held / trials <= 0.97


@pytest.mark.thorough
def test_the_largest_state_is_restored_in_time_19_times_of_20() -> None:
    chance = np.random.default_rng(3)
    objective = Objective(quantile=0.95, seconds=60.0)
    trials, in_time = 1000, 0
    for _ in range(trials):
        largest = fitted(restores(chance)).largest(objective)
        assert largest is not None
        [restore] = restores(chance, sizes=[largest], each=1)
        in_time += restore.seconds <= objective.seconds
    assert 0.93 <= in_time / trials <= 0.97


def test_no_state_is_small_enough_for_an_objective_below_the_start() -> None:
    line = fitted(restores(np.random.default_rng(4)))
    assert line.largest(Objective(quantile=0.95, seconds=0.2)) is None


def test_sizes_that_do_not_lie_on_one_line_are_told() -> None:
    """A store that keeps up to 80 MB in memory, and writes what is more to a disk."""
    in_memory = [(20, 0.12), (20, 0.12), (40, 0.18), (40, 0.19), (80, 0.26), (80, 0.27)]
    points = [point(size, seconds) for size, seconds in (*in_memory, (160, 1.32), (160.5, 1.34))]
    found = bend(fitted(points), points)
    assert found is not None
    assert found.factor > 1.2 or found.factor < 1 / 1.2
    beyond = [point(size, size / 100 - 0.2) for size in (160, 161, 320, 321, 640, 641)]
    assert bend(fitted(beyond), beyond) is None


def test_a_line_is_called_bent_at_most_once_in_a_hundred() -> None:
    chance = np.random.default_rng(7)
    measured = [restores(chance, spread=0.1, each=3) for _ in range(300)]
    assert sum(bend(fitted(points), points) is not None for points in measured) <= 9
