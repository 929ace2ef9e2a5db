"""What a benchmark gives: rows of a table, and the raw figures behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scipy import stats

from eoscheck.measure.cost import ratio_of
from eoscheck.measure.figures import Estimate
from eoscheck.measure.quantiles import CONFIDENCE

BLOCK_S = 30.0
"""Samples of memory are not independent: their means over so long very nearly are."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """`value`, with its `interval`, and `other`, which is of what `beside` says; `ratio` is value
    over other, of pairs."""

    what: str
    unit: str
    value: float
    beside: str = ""
    other: float | None = None
    ratio: Estimate | None = None
    interval: Estimate | None = None
    target: str = ""
    verdict: str = ""


@dataclass(frozen=True, kw_only=True)
class Section:
    name: str
    method: str
    rows: Sequence[Row]
    raw: Mapping[str, Any] = field(default_factory=dict)


def mean(values: Sequence[float]) -> Estimate:
    """The geometric mean of positive values, with its 95 % interval."""
    return ratio_of([(value, 1.0) for value in values])


def at_least(figure: Estimate, bound: float) -> str:
    """Whether a target is met, or by how much it is missed; "about" where the interval has it."""
    met = figure.value >= bound
    word = "met" if met else f"missed by {1 - figure.value / bound:.0%}"
    return _sure(word, figure, bound)


def at_most(figure: Estimate, bound: float) -> str:
    met = figure.value <= bound
    word = "met" if met else f"missed by {figure.value / bound - 1:.0%}"
    return _sure(word, figure, bound)


def _sure(word: str, figure: Estimate, bound: float) -> str:
    if figure.low is None or figure.high is None:
        return word
    return f"{word} (within the noise)" if figure.low < bound < figure.high else word


def slope_per_minute(samples: Sequence[tuple[float, float]]) -> Estimate:
    """Of (seconds, value), by least squares over the means of blocks, with its 95 % interval."""
    start = samples[0][0]
    blocks: dict[int, list[float]] = {}
    for at, value in samples:
        blocks.setdefault(int((at - start) / BLOCK_S), []).append(value)
    minutes = [number * BLOCK_S / 60 for number in blocks]
    means = [sum(values) / len(values) for values in blocks.values()]
    if len(means) < 3:
        rise = (means[-1] - means[0]) / (minutes[-1] or 1.0)
        return Estimate(value=rise, low=None, high=None)
    line = stats.linregress(minutes, means)
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(means) - 2)) * float(line.stderr)
    rise = float(line.slope)
    return Estimate(value=rise, low=rise - half, high=rise + half)
