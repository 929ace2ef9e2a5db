"""The figures of `measure cost` and `measure commit-interval` as tables."""

from __future__ import annotations

from eoscheck.cli.measured import as_table
from eoscheck.measure.figures import Estimate
from eoscheck.measure.measured import CommitIntervalMeasure, CostMeasure, IntervalPoint
from eoscheck.report import numbers

_WIDE = 10
_TOO_FEW = " [too few to tell]"


def cost_table(cost: CostMeasure) -> str:
    throughput = cost.throughput
    measured, baseline = throughput.measured, throughput.baseline
    rows = [
        [
            "throughput",
            numbers.rate(measured.records_per_s),
            numbers.rate(baseline.records_per_s),
            ratio(throughput.ratio),
        ]
    ]
    if throughput.cpu_ratio is not None:
        rows.append(
            [
                "the app's CPU a record",
                _micros(measured.cpu_us_per_record),
                _micros(baseline.cpu_us_per_record),
                ratio(throughput.cpu_ratio),
            ]
        )
    for each in cost.broker:
        text = _micros if each.what == "CPU" else _bytes
        what = f"the brokers' {each.what} a record"
        rows.append([what, text(each.measured), text(each.baseline), ratio(each.ratio)])
    for load in cost.latency:
        at = f"at {load.share:.0%} of saturation ({numbers.rate(load.rate)})"
        for name, over, under, of in (
            ("p50", load.measured.p50, load.baseline.p50, load.p50_ratio),
            ("p99", load.measured.p99, load.baseline.p99, load.p99_ratio),
        ):
            figures = [numbers.duration(over), numbers.duration(under), ratio(of)]
            rows.append([f"{name} latency {at}", *figures])
    return as_table(["", measured.label, baseline.label, "ratio [95 %]"], rows)


def interval_table(measure: CommitIntervalMeasure) -> str:
    heads = ["commit interval", "throughput [95 %]", "a longer one gains [95 %]"]
    heads += ["p50", "p99", "again after a kill (p50, most)", "recovered (p50, most)"]
    return as_table(heads, [_row(point, measure.knee_s) for point in measure.points])


def ratio(estimate: Estimate | None) -> str:
    """0.93 [0.88 – 0.98]."""
    if estimate is None:
        return numbers.NONE
    return f"{estimate.value:.2f}{_ends(estimate, '{:.2f}')}"


def _row(point: IntervalPoint, knee_s: float | None) -> list[str]:
    latency, again, recovered = point.latency, point.reprocessed, point.recovered
    mark = " (the knee)" if point.interval_s == knee_s else ""
    return [
        f"{numbers.short_duration(point.interval_s)}{mark}",
        f"{numbers.rate(point.throughput.value)}{_ends(point.throughput, '{:,.0f}')}",
        numbers.NONE if point.gain is None else _gain(point.gain),
        numbers.duration(latency.p50 if latency else None),
        numbers.duration(latency.p99 if latency else None),
        numbers.NONE
        if again is None
        else f"{numbers.count(again.p50.value)}, {numbers.count(again.max)}",
        numbers.NONE
        if recovered is None
        else f"{numbers.duration(recovered.p50.value)}, {numbers.duration(recovered.max)}",
    ]


def _gain(gain: Estimate) -> str:
    """+12 % [+3 % – +21 %]."""
    if gain.low is None or gain.high is None:
        return f"{gain.value - 1:+.0%}"
    if gain.high > _WIDE * gain.value:
        return f"{gain.value - 1:+.0%}{_TOO_FEW}"
    return f"{gain.value - 1:+.0%} [{gain.low - 1:+.0%} – {gain.high - 1:+.0%}]"


def _ends(estimate: Estimate, form: str) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    if estimate.high > _WIDE * estimate.value:
        return _TOO_FEW
    return f" [{form.format(estimate.low)} – {form.format(estimate.high)}]"


def _micros(value: float | None) -> str:
    return numbers.NONE if value is None else f"{value:.1f} µs"


def _bytes(value: float) -> str:
    return f"{value:,.0f} B"
