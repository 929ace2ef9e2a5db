"""Latency by quantile: a line for each guarantee, or for each part of a run."""

from __future__ import annotations

from collections.abc import Sequence

from eoscheck.measure.figures import LatencyFigure
from eoscheck.report import numbers
from eoscheck.report.panel import Datum, Panel, Scale, Series, log_time, panel

_QUANTILES = (("p50", "p50"), ("p90", "p90"), ("p99", "p99"), ("p99.9", "p999"), ("max", "max"))
"""Equally far apart: each has a tenth of the records above it that the one before has."""
_LOOKS = ("main", "warm", "violet", "fault", "line")


def latency_panel(title: str, figures: Sequence[tuple[str, LatencyFigure]]) -> Panel | None:
    """None where nothing was measured."""
    if not figures:
        return None
    series = [
        Series(label, look, _data(label, figure))
        for (label, figure), look in zip(figures, _looks(len(figures)), strict=True)
    ]
    last = len(_QUANTILES) - 1
    return panel(
        title,
        series,
        x=Scale(low=-0.15, high=last + 0.15, ticks=range(last + 1)),
        y=log_time(datum.y for each in series for datum in each.data),
        x_text=lambda place: _QUANTILES[round(place)][0],
        y_text=numbers.short_duration,
    )


def _data(label: str, figure: LatencyFigure) -> list[Datum]:
    values = [(name, getattr(figure, attribute)) for name, attribute in _QUANTILES]
    return [
        Datum(x=place, y=value, says=f"{label}, {name}: {numbers.duration(value)}")
        for place, (name, value) in enumerate(values)
    ]


def _looks(number: int) -> list[str]:
    return [_LOOKS[i % len(_LOOKS)] for i in range(number)]
