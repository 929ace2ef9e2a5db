"""Durations as people write them."""

from __future__ import annotations

import pytest

from eoscheck.durations import parse_duration
from eoscheck.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2s", 2.0), ("500ms", 0.5), ("1m30s", 90.0), ("1.5s", 1.5), ("0", 0.0), ("1h", 3600.0)],
)
def test_a_duration_becomes_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text, what="x") == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "2 s", "soon", "s", "-2s", "1x"])
def test_anything_else_is_refused_with_the_setting_and_an_example(text: str) -> None:
    with pytest.raises(UsageError, match=r"timing\.drain: .*(like '500ms'|negative)"):
        parse_duration(text, what="timing.drain")
