from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eoscheck.report import numbers


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0, "0 s"),
        (0.000_24, "240 µs"),
        (0.000_999_6, "1.00 ms"),
        (0.0042, "4.20 ms"),
        (0.203519, "204 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.00 s"),
        (1.625, "1.62 s"),
        (9.996, "10.0 s"),
        (99.96, "100 s"),
        (119.6, "2 min 00 s"),
        (185.2, "3 min 05 s"),
        (-1.5, "−1.50 s"),
    ],
)
def test_durations_have_the_unit_that_suits_them(seconds: float | None, text: str) -> None:
    assert numbers.duration(seconds) == text


@given(st.floats(1e-6, 119.0))
def test_a_duration_reads_back_to_three_digits(seconds: float) -> None:
    value, unit = numbers.duration(seconds).split(" ")
    factor = {"µs": 1e-6, "ms": 1e-3, "s": 1.0}[unit]
    assert float(value) * factor == pytest.approx(seconds, rel=5.1e-3)


@given(st.integers(-(10**12), 10**12))
def test_counts_have_thousands_separators_and_read_back(number: int) -> None:
    text = numbers.count(number)
    assert int(text.replace(",", "").replace("−", "-")) == number
    assert re.fullmatch(r"−?\d{1,3}(,\d{3})*", text)


@pytest.mark.parametrize(
    ("share", "text"), [(0.1234, "12.3 %"), (-0.05, "−5.0 %"), (-0.0001, "0.0 %"), (None, "–")]
)
def test_percentages(share: float | None, text: str) -> None:
    assert numbers.percent(share) == text


@pytest.mark.parametrize(
    ("rate", "text"),
    [(12345.6, "12,346/s"), (8.25, "8.2/s"), (9.96, "10/s"), (0, "0/s"), (None, "–")],
)
def test_rates(rate: float | None, text: str) -> None:
    assert numbers.rate(rate) == text


def test_dates_are_shown_in_utc_and_anything_else_as_it_is() -> None:
    assert numbers.date("2026-01-02T04:04:05+01:00") == "2026-01-02 03:04 UTC"
    assert numbers.date("2026-01-02T03:04:05Z") == "2026-01-02 03:04 UTC"
    assert numbers.date("yesterday") == "yesterday"
