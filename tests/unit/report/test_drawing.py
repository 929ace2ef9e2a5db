from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eoscheck.measure import Drain, cost_from_drains
from eoscheck.report.drawing import axis, cost_chart, strip_plot
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


def test_each_recovery_is_a_dot_at_its_share_of_the_axis() -> None:
    figures = samples.passing().figures
    plot = strip_plot(
        figures.recoveries, [("first", "recovered_after_s", figures.recovery.recovered)]
    )
    assert plot is not None
    [strip] = plot.strips
    top = plot.ticks[-1].value
    assert sorted(dot.value for dot in strip.dots) == sorted(
        recovery.recovered_after_s or 0 for recovery in figures.recoveries
    )
    for dot in strip.dots:
        assert dot.x == pytest.approx(dot.value / top)
        assert figures.recoveries[dot.number - 1] is dot.recovery
    assert strip.median == pytest.approx((strip.figure.p50.value or 0) / top)
    assert max(dot.value for dot in strip.dots) <= top


def test_dots_that_would_cover_each_other_go_into_rows() -> None:
    figures = samples.passing().figures
    same = [
        samples.changed_recovery(recovery, recovered_after_s=1.0)
        for recovery in figures.recoveries[:4]
    ]
    plot = strip_plot(same, [("first", "recovered_after_s", figures.recovery.recovered)])
    assert plot is not None
    assert len({dot.row for dot in plot.strips[0].dots}) == 4


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
