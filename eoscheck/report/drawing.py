"""Where the marks of the small charts go. Positions are shares of the plot's width, 0 to 1."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eoscheck.measure.figures import CostFigure, CostSide, Distribution, Estimate

_DOT = 0.016
"""Dots nearer than this share of the width would cover each other: the next goes a row up."""
_MAX_ROW = 4


@dataclass(frozen=True, slots=True)
class Tick:
    x: float
    value: float


@dataclass(frozen=True, slots=True)
class Point:
    """One repetition of something that took `value`. `says`: what a reader is told of it; `look`:
    the style sheet's word for what sets it apart."""

    value: float
    says: str
    look: str = ""


@dataclass(frozen=True, slots=True)
class Dot:
    """`row` keeps dots apart: 0 is on the line, the others by turns above and below it."""

    x: float
    row: int
    point: Point


@dataclass(frozen=True, slots=True)
class Strip:
    """`quantiles`: (where it stands, its name)."""

    label: str
    dots: list[Dot]
    figure: Distribution
    quantiles: list[tuple[float, str]]
    group: str = ""


@dataclass(frozen=True, slots=True)
class StripPlot:
    strips: list[Strip]
    ticks: list[Tick]


@dataclass(frozen=True, slots=True)
class Row:
    """One strip to be: rows of one `group` stand together."""

    label: str
    points: Sequence[Point]
    figure: Distribution | None
    group: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    x: float
    width: float
    name: str
    value: float
    number: int
    """The same name has the same number in every bar: its colour."""


@dataclass(frozen=True, slots=True)
class StackedBars:
    """`bars`: (label, its parts one after the other, their sum)."""

    bars: list[tuple[str, list[Part], float]]
    names: list[str]
    ticks: list[Tick]


@dataclass(frozen=True, slots=True)
class RatioMark:
    label: str
    estimate: Estimate
    x: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class RatioChart:
    """Ratios with their intervals on one axis; `one` is where nothing differs."""

    marks: list[RatioMark]
    one: float
    ticks: list[Tick]


@dataclass(frozen=True, slots=True)
class Bar:
    side: CostSide
    x: float
    drains: list[Tick]


@dataclass(frozen=True, slots=True)
class CostChart:
    """Throughput bars from zero, and the cost with its interval on an axis of its own."""

    bars: list[Bar]
    cost: float
    low: float | None
    high: float | None
    zero: float
    ticks: list[Tick]


def strip_plot(rows: Iterable[Row]) -> StripPlot | None:
    """All on one axis from zero; rows without a figure are left out. None where nothing ended."""
    drawn = [(row, row.figure) for row in rows if row.figure is not None]
    values = [point.value for row, _ in drawn for point in row.points]
    if not values:
        return None
    ticks = axis(0.0, max(values))
    top = ticks[-1].value
    return StripPlot(
        strips=[
            Strip(
                label=row.label,
                dots=_dots(row.points, top),
                figure=figure,
                quantiles=[
                    (quantile.value / top, name)
                    for name, quantile in (
                        ("p50", figure.p50),
                        ("p90", figure.p90),
                        ("p99", figure.p99),
                    )
                    if quantile is not None and quantile.value is not None
                ],
                group=row.group,
            )
            for row, figure in drawn
        ],
        ticks=ticks,
    )


def _dots(points: Sequence[Point], top: float) -> list[Dot]:
    placed: list[Dot] = []
    for point in sorted(points, key=lambda each: each.value):
        x = point.value / top
        near = {dot.row for dot in placed if x - dot.x < _DOT}
        row = next((row for row in range(_MAX_ROW) if row not in near), 0)
        placed.append(Dot(x=x, row=row, point=point))
    return placed


def cost_chart(figure: CostFigure) -> CostChart:
    fastest = max(drain.records_per_s for drain in figure.drains)
    cost = figure.cost
    edges = [0.0, cost.value, *(edge for edge in (cost.low, cost.high) if edge is not None)]
    ticks = axis(min(edges), max(*edges, 0.2))
    low, high = ticks[0].value, ticks[-1].value

    def place(value: float) -> float:
        return (value - low) / (high - low)

    return CostChart(
        bars=[
            Bar(
                side=side,
                x=side.records_per_s / fastest,
                drains=[
                    Tick(drain.records_per_s / fastest, drain.records_per_s)
                    for drain in figure.drains
                    if drain.label == side.label
                ],
            )
            for side in (figure.measured, figure.baseline)
        ],
        cost=place(cost.value),
        low=None if cost.low is None else place(cost.low),
        high=None if cost.high is None else place(cost.high),
        zero=place(0.0),
        ticks=ticks,
    )


def stacked_bars(
    bars: Iterable[tuple[str, Sequence[tuple[str, float]]]],
) -> StackedBars | None:
    """`bars`: (label, its parts by name and length). None where there is nothing to stack."""
    known = [(label, parts) for label, parts in bars if parts]
    if not known:
        return None
    names = list(dict.fromkeys(name for _, parts in known for name, _ in parts))
    ticks = axis(0.0, max(sum(length for _, length in parts) for _, parts in known))
    top = ticks[-1].value
    drawn = []
    for label, parts in known:
        x, placed = 0.0, []
        for name, length in parts:
            placed.append(Part(x, length / top, name, length, names.index(name)))
            x += length / top
        drawn.append((label, placed, x * top))
    return StackedBars(bars=drawn, names=names, ticks=ticks)


def ratio_chart(rows: Sequence[tuple[str, Estimate]]) -> RatioChart:
    edges = [1.0]
    for _, estimate in rows:
        known = (estimate.value, estimate.low, estimate.high)
        edges += [edge for edge in known if edge is not None]
    ticks = axis(min(edges), max(edges))
    low, high = ticks[0].value, ticks[-1].value

    def place(value: float) -> float:
        return (value - low) / (high - low)

    return RatioChart(
        marks=[
            RatioMark(
                label=label,
                estimate=estimate,
                x=place(estimate.value),
                low=None if estimate.low is None else place(estimate.low),
                high=None if estimate.high is None else place(estimate.high),
            )
            for label, estimate in rows
        ],
        one=place(1.0),
        ticks=ticks,
    )


def axis(low: float, high: float, *, about: int = 5) -> list[Tick]:
    """Ticks at round numbers (1, 2 or 5 times a power of ten) that enclose low and high."""
    if high <= low:
        high = low + 1.0
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [
        Tick(x=(i - first) / (last - first), value=round(i * step, 12))
        for i in range(first, last + 1)
    ]
