"""Sentences say no more than the figures do."""

from __future__ import annotations

import pytest

from eoscheck.measure.cost import cost_from_drains
from eoscheck.measure.figures import Drain
from eoscheck.report.words import cost_line


def drains(pairs: list[tuple[float, float]]) -> list[Drain]:
    return [
        Drain(label=label, seconds=seconds, records=1000)
        for pair in pairs
        for label, seconds in zip(("exactly-once", "at-least-once"), pair, strict=True)
    ]


def test_a_cost_whose_interval_holds_nothing_is_not_called_one() -> None:
    line = cost_line(cost_from_drains(drains([(1.0, 1.1), (1.2, 1.0), (0.9, 1.0), (1.1, 1.0)])))
    assert line.startswith("no cost of exactly-once against at-least-once could be told (95 %")


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_a_cost_beyond_its_interval_is_told_with_it(noise: float) -> None:
    line = cost_line(cost_from_drains(drains([(1.25, 1.0), (1.25, 1.0 + noise), (1.25, 1.0)])))
    assert line.startswith(("exactly-once costs 20", "exactly-once costs 19"))
    assert "95 % interval" in line
