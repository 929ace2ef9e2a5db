"""One sentence: which interval, why, and how sure that is."""

from __future__ import annotations

import pytest

from eoscheck.measure.advice import advise
from eoscheck.measure.figures import Estimate
from eoscheck.measure.measured import IntervalPoint, Objective
from eoscheck.measure.quantiles import distribution

P99 = Objective(quantile=0.99, seconds=0.5)


def point(
    interval_s: float,
    *,
    p99: tuple[float, float | None, float | None] | None = None,
    again: list[float] | None = None,
) -> IntervalPoint:
    return IntervalPoint(
        interval_s=interval_s,
        throughput=Estimate(value=1000, low=None, high=None),
        latency=None,
        reprocessed=None if again is None else distribution(again),
        recovered=None,
        drains=[],
        quantile=None if p99 is None else Estimate(value=p99[0], low=p99[1], high=p99[2]),
    )


SHORT = point(0.01, p99=(0.03, 0.02, 0.04), again=[5, 10])
MIDDLE = point(0.1, p99=(0.14, 0.1, 0.2), again=[80, 120])
LONG = point(1.0, p99=(1.2, 1.0, 1.4), again=[900, 1500])
SWEEP = [SHORT, MIDDLE, LONG]


def test_without_an_objective_it_is_the_knee() -> None:
    said = advise(SWEEP, knee_s=0.1, least_gain=0.05)
    assert said.startswith("Choose 100 ms: with 95 % confidence no longer interval gains 5%")
    assert advise(SWEEP, knee_s=None, least_gain=0.05).startswith("No knee up to 1 s")


def test_of_those_that_fit_it_is_the_first_from_the_knee_on() -> None:
    said = advise(SWEEP, knee_s=0.01, least_gain=0.05, objective=P99)
    assert said == (
        "Choose 10 ms: its p99 of 30 ms [20 ms - 40 ms] against 500 ms, "
        "and no longer one gains 5% of throughput."
    )


def test_where_the_knee_does_not_fit_it_is_the_longest_that_does() -> None:
    said = advise(SWEEP, knee_s=1.0, least_gain=0.05, objective=P99)
    assert said.startswith("Choose 100 ms")
    assert said.endswith("and it is the longest that surely does.")


def test_both_objectives_have_to_be_met() -> None:
    said = advise(SWEEP, knee_s=1.0, least_gain=0.05, objective=P99, recovery_point=50)
    assert said.startswith("Choose 10 ms")
    assert "10 records again at most in 2 kills against 50" in said
    assert said.endswith("and it is the only one that surely does.")


def test_where_none_fits_it_says_so_and_how_far_off_the_shortest_is() -> None:
    said = advise(SWEEP, knee_s=0.1, least_gain=0.05, recovery_point=3)
    assert said == (
        "No interval fits at most 3 records again after a kill: even at 10 ms there is "
        "10 records again at most in 2 kills against 3."
    )


@pytest.mark.parametrize("p99", [(0.4, 0.3, 0.6), (0.6, 0.4, 0.8), (0.4, None, None), None])
def test_what_is_not_sure_is_not_advised(
    p99: tuple[float, float | None, float | None] | None,
) -> None:
    said = advise([point(0.1, p99=p99), LONG], knee_s=0.1, least_gain=0.05, objective=P99)
    help_ = "more rounds would tell" if p99 else "with a lower rate there would be latencies"
    assert said == (f"Not yet known which interval fits p99 <= 500 ms: 100 ms may, and {help_}.")


def test_what_may_fit_is_told_beside_what_surely_does() -> None:
    unsure = point(0.3, p99=(0.45, 0.4, 0.6))
    said = advise([MIDDLE, unsure, LONG], knee_s=1.0, least_gain=0.05, objective=P99)
    assert said.startswith("Choose 100 ms")
    assert said.endswith("; of 300 ms it is not yet known.")
