from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from eoscheck.errors import UsageError
from eoscheck.measure import Drain, cost_from_drains
from eoscheck.measure.cost import broker_costs, latency_at_load, mean_of, ratio_of

EO, ALO = "exactly-once", "at-least-once"
TRIALS = 5000


def drain(label: str, rate: float, *, cpu_s: float | None = None) -> Drain:
    return Drain(label=label, seconds=10_000 / rate, records=10_000, cpu_s=cpu_s)


def test_cost_is_one_minus_the_ratio_of_throughputs_whatever_the_order_within_a_pair() -> None:
    figure = cost_from_drains(
        [drain(EO, 80), drain(ALO, 100), drain(ALO, 200), drain(EO, 160)],
    )
    assert figure.pairs == 2
    assert figure.ratio.value == pytest.approx(0.8)
    assert figure.cost.value == pytest.approx(0.2)
    assert figure.measured.records_per_s / figure.baseline.records_per_s == pytest.approx(0.8)
    assert [round(d.records_per_s) for d in figure.drains] == [80, 100, 200, 160]


def test_the_interval_is_students_t_of_the_paired_log_ratios() -> None:
    figure = cost_from_drains([drain(EO, 50), drain(ALO, 100), drain(EO, 80), drain(ALO, 100)])
    logs = np.log([0.5, 0.8])
    half = 12.7062 * logs.std(ddof=1) / math.sqrt(2)  # t(0.975, 1 degree of freedom), from a table
    assert figure.ratio.value == pytest.approx(math.sqrt(0.4))
    assert figure.ratio.low == pytest.approx(math.exp(logs.mean() - half), rel=1e-4)
    assert figure.ratio.high == pytest.approx(math.exp(logs.mean() + half), rel=1e-4)
    assert figure.cost.low == pytest.approx(1 - (figure.ratio.high or 0))
    assert figure.cost.high == pytest.approx(1 - (figure.ratio.low or 0))


def test_one_pair_has_a_value_and_no_interval() -> None:
    figure = cost_from_drains([drain(EO, 80), drain(ALO, 100)])
    assert (figure.ratio.low, figure.ratio.high) == (None, None)
    assert (figure.cost.low, figure.cost.high) == (None, None)


def test_cpu_a_record_stands_beside_the_wall_clock() -> None:
    figure = cost_from_drains([drain(EO, 80, cpu_s=0.12), drain(ALO, 100, cpu_s=0.1)])
    assert figure.cpu_ratio is not None
    assert figure.cpu_ratio.value == pytest.approx(1.2)
    assert figure.measured.cpu_us_per_record == pytest.approx(12.0)
    assert figure.baseline.cpu_us_per_record == pytest.approx(10.0)


def test_cpu_is_left_out_unless_every_drain_has_it() -> None:
    figure = cost_from_drains([drain(EO, 80, cpu_s=0.12), drain(ALO, 100)])
    assert figure.cpu_ratio is None
    assert figure.measured.cpu_us_per_record is not None
    assert figure.baseline.cpu_us_per_record is None


def test_what_brokers_pay_is_compared_pair_by_pair() -> None:
    paid = [
        Drain(
            label=label,
            seconds=1,
            records=1000,
            broker_cpu_s=cpu_s,
            broker_bytes_per_record=size,
        )
        for label, cpu_s, size in [(EO, 0.012, 300), (ALO, 0.01, 200)]
    ]
    cpu, size = broker_costs(paid)
    assert (cpu.what, cpu.measured, cpu.baseline) == ("CPU", pytest.approx(12), pytest.approx(10))
    assert (size.what, size.ratio.value) == ("bytes", pytest.approx(1.5))


def test_what_brokers_pay_is_left_out_unless_every_drain_has_it() -> None:
    assert broker_costs([drain(EO, 80), drain(ALO, 100)]) == []


def test_latencies_are_compared_run_by_run_and_shown_together() -> None:
    at = latency_at_load(
        [([0.2] * 99 + [0.9], [0.1] * 99 + [0.3]), ([0.4] * 100, [0.2] * 100)], share=0.5, rate=10
    )
    assert at.p50_ratio.value == pytest.approx(2, rel=0.01)
    assert at.p99_ratio.value == pytest.approx(2, rel=0.01)
    assert (at.pairs, at.measured.n, at.measured.max) == (2, 200, pytest.approx(0.9))


def test_a_run_without_outputs_is_not_compared() -> None:
    with pytest.raises(UsageError, match="no latency"):
        latency_at_load([([], [0.1])], share=0.5, rate=10)


def test_a_mean_is_geometric() -> None:
    assert mean_of([1, 100]).value == pytest.approx(10)


@pytest.mark.parametrize(
    ("labels", "complaint"),
    [
        ([], "needs pairs"),
        ([EO], "needs pairs"),
        ([EO, EO], "needs one 'exactly-once' and one 'at-least-once'"),
        ([EO, ALO, ALO, "other"], "got 'at-least-once' and 'other'"),
    ],
)
def test_drains_that_are_no_pairs_are_refused(labels: list[str], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        cost_from_drains([drain(label, 100) for label in labels])


@pytest.mark.parametrize(
    "make",
    [
        lambda: Drain(label=EO, seconds=0, records=1),
        lambda: Drain(label=EO, seconds=1, records=0),
        lambda: Drain(label=EO, seconds=1, records=1, cpu_s=0),
    ],
)
def test_a_drain_without_records_or_time_is_refused(make: Callable[[], Drain]) -> None:
    with pytest.raises(UsageError, match=EO):
        make()


def covered(pairs: int, truth: float, noise: Callable[[np.random.Generator], float]) -> float:
    """The share of simulated measurements whose interval holds the true ratio."""
    rng = np.random.default_rng(4711)
    hits = 0
    for _ in range(TRIALS):
        estimate = ratio_of([(truth * noise(rng), noise(rng)) for _ in range(pairs)])
        assert estimate.low is not None
        assert estimate.high is not None
        hits += estimate.low <= truth <= estimate.high
    return hits / TRIALS


@pytest.mark.thorough
@pytest.mark.parametrize("pairs", [2, 4, 8])
@pytest.mark.parametrize(
    "noise",
    [
        pytest.param(lambda rng: rng.lognormal(0, 0.1), id="log-normal"),
        pytest.param(lambda rng: 1 / (1 + rng.exponential(0.15)), id="delays-with-a-tail"),
    ],
)
def test_the_95_percent_interval_covers_the_truth_93_to_97_times_in_100(
    pairs: int, noise: Callable[[np.random.Generator], float]
) -> None:
    assert 0.93 <= covered(pairs, 0.9, noise) <= 0.97


@pytest.mark.thorough
def test_a_comparison_of_a_setting_with_itself_calls_a_difference_at_most_5_times_in_100() -> None:
    called = 1 - covered(4, 1.0, lambda rng: rng.lognormal(0, 0.1))
    assert called <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / TRIALS)


def test_a_bootstrap_of_four_pairs_would_promise_too_much() -> None:
    """Why the interval is Student's: the percentile bootstrap misses the truth far too often."""
    rng = np.random.default_rng(4711)
    logs = rng.normal(0, 0.1, size=(2000, 4))
    picks = rng.integers(0, 4, size=(2000, 400, 4))
    means = np.take_along_axis(logs[:, None, :], picks, axis=2).mean(axis=2)
    low, high = np.quantile(means, [0.025, 0.975], axis=1)
    assert float(np.mean((low <= 0) & (high >= 0))) < 0.9


def test_a_machine_that_gets_steadily_slower_does_not_bias_an_interleaved_comparison() -> None:
    slowing = [100 * 0.95**i for i in range(8)]
    order = [EO, ALO, ALO, EO, EO, ALO, ALO, EO]
    drains = [drain(label, rate) for label, rate in zip(order, slowing, strict=True)]
    assert cost_from_drains(drains).ratio.value == pytest.approx(1.0)
