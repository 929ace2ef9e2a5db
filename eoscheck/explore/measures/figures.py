"""The figures of a finished run, demo or measure, by name, with what tells how sure they are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from eoscheck.measure.comparison import Better, Figure, LogMean, Sample, log_mean, of_estimate
from eoscheck.measure.figures import CostFigure, Distribution, Drain, LatencyFigure, Recovery
from eoscheck.measure.measured import (
    CommitIntervalMeasure,
    CostMeasure,
    Measured,
    RecoveryMeasure,
    RestoreMeasure,
)
from eoscheck.run.result import DemoResult, RunResult


def of_run(run: RunResult, *, prefix: str = "") -> Iterator[Figure]:
    told = [fault for fault in run.figures.recoveries if fault.outcome != "no_input"]
    for kind in dict.fromkeys(fault.kind for fault in told):
        faults = [fault for fault in told if fault.kind == kind]
        yield _durations(f"{prefix}recovery after {kind}", [f.recovered_after_s for f in faults])
        yield _durations(f"{prefix}caught up after {kind}", _caught_up(faults))
    yield from _latency(f"{prefix}latency, steady", run.figures.latency.steady)
    if run.figures.longest_outage is not None:
        longest = run.figures.longest_outage.seconds
        yield _figure(f"{prefix}longest gap", "s", "less", longest)


def of_demo(demo: DemoResult) -> Iterator[Figure]:
    for run in demo.runs:
        yield from of_run(run, prefix=f"{run.scenario}: ")
    if demo.cost is not None:
        yield from _cost(demo.cost)


def of_measure(measured: Measured) -> Iterator[Figure]:
    if measured.recovery is not None:
        yield from _recovery(measured.recovery)
    if measured.cost is not None:
        yield from _cost_measure(measured.cost)
    if measured.commit_interval is not None:
        yield from _intervals(measured.commit_interval)
    if measured.restore is not None:
        yield from _restore(measured.restore)


def _caught_up(faults: Sequence[Recovery]) -> list[float | None]:
    return [fault.caught_up_after_s for fault in faults if fault.lag_before is not None]


def _recovery(measure: RecoveryMeasure) -> Iterator[Figure]:
    for kind in measure.kinds:
        samples = kind.samples
        yield _durations(f"recovery after {kind.kind}", [s.recovered_after_s for s in samples])
        if kind.caught_up is not None:
            caught = [sample.caught_up_after_s for sample in samples]
            yield _durations(f"caught up after {kind.kind}", caught)
        counts = [float(s.reprocessed) for s in samples if s.reprocessed is not None]
        taken = Sample(values=counts, by_ratio=False)
        yield _figure(f"reprocessed after {kind.kind}", "records", "less", taken)


def _cost(cost: CostFigure) -> Iterator[Figure]:
    for side in (cost.measured, cost.baseline):
        drains = [drain for drain in cost.drains if drain.label == side.label]
        yield _throughput(f"throughput, {side.label}", drains)
    ratio = of_estimate(cost.ratio, freedom=cost.pairs - 1)
    name = f"throughput, {cost.measured.label} / {cost.baseline.label}"
    yield _figure(name, "", "more", ratio)


def _cost_measure(measure: CostMeasure) -> Iterator[Figure]:
    yield from _cost(measure.throughput)
    for load in measure.latency:
        at, freedom = f"at {load.share * 100:.0f} % load", load.pairs - 1
        yield _figure(
            f"p50 latency {at}, ratio", "", "less", of_estimate(load.p50_ratio, freedom=freedom)
        )
        yield _figure(
            f"p99 latency {at}, ratio", "", "less", of_estimate(load.p99_ratio, freedom=freedom)
        )
    for broker in measure.broker:
        taken = of_estimate(broker.ratio, freedom=measure.throughput.pairs - 1)
        yield _figure(f"{broker.what} of the brokers, ratio", "", "less", taken)


def _intervals(measure: CommitIntervalMeasure) -> Iterator[Figure]:
    for point in measure.points:
        at = f"at {point.interval_s * 1000:g} ms"
        if point.drains:
            yield _throughput(f"throughput {at}", point.drains)
        yield from _latency(f"latency {at}", point.latency)
        yield from _median(f"recovery {at}", "s", point.recovered)
        yield from _median(f"reprocessed {at}", "records", point.reprocessed)


def _restore(measure: RestoreMeasure) -> Iterator[Figure]:
    freedom = len(measure.points) - 2
    rate = of_estimate(measure.megabytes_per_s, freedom=freedom)
    yield _figure("restore rate", "MB/s", "more", rate)
    for each in measure.extrapolations:
        name = f"restore of {each.megabytes:.0f} MB, as predicted"
        yield _figure(name, "s", "less", each.seconds.value)


def _durations(name: str, seconds: Sequence[float | None]) -> Figure:
    values = [math.inf if each is None else each for each in seconds]
    return _figure(name, "s", "less", Sample(values=values))


def _throughput(name: str, drains: Sequence[Drain]) -> Figure:
    return _figure(name, "records/s", "more", log_mean([d.records_per_s for d in drains]))


def _latency(name: str, figure: LatencyFigure | None) -> Iterator[Figure]:
    """The records of one run are no repetitions: a stall is in thousands of them at once."""
    if figure is not None:
        yield _figure(f"{name}, p50", "s", "less", figure.p50)
        yield _figure(f"{name}, p99", "s", "less", figure.p99)


def _median(name: str, unit: str, figure: Distribution | None) -> Iterator[Figure]:
    if figure is not None and figure.p50.value is not None:
        yield _figure(f"{name}, p50", unit, "less", float(figure.p50.value))


def _figure(name: str, unit: str, better: Better, taken: Sample | LogMean | float) -> Figure:
    return Figure(name=name, unit=unit, better=better, taken=taken)
