from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eoscheck.measure import Drain, cost_from_drains
from eoscheck.measure.figures import Estimate
from eoscheck.measure.quantiles import distribution
from eoscheck.report.drawing import (
    Point,
    Row,
    axis,
    cost_chart,
    ratio_chart,
    stacked_bars,
    strip_plot,
)
from tests.unit.report import samples


@given(st.floats(-10, 10), st.floats(1e-6, 1e6))
def test_ticks_are_round_evenly_spaced_and_enclose_the_values(start: float, width: float) -> None:
    low = start * width
    ticks = axis(low, low + width)
    values = [tick.value for tick in ticks]
    step = values[1] - values[0]
    assert 2 <= len(ticks) <= 12
    assert (ticks[0].x, ticks[-1].x) == (0.0, 1.0)
    assert values[0] <= low + step * 1e-6
    assert values[-1] >= low + width - step * 1e-6
    for a, b in pairwise(values):
        assert b - a == pytest.approx(step, rel=1e-3)


def test_an_axis_of_one_value_still_has_a_length() -> None:
    assert axis(0.0, 0.0)[-1].value == 1.0


def test_each_repetition_is_a_dot_at_its_share_of_the_axis() -> None:
    values = [3.0, 0.5, 1.25, 7.0]
    points = [Point(value, f"took {value}") for value in values]
    plot = strip_plot([Row("first", points, distribution(values)), Row("second", points, None)])
    assert plot is not None
    [strip] = plot.strips  # a row without a figure is left out
    top = plot.ticks[-1].value
    assert sorted(dot.point.value for dot in strip.dots) == sorted(values)
    assert all(dot.x == pytest.approx(dot.point.value / top) for dot in strip.dots)
    assert strip.quantiles == [(pytest.approx(2.125 / top), "p50")]  # so few bound no p90
    assert strip_plot([Row("first", [], distribution([], censored=2))]) is None


def test_quantiles_are_marked_where_so_many_bound_them() -> None:
    values = [float(value) for value in range(1, 301)]
    points = [Point(value, "") for value in values]
    plot = strip_plot([Row("first", points, distribution(values))])
    assert plot is not None
    places = [(x * plot.ticks[-1].value, name) for x, name in plot.strips[0].quantiles]
    assert places == [
        (pytest.approx(150.5), "p50"),
        (pytest.approx(270.1), "p90"),
        (pytest.approx(297.01), "p99"),
    ]


def test_dots_that_would_cover_each_other_go_into_rows() -> None:
    plot = strip_plot([Row("first", [Point(1.0, "")] * 4, distribution([1.0] * 4))])
    assert plot is not None
    assert len({dot.row for dot in plot.strips[0].dots}) == 4


def test_phases_stand_one_after_the_other_and_have_one_colour_each() -> None:
    chart = stacked_bars(
        [("kill", [("restore", 1.0), ("commit", 3.0)]), ("none", []), ("pause", [("commit", 2.0)])]
    )
    assert chart is not None
    [(_, (restore, commit), total), (_, (alone,), _)] = chart.bars
    assert (restore.x, total) == (0.0, 4.0)
    assert commit.x == pytest.approx(restore.width)
    assert commit.width == pytest.approx(3 * restore.width)
    assert commit.number == alone.number != restore.number
    assert stacked_bars([("none", [])]) is None


def test_ratios_share_an_axis_that_has_one_on_it() -> None:
    chart = ratio_chart(
        [
            ("throughput", Estimate(value=0.9, low=0.8, high=0.95)),
            ("latency", Estimate(value=6.0, low=None, high=None)),
        ]
    )
    low, high = chart.ticks[0].value, chart.ticks[-1].value
    throughput, latency = chart.marks
    assert low + chart.one * (high - low) == pytest.approx(1.0)
    assert low + throughput.x * (high - low) == pytest.approx(0.9)
    assert throughput.low is not None
    assert throughput.low < throughput.x < chart.one < latency.x
    assert latency.low is None


def test_bars_begin_at_zero_and_the_cost_stands_on_its_axis() -> None:
    figure = samples.cost()
    chart = cost_chart(figure)
    measured, baseline = chart.bars
    assert measured.x / baseline.x == pytest.approx(figure.ratio.value)
    assert max(drain.x for bar in chart.bars for drain in bar.drains) == 1.0
    low, high = chart.ticks[0].value, chart.ticks[-1].value
    for place, value in [
        (chart.cost, figure.cost.value),
        (chart.low, figure.cost.low),
        (chart.high, figure.cost.high),
        (chart.zero, 0.0),
    ]:
        assert place is not None
        assert value is not None
        assert low + place * (high - low) == pytest.approx(value)


def test_a_cost_below_zero_and_one_pair_are_drawn_too() -> None:
    figure = cost_from_drains(
        [
            Drain(label="exactly-once", seconds=1.0, records=110),
            Drain(label="at-least-once", seconds=1.0, records=100),
        ]
    )
    chart = cost_chart(figure)
    assert chart.low is None
    assert -1e-9 <= chart.cost < chart.zero
