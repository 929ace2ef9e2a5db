"""Measures made from seeded noise: nothing here was measured."""

from __future__ import annotations

import random
from functools import cache

from eoscheck.measure import Drain, cost_from_drains
from eoscheck.measure.figures import Estimate, LatencyFigure
from eoscheck.measure.measured import (
    BrokerCost,
    CommitIntervalMeasure,
    CostMeasure,
    Extrapolation,
    IntervalPoint,
    Judgement,
    KindFigure,
    LatencyAtLoad,
    Measured,
    Objective,
    PhaseFigure,
    RecoveryMeasure,
    RecoverySample,
    RestoreMeasure,
    RestorePoint,
)
from eoscheck.measure.quantiles import distribution
from tests.unit.report.samples import HOSTILE

PHASES = ("detection", "rebalance", "restore", "first commit", "caught up")


def measured(**figure: object) -> Measured:
    what = next(iter(figure)).replace("_", "-")
    return Measured(
        what=what,  # type: ignore[arg-type]
        measure_id=f"measure-{what}-1",
        title=f"Measure: {what}",
        headline=f"The answer about {what}, in one sentence.",
        scenario="kill-exactly-once",
        seed=1,
        started_at="2026-01-02T03:04:05+00:00",
        environment={"eoscheck": "0.1.0", "cpus": "2"},
        repeat=f"eoscheck measure {what} --seed 1",
        folder=f"reports/measure-{what}-1",
        notes=["on a simulated machine", HOSTILE],
        runs=["reports/measure-1/run-1"],
        **figure,  # type: ignore[arg-type]
    )


@cache
def recovery() -> Measured:
    chance = random.Random(7)
    kinds = [
        _kind("kill", "Killed, state kept", 1.2, 40, chance, outcome="met"),
        _kind("kill-wiped", "Killed, state wiped", 2.9, 12, chance, outcome="not yet known"),
        _kind("broker-kill", "Broker killed", 4.4, 6, chance, outcome="not met"),
    ]
    return measured(recovery=RecoveryMeasure(kinds=kinds))


def only(outcome: str) -> Measured:
    """A recovery of one kind of fault, judged so."""
    kind = _kind("kill", "Killed", 1.2, 10, random.Random(1), outcome=outcome)
    return measured(recovery=RecoveryMeasure(kinds=[kind]))


def _kind(
    kind: str, title: str, about: float, n: int, chance: random.Random, *, outcome: str
) -> KindFigure:
    samples = []
    for number in range(n):
        first = about * chance.lognormvariate(0, 0.25)
        samples.append(
            RecoverySample(
                kind=kind,
                run_id=f"run-{number % 3}",
                t=5.0 + number,
                recovered_after_s=first,
                caught_up_after_s=first * 1.4,
                phases=dict.fromkeys(PHASES, first / 5),
                reprocessed=number % 7,
            )
        )
    firsts = [s.recovered_after_s for s in samples if s.recovered_after_s is not None]
    return KindFigure(
        kind=kind,
        title=title,
        recovered=distribution(firsts),
        caught_up=distribution([first * 1.4 for first in firsts]),
        phases=[
            PhaseFigure(phase=phase, durations=distribution([first * share for first in firsts]))
            for phase, share in zip(PHASES, (0.5, 0.2, 0.1, 0.2, 0.4), strict=True)
        ],
        reprocessed=distribution([float(s.reprocessed or 0) for s in samples]),
        judgement=Judgement(
            objective=Objective(quantile=0.9, seconds=3.0),
            outcome=outcome,  # type: ignore[arg-type]
            n=n,
            more=17 if outcome == "not yet known" else None,
            why="the largest of so many decides",
        ),
        samples=samples,
        left_out={"no input afterwards": 2} if kind == "kill" else {},
    )


@cache
def cost() -> Measured:
    chance = random.Random(3)
    labels = ["exactly-once", "at-least-once", "at-least-once", "exactly-once"] * 2
    drains = []
    for label in labels:
        rate = (91_000 if label == "exactly-once" else 103_000) * chance.lognormvariate(0, 0.03)
        drains.append(
            Drain(label=label, seconds=200_000 / rate, records=200_000, cpu_s=9.6e5 / rate)
        )
    at = [
        LatencyAtLoad(
            share=share,
            rate=103_000 * share,
            pairs=4,
            measured=latency(0.12 * (1 + share)),
            baseline=latency(0.015 * (1 + share)),
            p50_ratio=Estimate(value=7.9, low=7.1, high=8.8),
            p99_ratio=Estimate(value=6.1, low=4.2, high=8.9),
        )
        for share in (0.25, 0.5, 0.75)
    ]
    broker = [
        BrokerCost(
            what="CPU", measured=4.2, baseline=3.9, ratio=Estimate(value=1.08, low=0.97, high=1.2)
        ),
        BrokerCost(
            what="bytes",
            measured=312.0,
            baseline=290.0,
            ratio=Estimate(value=1.08, low=None, high=None),
        ),
    ]
    return measured(
        cost=CostMeasure(throughput=cost_from_drains(drains), latency=at, broker=broker)
    )


def latency(p50: float, n: int = 20_000) -> LatencyFigure:
    return LatencyFigure(n=n, p50=p50, p90=p50 * 1.6, p99=p50 * 2.5, p999=p50 * 4, max=p50 * 9)


@cache
def commit_interval() -> Measured:
    points = []
    for interval in (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0):
        rate = 100_000 * interval / (interval + 0.04)
        points.append(
            IntervalPoint(
                interval_s=interval,
                throughput=Estimate(value=rate, low=rate * 0.94, high=rate * 1.06),
                latency=latency(interval / 2 + 0.02),
                reprocessed=distribution([interval * 500 * k for k in (0.2, 0.5, 0.9)]),
                recovered=distribution([1.0 + interval * k for k in (0.2, 0.5, 0.9)]),
                drains=[Drain(label=f"{interval} s", seconds=1.0, records=round(rate))],
            )
        )
    return measured(
        commit_interval=CommitIntervalMeasure(
            points=points,
            rate=1000.0,
            knee_s=0.3,
            advice="300 ms: the shortest interval that keeps 88 % of the throughput.",
        )
    )


@cache
def restore() -> Measured:
    chance = random.Random(5)
    points = []
    for size in (8.0, 16.0, 32.0, 64.0, 128.0):
        for standby in (False, True):
            seconds = (0.3 + size / 110) * chance.lognormvariate(0, 0.05) * (0.3 if standby else 1)
            points.append(
                RestorePoint(
                    megabytes=size,
                    records=round(size * 5000),
                    keys=round(size * 1000),
                    value_bytes=200,
                    standby=standby,
                    seconds=seconds,
                )
            )
    ahead = [
        Extrapolation(
            megabytes=size,
            seconds=Estimate(value=size / 110, low=size / 110 * 0.8, high=size / 110 * 1.25),
            measured_s=measured_s,
        )
        for size, measured_s in ((512.0, 4.9), (20_000.0, None), (200_000.0, None))
    ]
    return measured(
        restore=RestoreMeasure(
            points=points,
            fixed_s=Estimate(value=0.3, low=0.2, high=0.4),
            megabytes_per_s=Estimate(value=110.0, low=101.0, high=119.0),
            extrapolations=ahead,
            objective=Objective(quantile=0.95, seconds=60.0),
            largest_megabytes=5100.0,
        )
    )
