"""Where the marks of the small charts go. Positions are shares of the plot's width, 0 to 1."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eoscheck.measure.figures import CostFigure, CostSide, Distribution, Recovery

_DOT = 0.016
"""Dots nearer than this share of the width would cover each other: the next goes a row up."""
_MAX_ROW = 4


@dataclass(frozen=True, slots=True)
class Tick:
    x: float
    value: float


@dataclass(frozen=True, slots=True)
class Dot:
    """One recovery: `number` is the fault's in the table, `row` keeps dots apart."""

    x: float
    row: int
    value: float
    number: int
    recovery: Recovery


@dataclass(frozen=True, slots=True)
class Strip:
    label: str
    dots: list[Dot]
    figure: Distribution
    median: float | None
    """Where the p50 stands."""


@dataclass(frozen=True, slots=True)
class StripPlot:
    strips: list[Strip]
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


def strip_plot(
    recoveries: Sequence[Recovery], strips: Iterable[tuple[str, str, Distribution | None]]
) -> StripPlot | None:
    """`strips`: (label, attribute of Recovery, its distribution). None where nothing ended."""
    drawn = [(label, name, figure) for label, name, figure in strips if figure is not None]
    values = [
        value
        for _, name, _ in drawn
        for recovery in recoveries
        if (value := getattr(recovery, name)) is not None
    ]
    if not values:
        return None
    ticks = axis(0.0, max(values))
    top = ticks[-1].value
    return StripPlot(
        strips=[
            Strip(
                label=label,
                dots=_dots(recoveries, name, top),
                figure=figure,
                median=None if figure.p50.value is None else figure.p50.value / top,
            )
            for label, name, figure in drawn
        ],
        ticks=ticks,
    )


def _dots(recoveries: Sequence[Recovery], name: str, top: float) -> list[Dot]:
    placed: list[Dot] = []
    numbered = [
        (value, number, recovery)
        for number, recovery in enumerate(recoveries, start=1)
        if recovery.outcome != "no_input" and (value := getattr(recovery, name)) is not None
    ]
    for value, number, recovery in sorted(numbered, key=lambda item: item[:2]):
        x = value / top
        near = {dot.row for dot in placed if x - dot.x < _DOT}
        row = next((row for row in range(_MAX_ROW) if row not in near), 0)
        placed.append(Dot(x=x, row=row, value=value, number=number, recovery=recovery))
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
