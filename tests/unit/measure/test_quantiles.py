from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eoscheck.errors import UsageError
from eoscheck.measure.quantiles import can_bound, distribution, upper_rank


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=400))
def test_quantiles_are_those_of_numpy(durations: list[float]) -> None:
    figure = distribution(durations)
    assert figure is not None
    assert figure.p50.value == pytest.approx(float(np.quantile(durations, 0.5)))
    assert figure.max == max(durations)
    if figure.p90 is not None:
        assert figure.p90.value == pytest.approx(float(np.quantile(durations, 0.9)))
    if figure.p99 is not None:
        assert figure.p99.value == pytest.approx(float(np.quantile(durations, 0.99)))


@pytest.mark.parametrize(("q", "enough"), [(0.5, 5), (0.9, 29), (0.99, 299)])
def test_a_quantile_is_bounded_from_the_n_on_that_theory_asks_for(q: float, enough: int) -> None:
    assert can_bound(q, n=enough)
    assert not can_bound(q, n=enough - 1)
    assert upper_rank(q, n=enough) == enough
    assert upper_rank(q, n=enough - 1) is None


def test_high_quantiles_are_left_out_where_n_cannot_bound_them() -> None:
    small, medium, large = (distribution([float(i) for i in range(n)]) for n in (28, 298, 299))
    assert small is not None
    assert medium is not None
    assert large is not None
    assert (small.p90, small.p99) == (None, None)
    assert medium.p90 is not None
    assert medium.p99 is None
    assert large.p99 is not None
    assert large.p99.upper == 298.0


@pytest.mark.parametrize(("q", "n"), [(0.5, 5), (0.5, 10), (0.9, 29), (0.9, 60), (0.99, 299)])
def test_upper_limits_hold_in_95_of_100_samples_of_a_skewed_distribution(q: float, n: int) -> None:
    rng = np.random.default_rng(20260102)
    truth = math.exp(float(np.sqrt(2)) * _inverse_erf(2 * q - 1))
    rank = upper_rank(q, n=n)
    assert rank is not None
    samples = np.sort(rng.lognormal(size=(6000, n)), axis=1)
    covered = float(np.mean(samples[:, rank - 1] >= truth))
    assert covered >= 0.94  # at least 95 %, less the simulation's own error (3 sigma = 0.8 %)
    one_lower = float(np.mean(samples[:, rank - 2] >= truth))
    assert one_lower < 0.955  # the next smaller order statistic would promise too much


def _inverse_erf(x: float) -> float:
    from scipy.special import erfinv

    return float(erfinv(x))


def test_censored_durations_are_longer_than_all_others() -> None:
    figure = distribution([1.0, 2.0, 3.0], censored=2)
    assert figure is not None
    assert (figure.n, figure.censored) == (5, 2)
    assert (figure.p50.value, figure.p50.upper, figure.max) == (3.0, None, None)


def test_a_median_between_a_finite_and_a_censored_duration_is_not_known() -> None:
    figure = distribution([1.0], censored=1)
    assert figure is not None
    assert figure.p50.value is None


def test_no_repetition_gives_no_distribution() -> None:
    assert distribution([]) is None


@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_durations_must_be_finite(bad: float) -> None:
    with pytest.raises(UsageError, match="censored"):
        distribution([1.0, bad])
