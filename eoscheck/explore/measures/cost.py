"""The cost of exactly-once: throughput, what brokers pay, and latency at shares of saturation."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from eoscheck.explore.measures.folder import MeasureFolder
from eoscheck.explore.measures.settings import environment_now, interval_of
from eoscheck.measure.cost import broker_costs, latency_at_load
from eoscheck.measure.figures import CostFigure, Estimate
from eoscheck.measure.measured import CostMeasure, LatencyAtLoad, Measured
from eoscheck.run.backlog import Backlog
from eoscheck.run.cost import interleaved, measure_cost, require_comparable
from eoscheck.run.fresh import require_measurable
from eoscheck.run.opened import Opened
from eoscheck.run.paced import Pace, Paced, run_paced
from eoscheck.run.setting import Setting

_LATE_SHARE = 0.05
_LATE_S = 0.25
"""A load that was late for longer than that, and so much of the time, did not hold its rate."""

_Latencies = list[tuple[list[float], list[float]]]


@dataclass(frozen=True, kw_only=True)
class CostPlan:
    """`pairs` of drains of `records` records, then `latency_pairs` of runs of `seconds` at each of
    `shares` of the saturation throughput. Refuses early what cannot be compared."""

    measured: Setting
    baseline: Setting
    seed: int = 1
    pairs: int = 4
    records: int = 400_000
    latency_pairs: int = 3
    seconds: float = 5.0
    shares: tuple[float, ...] = (0.25, 0.5, 0.75)

    def __post_init__(self) -> None:
        require_comparable(self.measured, self.baseline)
        for setting in (self.measured, self.baseline):
            require_measurable(setting.load())


@dataclass
class _Bench:
    plan: CostPlan
    ground: Opened
    folder: MeasureFolder
    progress: Callable[[str], None]
    notes: list[str]
    paced: int = 0


def measure(
    plan: CostPlan,
    *,
    ground: Opened,
    folder: MeasureFolder,
    repeat: str,
    progress: Callable[[str], None],
) -> Measured:
    """Raises UsageError or InfrastructureError where a side cannot be run, or does not drain."""
    environment, notes = environment_now(ground.cluster)
    environment["commit interval"] = interval_of(plan.measured)
    with Backlog(ground, seed=plan.seed) as backlog:
        throughput = measure_cost(
            measured=plan.measured,
            baseline=plan.baseline,
            ground=ground,
            backlog=backlog,
            folder=folder.path,
            run_id=folder.measure_id,
            records=plan.records,
            pairs=plan.pairs,
            progress=progress,
        )
    bench = _Bench(plan=plan, ground=ground, folder=folder, progress=progress, notes=notes)
    latency = _latency(bench, throughput)
    scenario = plan.measured.load()
    names = {"measured": throughput.measured.label, "baseline": throughput.baseline.label}
    return Measured(
        what="cost",
        measure_id=folder.measure_id,
        title=f"What {names['measured']} costs: {scenario.title}",
        headline=_headline(throughput, latency),
        scenario=scenario.name,
        seed=plan.seed,
        started_at=folder.started_at,
        environment=environment,
        repeat=repeat,
        folder=str(folder.path),
        notes=bench.notes,
        cost=CostMeasure(
            throughput=throughput,
            latency=latency,
            broker=broker_costs(throughput.drains, **names),
        ),
    )


def _latency(bench: _Bench, throughput: CostFigure) -> list[LatencyAtLoad]:
    """Shares of the slower side's saturation, so that neither is overloaded; those that this
    machine does not hold with the load and the reader beside the subject are left out, and said."""
    plan = bench.plan
    saturation = min(throughput.measured.records_per_s, throughput.baseline.records_per_s)
    shares = sorted(plan.shares)
    pairs: dict[float, _Latencies] = defaultdict(list)
    for number in range(plan.latency_pairs):
        for share in list(shares):
            pair = _pair(bench, number=number, share=share, rate=share * saturation)
            if isinstance(pair, str):
                bench.notes.append(
                    f"{share:.0%} of saturation, {share * saturation:,.0f} records/s, and more "
                    f"are left out: {pair}"
                )
                shares = [each for each in shares if each < share]
                break
            pairs[share].append(pair)
    return [
        latency_at_load(pairs[share], share=share, rate=share * saturation)
        for share in shares
        if share in pairs
    ]


def _pair(
    bench: _Bench, *, number: int, share: float, rate: float
) -> tuple[list[float], list[float]] | str:
    """The latencies of both sides, or why the rate was not held."""
    settings = (bench.plan.measured, bench.plan.baseline)
    sides: dict[int, list[float]] = {}
    for turn in range(2):
        side = interleaved(2 * number + turn)
        scenario = settings[side].load()
        bench.progress(
            f"latency at {share:.0%}, {rate:,.0f} records/s, run {2 * number + turn + 1} of "
            f"{2 * bench.plan.latency_pairs}: {scenario.audit.expect}"
        )
        bench.paced += 1
        run_id = bench.folder.run_id(bench.paced)
        paced = run_paced(
            settings[side].load(run_id=run_id),
            pace=Pace(rate=rate, seconds=bench.plan.seconds),
            ground=bench.ground,
            folder=bench.folder.run_folder(run_id),
            run_id=run_id,
            seed=bench.plan.seed + number,
        )
        reason = not_held(paced, seconds=bench.plan.seconds)
        if reason is not None:
            return f"{scenario.audit.expect}: {reason}"
        sides[side] = paced.latencies
    return sides[0], sides[1]


def not_held(paced: Paced, *, seconds: float) -> str | None:
    """Why the figures of a run are not those of its rate; None where they are."""
    if not paced.drained:
        return "the subject did not finish its input within a minute after it"
    if paced.late_s > max(_LATE_S, _LATE_SHARE * seconds):
        return f"the load itself was {paced.late_s:.2f} s late: this machine is full"
    return None if paced.latencies else "no output was seen"


def _headline(throughput: CostFigure, latency: list[LatencyAtLoad]) -> str:
    label, other = throughput.measured.label, throughput.baseline.label
    cost = throughput.cost
    figure = f"{cost.value:.1%}{_ends(cost, '.1%')}"
    if cost.low is None or cost.high is None or cost.low <= 0 <= cost.high:
        said = f"Whether {label} costs throughput against {other} is not certain: {figure}"
    elif cost.value > 0:
        said = f"{label.capitalize()} costs {figure} of the throughput of {other}"
    else:
        said = f"{label.capitalize()} costs no throughput against {other}: {figure}"
    if not latency:
        return f"{said}."
    at = latency[len(latency) // 2]
    return (
        f"{said}; at {at.share:.0%} of saturation its p99 latency is "
        f"{at.p99_ratio.value:.2f} times as long{_ends(at.p99_ratio, '.2f')}."
    )


def _ends(estimate: Estimate, form: str) -> str:
    if estimate.low is None or estimate.high is None:
        return ""
    return f" [{estimate.low:{form}} to {estimate.high:{form}}]"
