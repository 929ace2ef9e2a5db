from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eoscheck.report.numbers import short_duration
from eoscheck.report.panel import Datum, Series, linear, log_time, logarithmic, panel


@given(st.lists(st.floats(1e-4, 1e6), min_size=1))
def test_a_logarithmic_scale_encloses_its_values_and_keeps_their_order(values: list[float]) -> None:
    scale = logarithmic(values)
    shares = [scale.share(value) for value in sorted(values)]
    assert shares == sorted(shares)
    assert -1e-3 <= shares[0] <= shares[-1] <= 1 + 1e-3
    assert all(-1e-9 <= scale.share(tick) <= 1 + 1e-9 for tick in scale.ticks)


def test_higher_values_stand_higher_and_intervals_enclose_their_value() -> None:
    data = [Datum(x=1.0, y=10.0, low=8.0, high=13.0, says="a"), Datum(x=2.0, y=40.0, says="b")]
    chart = panel(
        "title",
        [Series("all", "main", data)],
        x=logarithmic([1.0, 2.0], ticks=[1.0, 2.0]),
        y=linear([8.0, 40.0]),
        x_text=str,
        y_text=str,
        rules=[(2.0, "knee")],
    )
    [line] = chart.lines
    first, second = line.marks
    assert first.low is not None
    assert first.high is not None
    assert second.y < first.high < first.y < first.low <= chart.height
    assert 0 < first.x < second.x < 1
    assert chart.rules[0].x == second.x


def test_what_a_logarithmic_axis_cannot_show_lies_on_its_floor() -> None:
    chart = panel(
        "title",
        [Series("all", "main", [Datum(x=1.0, y=0.0, says="never"), Datum(x=1.0, y=1.0, says="")])],
        x=linear([1.0]),
        y=logarithmic([1.0, 100.0]),
        x_text=str,
        y_text=str,
    )
    never, floor = chart.lines[0].marks
    assert never.y == pytest.approx(floor.y)


@given(st.lists(st.floats(1e-4, 1e6), min_size=1))
def test_an_axis_of_times_encloses_them_and_has_a_few_that_people_say(values: list[float]) -> None:
    scale = log_time(values)
    assert scale.low <= min(values) * 1.0001
    assert scale.high >= max(values) * 0.9999
    assert 1 <= len(scale.ticks) <= 14
    for tick in scale.ticks:
        assert float(short_duration(tick).split()[0]) in {
            1,
            2,
            5,
            10,
            20,
            30,
            50,
            100,
            200,
            500,
            1000,
        }
