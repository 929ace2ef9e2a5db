"""The sweep of commit intervals: what each does to throughput, to latency, and to a recovery."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from eoscheck.audit.findings import Verdict
from eoscheck.errors import UsageError
from eoscheck.explore.measures.cost import not_held
from eoscheck.explore.measures.folder import MeasureFolder
from eoscheck.explore.measures.kinds import Kinds
from eoscheck.explore.measures.recovery import KindMeasured, Recoveries, verdict_notes
from eoscheck.explore.measures.settings import at_interval, environment_now
from eoscheck.history import Event
from eoscheck.measure.advice import advise, written
from eoscheck.measure.cost import mean_of
from eoscheck.measure.figures import Drain, Estimate
from eoscheck.measure.knee import gains, knee
from eoscheck.measure.latency import latency_figure, quantile_of
from eoscheck.measure.measured import CommitIntervalMeasure, IntervalPoint, Measured, Objective
from eoscheck.run.backlog import Backlog
from eoscheck.run.commits import FewCommitsError, Window
from eoscheck.run.fresh import require_measurable
from eoscheck.run.opened import Opened, forget_topics
from eoscheck.run.paced import Pace, run_paced
from eoscheck.run.setting import Setting
from eoscheck.run.timed_drain import timed_drain

_FIRST_RECORDS = 100_000
_FIRST_INTERVAL_S = 0.1
_WARM_UP_S = 0.5
_ROOM = 1.4
"""Of a backlog, for drains that are quicker than the first."""
_P99 = 0.99
LEAST_GAIN = 0.05

Watch = Callable[[str], AbstractContextManager[Callable[[Event], None]]]


@dataclass(frozen=True, kw_only=True)
class SweepPlan:
    """`rounds` over all `intervals` (seconds), each in an order of its own: drains of `seconds` or
    two intervals, then runs at one rate (`rate`, or `share` of the slowest one's throughput) of
    `seconds` or three intervals; then `kills` of each. `records`: no backlog is larger.
    `recovery_point` in records, or in seconds of the rate. Refuses early what cannot be varied."""

    setting: Setting
    intervals: tuple[float, ...]
    seed: int = 1
    rounds: int = 3
    seconds: float = 3.0
    kills: int = 3
    records: int = 4_000_000
    rate: float | None = None
    share: float = 0.25
    objective: Objective | None = None
    recovery_point: float | None = None
    recovery_point_s: float | None = None

    def __post_init__(self) -> None:
        if len(set(self.intervals)) < 2 or min(self.intervals) <= 0:
            raise UsageError("a sweep needs two commit intervals or more, each above 0")
        scenario = self.setting.load()
        require_measurable(scenario)
        short, long = (self.at(each).load().subject for each in sorted(self.intervals)[:2])
        if short == long:
            raise UsageError(
                f"nothing says how the commit interval of {scenario.name} is set: put "
                "{commit_interval_ms} into subject.command, args or env, as in --set "
                '\'subject.args=["--commit-interval-ms", "{commit_interval_ms}"]\''
            )

    def at(self, interval_s: float) -> Setting:
        return at_interval(self.setting, interval_s)


@dataclass(frozen=True, kw_only=True)
class Swept:
    """`verdicts`: what the audits of the runs with kills said."""

    measured: Measured
    verdicts: frozenset[Verdict]

    @property
    def exit_code(self) -> int:
        """0 measured, 1 an anomaly, 2 not known whether there is one."""
        if Verdict.FAIL in self.verdicts:
            return 1
        return 2 if Verdict.UNKNOWN in self.verdicts else 0


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Where it is measured, and who is told of it."""

    plan: SweepPlan
    ground: Opened
    folder: MeasureFolder
    repeat: str
    watch: Watch
    progress: Callable[[str], None]

    def measure(self) -> Swept:
        """Raises UsageError or InfrastructureError where the subject cannot be run, or does not
        drain."""
        environment, notes = environment_now(self.ground.cluster)
        intervals, drains = self._drains(notes)
        slowest = min(mean_of(_rates(drains[each])).value for each in intervals)
        rate = self.plan.rate or self.plan.share * slowest
        latencies = self._latencies(intervals, rate, notes)
        kills = self._kills(intervals, rate)
        runs = [kill.run for kill in kills.values()]
        gained = gains(list(zip(*(_rates(drains[each]) for each in intervals), strict=True)))
        found = knee(gained, least_gain=LEAST_GAIN)
        measured = self._measured(
            [
                self._point(each, drains[each], latencies[each], kills.get(each), gain)
                for each, gain in zip(intervals, gained, strict=True)
            ],
            rate=rate,
            knee_s=None if found is None else intervals[found],
            environment=environment,
            notes=[*notes, *verdict_notes(runs)],
            runs=[run.folder for run in runs],
        )
        return Swept(measured=measured, verdicts=frozenset(run.verdict for run in runs))

    def _point(
        self,
        interval_s: float,
        drains: list[Drain],
        latencies: list[list[float]],
        kills: KindMeasured | None,
        gain: Estimate | None,
    ) -> IntervalPoint:
        quantile = self.plan.objective.quantile if self.plan.objective else _P99
        return IntervalPoint(
            interval_s=interval_s,
            throughput=mean_of(_rates(drains)),
            latency=latency_figure([took for run in latencies for took in run]),
            quantile=mean_of([quantile_of(run, quantile) for run in latencies])
            if latencies
            else None,
            gain=gain,
            reprocessed=kills.figure.reprocessed if kills else None,
            recovered=kills.figure.recovered if kills else None,
            drains=drains,
        )

    def _drains(self, notes: list[str]) -> tuple[list[float], dict[float, list[Drain]]]:
        """The intervals that a backlog was large enough for, and their drains by round."""
        plan = self.plan
        with Backlog(self.ground, seed=plan.seed) as backlog:
            self.progress("a first drain, to know how large a backlog must be")
            rate = self._first_rate(backlog)
            intervals = []
            for each in sorted(set(plan.intervals)):
                if (needed := _backlog(rate, each, plan.seconds)) <= plan.records:
                    intervals.append(each)
                else:
                    notes.append(
                        f"{written(each)} is left out: its drains need {needed:,} records; "
                        "raise --records"
                    )
            if len(intervals) < 2:
                raise UsageError("; ".join(notes))
            drains: dict[float, list[Drain]] = defaultdict(list)
            for number, each in _rounds(intervals, plan.rounds, seed=plan.seed):
                self.progress(f"drain, round {number + 1} of {plan.rounds}: {written(each)}")
                window = Window(warm_up=rate * _WARM_UP_S, seconds=_window_s(each, plan.seconds))
                records = _backlog(rate, each, plan.seconds)
                drain = self._drain(backlog, each, f"{number + 1}", records=records, window=window)
                drains[each].append(drain)
        return intervals, drains

    def _first_rate(self, backlog: Backlog) -> float:
        """In records a second, of a backlog that is made larger until an app so fast commits often
        enough in it."""
        records = _FIRST_RECORDS
        while True:
            try:
                return self._drain(
                    backlog,
                    _FIRST_INTERVAL_S,
                    f"first-{records}",
                    records=records,
                    window=Window(warm_up=0.1 * records),
                ).records_per_s
            except FewCommitsError:
                records *= 4
                if records > self.plan.records:
                    raise

    def _drain(
        self, backlog: Backlog, interval_s: float, number: str, *, records: int, window: Window
    ) -> Drain:
        run_id = self._run_id("drain", interval_s, number)
        scenario = self.plan.at(interval_s).load(run_id=run_id)
        return timed_drain(
            scenario,
            label=written(interval_s),
            ground=self.ground,
            folder=self.folder.run_folder(run_id),
            run_id=run_id,
            due=backlog.fill(scenario, run_id=run_id, records=records),
            window=window,
        )

    def _latencies(
        self, intervals: Sequence[float], rate: float, notes: list[str]
    ) -> dict[float, list[list[float]]]:
        plan = self.plan
        latencies: dict[float, list[list[float]]] = defaultdict(list)
        missing: dict[float, str] = {}
        for number, each in _rounds(intervals, plan.rounds, seed=plan.seed + 1):
            if each in missing:
                continue
            self.progress(
                f"latency at {rate:,.0f} records/s, round {number + 1} of {plan.rounds}: "
                f"{written(each)}"
            )
            run_id = self._run_id("latency", each, f"{number + 1}")
            pace = Pace(
                rate=rate, seconds=max(plan.seconds, 3 * each), warm_up_s=max(1.0, 2 * each)
            )
            paced = run_paced(
                plan.at(each).load(run_id=run_id),
                pace=pace,
                ground=self.ground,
                folder=self.folder.run_folder(run_id),
                run_id=run_id,
                seed=plan.seed + number,
            )
            reason = not_held(paced, seconds=pace.seconds)
            if reason is None:
                latencies[each].append(paced.latencies)
            else:
                missing[each] = reason
                latencies[each].clear()
        notes += [
            f"{written(each)} has no latency at {rate:,.0f} records/s: {reason}"
            for each, reason in missing.items()
        ]
        return latencies

    def _kills(self, intervals: Sequence[float], rate: float) -> dict[float, KindMeasured]:
        plan = self.plan
        order = list(intervals) if plan.kills else []
        random.Random(f"{plan.seed}/kills").shuffle(order)
        measured = {}
        for each in order:
            self.progress(f"{plan.kills} kills: {written(each)}")
            setting = plan.at(each).under(
                f"load.rate={rate}", f"timing.steady={max(2.0, 2 * each):g}s"
            )
            measured[each] = self._killed(setting, each)
        return {each: measured[each] for each in intervals if each in measured}

    def _killed(self, setting: Setting, interval_s: float) -> KindMeasured:
        folder = replace(self.folder, measure_id=self._run_id("kills", interval_s, "1"))
        recoveries = Recoveries(
            load=lambda run_id: setting.load(run_id=run_id),
            kinds=Kinds(names=["kill"], repetitions=self.plan.kills),
            objective=None,
            seed=self.plan.seed,
            repeat=self.repeat,
            ground=self.ground,
            folder=folder,
            watch=self.watch,
            tell=self.progress,
        )
        try:
            return recoveries.measure("kill")
        finally:
            topic = setting.load(run_id=folder.measure_id).load.topic
            forget_topics(self.ground.cluster, folder.measure_id, also=[topic])

    def _run_id(self, what: str, interval_s: float, number: str) -> str:
        return f"{self.folder.measure_id}-{what}-{round(interval_s * 1000)}ms-{number}"

    def _measured(
        self,
        points: list[IntervalPoint],
        *,
        rate: float,
        knee_s: float | None,
        environment: dict[str, str],
        notes: list[str],
        runs: list[str],
    ) -> Measured:
        plan, scenario = self.plan, self.plan.setting.load()
        recovery_point = plan.recovery_point
        if plan.recovery_point_s is not None:
            recovery_point = plan.recovery_point_s * rate
        advice = advise(
            points,
            knee_s=knee_s,
            least_gain=LEAST_GAIN,
            objective=plan.objective,
            recovery_point=recovery_point,
        )
        return Measured(
            what="commit-interval",
            measure_id=self.folder.measure_id,
            title=f"Commit intervals: {scenario.title}",
            headline=advice,
            scenario=scenario.name,
            seed=plan.seed,
            started_at=self.folder.started_at,
            environment=environment,
            repeat=self.repeat,
            folder=str(self.folder.path),
            notes=notes,
            runs=runs,
            commit_interval=CommitIntervalMeasure(
                points=points,
                rate=rate,
                knee_s=knee_s,
                advice=advice,
                least_gain=LEAST_GAIN,
                objective=plan.objective,
                recovery_point=recovery_point,
            ),
        )


def _rates(drains: Sequence[Drain]) -> list[float]:
    return [drain.records_per_s for drain in drains]


def _rounds(intervals: Sequence[float], rounds: int, *, seed: int) -> list[tuple[int, float]]:
    """Round by round, each in a random order of its own: whatever drifts meets every interval."""
    chance = random.Random(f"{seed}/rounds")
    return [
        (number, each)
        for number in range(rounds)
        for each in chance.sample(list(intervals), len(intervals))
    ]


def _window_s(interval_s: float, seconds: float) -> float:
    """Two commits or more, which come a little early or late."""
    return max(seconds, 1.9 * interval_s)


def _backlog(rate: float, interval_s: float, seconds: float) -> int:
    """Records for the warm-up, the wait for the next commit, the window, and one commit more."""
    return round(_ROOM * rate * (_WARM_UP_S + _window_s(interval_s, seconds) + 2 * interval_s))
