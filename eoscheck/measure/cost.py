"""Exactly-once against at-least-once: paired, interleaved drains of the same backlog.

The two drains of a pair share what the machine was like just then, so what is averaged is the
logarithm of their ratio. Its interval is Student's t: for the few pairs there are, a bootstrap of
the pairs covers much less than it says (docs/measures.md has both, simulated).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean, stdev
from typing import Literal

from eoscheck.errors import UsageError
from eoscheck.measure.extra import load
from eoscheck.measure.figures import CostFigure, CostSide, Drain, Estimate, LatencyFigure
from eoscheck.measure.latency import latency_figure
from eoscheck.measure.measured import BrokerCost, LatencyAtLoad
from eoscheck.measure.quantiles import CONFIDENCE


def cost_from_drains(
    drains: Sequence[Drain],
    *,
    measured: str = "exactly-once",
    baseline: str = "at-least-once",
) -> CostFigure:
    """`drains` in the order they ran, warm-up left out: A B, B A, A B ... Each two are a pair.

    Raises UsageError where they are not such pairs.
    """
    pairs = _pairs(drains, measured=measured, baseline=baseline)
    ratio = ratio_of([(m.records_per_s, b.records_per_s) for m, b in pairs])
    cpu = [(m.cpu_s / m.records, b.cpu_s / b.records) for m, b in pairs if m.cpu_s and b.cpu_s]
    return CostFigure(
        measured=_side(measured, [m for m, _ in pairs]),
        baseline=_side(baseline, [b for _, b in pairs]),
        pairs=len(pairs),
        ratio=ratio,
        cost=Estimate(
            value=1 - ratio.value,
            low=None if ratio.high is None else 1 - ratio.high,
            high=None if ratio.low is None else 1 - ratio.low,
        ),
        cpu_ratio=ratio_of(cpu) if len(cpu) == len(pairs) else None,
        drains=list(drains),
    )


def ratio_of(pairs: Sequence[tuple[float, float]]) -> Estimate:
    """The geometric mean of the quotients of positive pairs, with its 95 % t interval (from two
    pairs on): exact where the logarithms are normal, and close where they are not."""
    logs = [math.log(over / under) for over, under in pairs]
    mean = fmean(logs)
    if len(logs) < 2:
        return Estimate(value=math.exp(mean), low=None, high=None)
    quantile = float(load("scipy.stats").t.ppf((1 + CONFIDENCE) / 2, len(logs) - 1))
    half = quantile * stdev(logs) / math.sqrt(len(logs))
    return Estimate(value=math.exp(mean), low=math.exp(mean - half), high=math.exp(mean + half))


def mean_of(values: Sequence[float]) -> Estimate:
    """The geometric mean of positive values, with its 95 % t interval (from two on)."""
    return ratio_of([(value, 1.0) for value in values])


def broker_costs(
    drains: Sequence[Drain],
    *,
    measured: str = "exactly-once",
    baseline: str = "at-least-once",
) -> list[BrokerCost]:
    """What the drains of `cost_from_drains` cost the brokers; without what was not taken in all."""
    pairs = _pairs(drains, measured=measured, baseline=baseline)
    figures: dict[Literal["CPU", "bytes"], Callable[[Drain], float | None]] = {
        "CPU": lambda drain: drain.broker_cpu_s and drain.broker_cpu_s / drain.records * 1e6,
        "bytes": lambda drain: drain.broker_bytes_per_record,
    }
    costs = []
    for what, of in figures.items():
        taken = [(over, under) for m, b in pairs if (over := of(m)) and (under := of(b))]
        if len(taken) == len(pairs):
            costs.append(
                BrokerCost(
                    what=what,
                    measured=_geometric_mean([over for over, _ in taken]),
                    baseline=_geometric_mean([under for _, under in taken]),
                    ratio=ratio_of(taken),
                )
            )
    return costs


def latency_at_load(
    pairs: Sequence[tuple[Sequence[float], Sequence[float]]], *, share: float, rate: float
) -> LatencyAtLoad:
    """`pairs`: the latencies of one run of each setting, measured and baseline, none empty."""
    runs = [(_some(over), _some(under)) for over, under in pairs]
    return LatencyAtLoad(
        share=share,
        rate=rate,
        pairs=len(pairs),
        measured=_some([each for over, _ in pairs for each in over]),
        baseline=_some([each for _, under in pairs for each in under]),
        p50_ratio=ratio_of([(over.p50, under.p50) for over, under in runs]),
        p99_ratio=ratio_of([(over.p99, under.p99) for over, under in runs]),
    )


def _some(latencies: Sequence[float]) -> LatencyFigure:
    figure = latency_figure(latencies)
    if figure is None:
        raise UsageError("a run without an output has no latency to compare")
    return figure


def _pairs(drains: Sequence[Drain], *, measured: str, baseline: str) -> list[tuple[Drain, Drain]]:
    if not drains or len(drains) % 2:
        raise UsageError(f"a cost needs pairs of drains: {len(drains)} were given")
    pairs = []
    for first, second in zip(drains[::2], drains[1::2], strict=True):
        by_label = {first.label: first, second.label: second}
        if by_label.keys() != {measured, baseline}:
            raise UsageError(
                f"each pair of drains needs one {measured!r} and one {baseline!r}:"
                f" got {first.label!r} and {second.label!r}"
            )
        pairs.append((by_label[measured], by_label[baseline]))
    return pairs


def _side(label: str, drains: Sequence[Drain]) -> CostSide:
    cpu = [drain.cpu_s / drain.records for drain in drains if drain.cpu_s]
    return CostSide(
        label=label,
        records_per_s=_geometric_mean([drain.records_per_s for drain in drains]),
        cpu_us_per_record=_geometric_mean(cpu) * 1e6 if len(cpu) == len(drains) else None,
    )


def _geometric_mean(values: Sequence[float]) -> float:
    return math.exp(fmean(math.log(value) for value in values))
