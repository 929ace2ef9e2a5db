"""One measure, arranged for the page: which marks go where."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eoscheck.measure.figures import Estimate
from eoscheck.measure.measured import (
    CommitIntervalMeasure,
    CostMeasure,
    IntervalPoint,
    KindFigure,
    Measured,
    RecoveryMeasure,
    RestoreMeasure,
)
from eoscheck.report import numbers
from eoscheck.report.drawing import (
    CostChart,
    Point,
    RatioChart,
    Row,
    StackedBars,
    StripPlot,
    cost_chart,
    ratio_chart,
    stacked_bars,
    strip_plot,
)
from eoscheck.report.panel import Datum, Panel, Scale, Series, linear, log_time, logarithmic, panel

OUTCOMES = {"met": "pass", "not met": "fail", "not yet known": "unknown"}
_STEPS_OF_A_CURVE = 48
_MOST_ROOM = 1.5
"""Of the largest value: what two repetitions leave open may be a hundred times as much."""


@dataclass(frozen=True, kw_only=True)
class MeasureView:
    """What does not belong to a measure is None, or empty."""

    measured: Measured
    anchor: str
    strips: StripPlot | None
    phases: StackedBars | None
    cost: CostChart | None
    ratios: RatioChart | None
    panels: list[Panel]


def measure_view(index: int, measured: Measured) -> MeasureView:
    recovery, cost = measured.recovery, measured.cost
    interval, restore = measured.commit_interval, measured.restore
    panels = [] if interval is None else interval_panels(interval)
    return MeasureView(
        measured=measured,
        anchor=f"measure-{index + 1}",
        strips=None if recovery is None else _strips(recovery),
        phases=None if recovery is None else _phases(recovery),
        cost=None if cost is None else cost_chart(cost.throughput),
        ratios=None if cost is None else _ratios(cost),
        panels=panels if restore is None else [*panels, restore_panel(restore)],
    )


def _strips(recovery: RecoveryMeasure) -> StripPlot | None:
    return strip_plot(
        row
        for kind in recovery.kinds
        for row in (
            Row("First output", _points(kind, "recovered_after_s"), kind.recovered, kind.title),
            Row("Caught up", _points(kind, "caught_up_after_s"), kind.caught_up, kind.title),
        )
    )


def _points(kind: KindFigure, name: str) -> list[Point]:
    look = "wiped" if "wiped" in kind.kind else ""
    values = ((sample, getattr(sample, name)) for sample in kind.samples)
    return [
        Point(
            value, f"{sample.run_id}, {numbers.moment(sample.t)}: {numbers.duration(value)}", look
        )
        for sample, value in values
        if value is not None
    ]


def _phases(recovery: RecoveryMeasure) -> StackedBars | None:
    """The medians of the phases of each kind, one after the other."""
    return stacked_bars(
        (
            kind.title,
            [
                (each.phase, each.durations.p50.value)
                for each in kind.phases
                if each.durations is not None and each.durations.p50.value is not None
            ],
        )
        for kind in recovery.kinds
    )


def _ratios(cost: CostMeasure) -> RatioChart:
    """Everything that was compared, measured / baseline, on one axis: 1 is no difference."""
    rows: list[tuple[str, Estimate]] = [("Throughput", cost.throughput.ratio)]
    if cost.throughput.cpu_ratio is not None:
        rows.append(("CPU of the app a record", cost.throughput.cpu_ratio))
    rows += [
        (f"{'CPU' if each.what == 'CPU' else 'Bytes'} of the brokers a record", each.ratio)
        for each in cost.broker
    ]
    for load in cost.latency:
        at = f"at {load.share * 100:.0f} % load"
        rows += [(f"p50 latency {at}", load.p50_ratio), (f"p99 latency {at}", load.p99_ratio)]
    return ratio_chart(rows)


def interval_panels(measure: CommitIntervalMeasure) -> list[Panel]:
    """Throughput, latency, and what a kill costs, over one axis of commit intervals."""
    points = sorted(measure.points, key=lambda point: point.interval_s)
    throughput = Series("throughput", "main", [_throughput(point) for point in points])
    latency = [
        Series(name, look, _latency(points, name))
        for name, look in (("p50", "main"), ("p99", "warm"))
    ]
    reprocessed = Series("p50", "violet", _medians(points, "reprocessed", numbers.count))
    recovered = Series("p50", "fault", _medians(points, "recovered", numbers.duration))

    intervals = [point.interval_s for point in points]
    x = logarithmic(intervals, ticks=intervals)
    drawn: list[tuple[str, list[Series], Callable[..., Scale], Callable[[float], str]]] = [
        ("Throughput, records a second", [throughput], linear, numbers.compact),
        (f"Latency at {numbers.rate(measure.rate)}", latency, log_time, numbers.short_duration),
        ("Reprocessed after a kill, records", [reprocessed], linear, numbers.compact),
        ("First output after a kill", [recovered], linear, numbers.short_duration),
    ]
    return [
        panel(
            title,
            series,
            x=x,
            y=scale(_heights(series)),
            x_text=numbers.short_duration,
            y_text=y_text,
            rules=[] if measure.knee_s is None else [(measure.knee_s, "knee")],
        )
        for title, series, scale, y_text in drawn
        if any(each.data for each in series)
    ]


def restore_panel(measure: RestoreMeasure) -> Panel:
    """What was restored, the line through it, and how far it is drawn out: both axes by powers."""
    sizes = [point.megabytes for point in measure.points]
    ahead = [each.megabytes for each in measure.extrapolations]
    x = logarithmic([*sizes, *ahead])
    low, high = min([*sizes, *ahead]), max([*sizes, *ahead])
    fit = [
        Datum(x=size, y=measure.fixed_s.value + size / measure.megabytes_per_s.value, says="")
        for size in (
            low * (high / low) ** (i / _STEPS_OF_A_CURVE) for i in range(_STEPS_OF_A_CURVE + 1)
        )
    ]
    series = [
        Series("fit", "line", fit, dots=False),
        Series("restored", "main", _restored(measure, standby=False), joined=False),
        Series("with a standby", "hollow", _restored(measure, standby=True), joined=False),
        Series("predicted, 95 % of restores", "warm", _predicted(measure), joined=False),
        Series("measured, not fitted", "violet", _checked(measure), joined=False),
    ]
    return panel(
        "Seconds of a restore against megabytes of state, a task",
        [each for each in series if each.data],
        x=x,
        y=log_time(_heights(series, most=10.0)),
        x_text=numbers.megabytes,
        y_text=numbers.short_duration,
        height=260,
    )


def _throughput(point: IntervalPoint) -> Datum:
    rate = point.throughput
    says = f"every {numbers.duration(point.interval_s)}: {numbers.rate(rate.value)}"
    return Datum(x=point.interval_s, y=rate.value, low=rate.low, high=rate.high, says=says)


def _latency(points: Sequence[IntervalPoint], name: str) -> list[Datum]:
    known = ((p.interval_s, getattr(p.latency, name)) for p in points if p.latency is not None)
    return [
        Datum(x=x, y=y, says=f"every {numbers.duration(x)}: {name} {numbers.duration(y)}")
        for x, y in known
    ]


def _medians(
    points: Sequence[IntervalPoint], name: str, text: Callable[[float | None], str]
) -> list[Datum]:
    """With the largest that was seen as the upper end."""
    known = ((p.interval_s, getattr(p, name)) for p in points)
    return [
        Datum(
            x=x,
            y=figure.p50.value,
            low=None if figure.max is None else figure.p50.value,
            high=figure.max,
            says=f"every {numbers.duration(x)}: p50 {text(figure.p50.value)}, "
            f"max {text(figure.max)}",
        )
        for x, figure in known
        if figure is not None and figure.p50.value is not None
    ]


def _restored(measure: RestoreMeasure, *, standby: bool) -> list[Datum]:
    return [
        Datum(
            x=point.megabytes,
            y=point.seconds,
            says=f"{numbers.megabytes(point.megabytes)} in {numbers.duration(point.seconds)}: "
            f"{point.megabytes_per_s:.1f} MB/s",
        )
        for point in measure.points
        if point.standby is standby
    ]


def _predicted(measure: RestoreMeasure) -> list[Datum]:
    return [
        Datum(
            x=each.megabytes,
            y=each.seconds.value,
            low=each.seconds.low,
            high=each.seconds.high,
            says=f"{numbers.megabytes(each.megabytes)}: {numbers.duration(each.seconds.value)}, "
            f"{numbers.duration(each.seconds.low)} to {numbers.duration(each.seconds.high)}",
        )
        for each in measure.extrapolations
    ]


def _checked(measure: RestoreMeasure) -> list[Datum]:
    return [
        Datum(
            x=each.megabytes,
            y=each.measured_s,
            says=f"{numbers.megabytes(each.megabytes)}: "
            f"measured {numbers.duration(each.measured_s)}",
        )
        for each in measure.extrapolations
        if each.measured_s is not None
    ]


def _heights(series: Sequence[Series], *, most: float = _MOST_ROOM) -> list[float]:
    """What the axis has to hold: all values, and intervals up to `most` times the largest of them,
    so that the values can be seen."""
    data = [datum for each in series for datum in each.data]
    room = most * max((datum.y for datum in data), default=0.0)
    return [
        min(value, room)
        for datum in data
        for value in (datum.y, datum.low, datum.high)
        if value is not None
    ]
