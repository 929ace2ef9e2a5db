"""Two measures of the same: noise is called a change at most 5 times of 100, a change is found."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from eoscheck.measure.comparison import (
    Figure,
    LogMean,
    Sample,
    _mann_whitney,
    _rank,
    changes,
    log_mean,
    of_estimate,
)
from eoscheck.measure.cost import ratio_of

Draw = Callable[[np.random.Generator, int], list[float]]


def skewed(chance: np.random.Generator, n: int) -> list[float]:
    """As recoveries are: most quick, some after a session time-out."""
    late = chance.random(n) < 0.3
    return (np.exp(0.3 * chance.standard_normal(n)) + 6.0 * late).tolist()


def normal_logs(chance: np.random.Generator, n: int) -> list[float]:
    return np.exp(0.1 * chance.standard_normal(n)).tolist()


def figure(name: str, values: list[float], *, ranks: bool) -> Figure:
    taken = Sample(values=values) if ranks else log_mean(values)
    return Figure(name=name, unit="s", better="less", taken=taken)


@pytest.mark.thorough
@pytest.mark.parametrize(("figures", "n"), [(1, 5), (1, 12), (8, 12), (20, 10)])
@pytest.mark.parametrize(("draw", "ranks"), [(skewed, True), (normal_logs, False)])
def test_a_comparison_with_itself_calls_a_change_at_most_5_times_of_100(
    draw: Draw, ranks: bool, figures: int, n: int
) -> None:
    chance = np.random.default_rng([figures, n, ranks])
    trials = 400

    def side() -> list[Figure]:
        return [figure(str(number), draw(chance, n), ranks=ranks) for number in range(figures)]

    called = sum(
        any(each.outcome in ("regression", "improvement") for each in changes(side(), side()))
        for _ in range(trials)
    )
    assert called / trials <= 0.05 + 2.5 * math.sqrt(0.05 * 0.95 / trials)


@pytest.mark.parametrize("ranks", [True, False])
def test_95_of_100_intervals_hold_the_true_change(ranks: bool) -> None:
    chance = np.random.default_rng([7, ranks])
    trials, held = 1500, 0
    for _ in range(trials):
        before = [figure("x", normal_logs(chance, 10), ranks=ranks)]
        after = [figure("x", [2 * x for x in normal_logs(chance, 10)], ranks=ranks)]
        change = changes(before, after)[0].change
        assert change is not None
        assert change.low is not None
        assert change.high is not None
        held += change.low <= 2.0 <= change.high
    assert 0.93 <= held / trials <= 0.97


@pytest.mark.parametrize(
    ("better", "factor", "outcome"),
    [
        ("less", 2.0, "regression"),
        ("less", 0.5, "improvement"),
        ("more", 2.0, "improvement"),
        ("more", 0.5, "regression"),
    ],
)
def test_what_doubles_is_found(better: str, factor: float, outcome: str) -> None:
    chance = np.random.default_rng(1)
    for ranks in (True, False):
        taken = [
            Sample(values=values) if ranks else log_mean(values)
            for values in (
                normal_logs(chance, 10),
                [factor * each for each in normal_logs(chance, 10)],
            )
        ]
        before, after = (
            Figure(name="x", unit="s", better=better, taken=each)  # type: ignore[arg-type]
            for each in taken
        )
        assert changes([before], [after])[0].outcome == outcome


def test_repetitions_that_never_ended_are_longer_than_all_others() -> None:
    before = Figure(name="x", unit="s", better="less", taken=Sample(values=[1.0] * 10))
    after = Figure(name="x", unit="s", better="less", taken=Sample(values=[1.0] + [math.inf] * 9))
    change = changes([before], [after])[0]
    assert change.after is None
    assert change.outcome == "regression" or change.change is None
    same = changes([after], [after])[0]
    assert same.outcome in ("no difference", "not judged")


def test_a_single_number_and_too_few_repetitions_are_shown_and_not_judged() -> None:
    one = Figure(name="x", unit="s", better="less", taken=1.0)
    few = Figure(name="y", unit="s", better="less", taken=Sample(values=[1.0, 2.0]))
    more = Figure(name="y", unit="s", better="less", taken=Sample(values=[10.0, 20.0]))
    assert [each.outcome for each in changes([one, few], [one, more])] == ["not judged"] * 2


def test_counts_are_compared_by_their_difference() -> None:
    before, after = (
        Figure(name="x", unit="records", better="less", taken=Sample(values=values, by_ratio=False))
        for values in ([0.0] * 10, [50.0] * 10)
    )
    change = changes([before], [after])[0]
    assert (change.by, change.outcome) == ("difference", "regression")


def test_an_estimate_is_taken_apart_again() -> None:
    pairs = [(1.1, 1.0), (1.3, 1.0), (1.2, 1.1), (0.9, 1.0)]
    direct = log_mean([over / under for over, under in pairs])
    again = of_estimate(ratio_of(pairs), freedom=3)
    assert isinstance(direct, LogMean)
    assert isinstance(again, LogMean)
    assert math.isclose(direct.mean, again.mean)
    assert math.isclose(direct.error, again.error)


@pytest.mark.parametrize(("n", "m"), [(3, 4), (8, 8), (1, 5)])
def test_the_ranks_are_those_of_the_mann_whitney_test(n: int, m: int) -> None:
    assert math.isclose(float(_mann_whitney(n, m).sum()), 1.0)
    below = np.cumsum(_mann_whitney(n, m))
    rank = _rank(n, m, 0.05)
    assert below[rank] > 0.025  # the first that is not significant
    assert rank == 0 or below[rank - 1] <= 0.025
    farthest = stats.mannwhitneyu(range(n), [10 + i for i in range(m)], method="exact").pvalue
    assert math.isclose(farthest, 2 * float(below[0]))
