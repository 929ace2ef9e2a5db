"""What exactly-once costs: against at-least-once at the same commit interval, of the app and of
Kafka Streams."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.backlog import Backlog, fill_payments
from benchmarks.bench import Bench
from benchmarks.drain import Window, drain
from benchmarks.figures import Row, Section, at_least
from benchmarks.sizes import Sizes
from benchmarks.subjects import AT_LEAST_ONCE, EXACTLY_ONCE, Job, Who
from eoscheck.measure import cost_from_drains
from eoscheck.measure.figures import CostFigure

_ACCOUNTS = 10_000
_BOUNDS = {100: 0.10, 1000: 0.03}
_ORDER = (EXACTLY_ONCE, AT_LEAST_ONCE)
_METHOD = (
    "Pairs of drains of the same backlog, one in each mode, in one order and then in the other. "
    "The ratio is exactly-once over at-least-once; its distance from 1 is the cost. A window is "
    "{timed:,} records at 100 ms and twice as many at 1000 ms, after {skip:,} (Kafka Streams: as "
    "in the first section)."
)


def run(bench: Bench, sizes: Sizes) -> Section:
    backlog = fill_payments(bench, records=sizes.backlog, accounts=_ACCOUNTS)
    rows: list[Row] = []
    raw = {}
    for interval_ms, bound in _BOUNDS.items():
        timed = sizes.cost_timed * (2 if interval_ms >= 1000 else 1)
        windows = {Who.APP: Window(skip=sizes.cost_skip, timed=timed), Who.PEER: sizes.warm}
        pairs = {Who.APP: sizes.cost_pairs, Who.PEER: sizes.cost_peer_pairs}
        for who in bench.subjects:
            job = Job(name="", input="", commit_interval_ms=interval_ms)
            bench.say(f"cost of exactly-once, {who}, {interval_ms} ms: {pairs[who]} pairs")
            figure = _figure(bench, who, job, backlog, windows[who], pairs=pairs[who])
            rows += _rows(f"{who}, {interval_ms} ms", figure, bound if who is Who.APP else None)
            raw[f"{who}, {interval_ms} ms"] = figure
    bench.forget_topics(backlog.topic)
    method = _METHOD.format(skip=sizes.cost_skip, timed=sizes.cost_timed)
    return Section(name="cost", method=method, rows=rows, raw=raw)


def _figure(
    bench: Bench, who: Who, job: Job, backlog: Backlog, window: Window, *, pairs: int
) -> CostFigure:
    drains = []
    for number in range(pairs):
        for guarantee in _ORDER if number % 2 == 0 else _ORDER[::-1]:
            done = drain(bench, who, replace(job, guarantee=guarantee), backlog, window)
            drains.append(done)
    return cost_from_drains(
        drains, measured=f"{who}, {EXACTLY_ONCE}", baseline=f"{who}, {AT_LEAST_ONCE}"
    )


def _rows(what: str, figure: CostFigure, bound: float | None) -> list[Row]:
    judged = bound is not None
    rows = [
        Row(
            what=f"{what}, exactly-once",
            unit="records/s",
            value=figure.measured.records_per_s,
            beside="at-least-once",
            other=figure.baseline.records_per_s,
            ratio=figure.ratio,
            target=f"≥ {1 - bound:.2f} ×" if bound is not None else "",
            verdict=at_least(figure.ratio, 1 - bound) if bound is not None and judged else "",
        )
    ]
    measured, baseline = figure.measured.cpu_us_per_record, figure.baseline.cpu_us_per_record
    if measured is not None and baseline is not None:
        rows.append(
            Row(
                what=f"{what}, exactly-once",
                unit="µs CPU a record",
                value=measured,
                beside="at-least-once",
                other=baseline,
                ratio=figure.cpu_ratio,
            )
        )
    return rows
