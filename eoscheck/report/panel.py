"""Small charts with two axes, drawn without a script: lines, points, intervals.

`x` are shares of the plot's width (0 to 1), `y` pixels from its top: so one drawing fits a desk, a
phone and a sheet of paper.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from eoscheck.report.drawing import Tick, axis

HEIGHT = 190
_FEW_TIMES = (*(10.0**power for power in range(-6, 2)), 60.0, 600.0, 3600.0, 36e3, 36e4, 36e5)
_TIMES = (
    *(factor * 10.0**power for power in range(-6, 1) for factor in (1, 2, 5)),
    *(10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0),
    *(3600.0 * hours for hours in (1, 2, 5, 10, 20, 50, 100)),
)
_TOP, _BOTTOM = 10, 8


@dataclass(frozen=True, kw_only=True)
class Datum:
    """One point with its interval, in the units of the axes. `says`: what a reader is told."""

    x: float
    y: float
    says: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Series:
    """`look`: the style sheet's name for it. `joined` by a line; `dots`: its points are marked."""

    label: str
    look: str
    data: Sequence[Datum]
    joined: bool = True
    dots: bool = True


@dataclass(frozen=True, kw_only=True)
class Scale:
    """From values to shares, 0 to 1; `log` needs values above zero."""

    low: float
    high: float
    ticks: Sequence[float]
    log: bool = False

    def share(self, value: float) -> float:
        if self.log:
            low, high, value = math.log(self.low), math.log(self.high), math.log(value)
            return (value - low) / (high - low)
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True, slots=True)
class Mark:
    x: float
    y: float
    low: float | None
    high: float | None
    says: str


@dataclass(frozen=True, slots=True)
class Line:
    label: str
    look: str
    marks: list[Mark]
    joined: bool
    dots: bool


@dataclass(frozen=True, slots=True)
class YTick:
    y: float
    label: str


@dataclass(frozen=True, slots=True)
class XTick:
    x: float
    label: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Rule:
    """An upright line at what the chart is about."""

    x: float
    label: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Panel:
    title: str
    height: int
    lines: list[Line]
    x_ticks: list[XTick]
    y_ticks: list[YTick]
    rules: list[Rule]


def linear(values: Iterable[float], *, from_zero: bool = True) -> Scale:
    """Round numbers that enclose the values, from zero unless they are below it."""
    known = list(values)
    low = min([0.0, *known] if from_zero else known)
    ticks: list[Tick] = axis(low, max(known), about=4)
    return Scale(low=ticks[0].value, high=ticks[-1].value, ticks=[tick.value for tick in ticks])


def logarithmic(values: Iterable[float], *, ticks: Sequence[float] | None = None) -> Scale:
    """Round numbers that enclose the values: powers of ten, and 2 and 5 times them where there are
    few. `ticks` instead: the values that were chosen, with a little room beside them."""
    known = [value for value in values if value > 0]
    if not known:
        known = [1.0]
    if ticks is not None:
        room = (max(known) / min(known)) ** 0.04 if max(known) > min(known) else 2.0
        return Scale(low=min(known) / room, high=max(known) * room, ticks=ticks, log=True)
    factors = (1,) if max(known) / min(known) > 300 else (1, 2, 5)
    first, last = math.floor(math.log10(min(known))), math.ceil(math.log10(max(known)))
    round_numbers = [factor * 10.0**power for power in range(first, last + 1) for factor in factors]
    low = max((n for n in round_numbers if n <= min(known) * 1.0001), default=round_numbers[0])
    high = min((n for n in round_numbers if n >= max(known) * 0.9999), default=round_numbers[-1])
    if low == high:
        low, high = low / 2, high * 2
    return Scale(low=low, high=high, ticks=[n for n in round_numbers if low <= n <= high], log=True)


def log_time(values: Iterable[float]) -> Scale:
    """Of seconds: times that people say, between and around the values; fewer where they reach
    far."""
    known = [value for value in values if value > 0] or [1.0]
    low, high = min(known), max(known)
    times = _FEW_TIMES if high / low > 300 else _TIMES
    below = max((time for time in times if time <= low * 1.0001), default=low)
    above = min((time for time in times if time >= high * 0.9999), default=high)
    if below == above:
        below, above = below / 2, above * 2
    ticks = [time for time in times if below <= time <= above]
    return Scale(low=below, high=above, ticks=ticks, log=True)


def panel(
    title: str,
    series: Sequence[Series],
    *,
    x: Scale,
    y: Scale,
    x_text: Callable[[float], str],
    y_text: Callable[[float], str],
    rules: Sequence[tuple[float, str]] = (),
    height: int = HEIGHT,
) -> Panel:
    """`rules`: upright lines, each at an x with its words."""

    def down(value: float) -> float:
        share = min(max(y.share(value), 0.0), 1.0) if _fits(value, y) else 0.0
        return round(_TOP + (1 - share) * (height - _TOP - _BOTTOM), 1)

    def mark(datum: Datum) -> Mark:
        return Mark(
            x=x.share(datum.x),
            y=down(datum.y),
            low=None if datum.low is None else down(datum.low),
            high=None if datum.high is None else down(datum.high),
            says=datum.says,
        )

    return Panel(
        title=title,
        height=height,
        lines=[
            Line(
                each.label, each.look, [mark(datum) for datum in each.data], each.joined, each.dots
            )
            for each in series
        ],
        x_ticks=[XTick(x.share(v), x_text(v), _anchor(x.share(v))) for v in x.ticks],
        y_ticks=[YTick(down(v), y_text(v)) for v in y.ticks],
        rules=[
            Rule(x.share(at), label, "end" if x.share(at) > 0.6 else "start") for at, label in rules
        ],
    )


def _fits(value: float, scale: Scale) -> bool:
    return value > 0 or not scale.log


def _anchor(share: float) -> str:
    """Words at an edge stay inside."""
    return "start" if share < 0.03 else "end" if share > 0.97 else "middle"
