"""`measure recovery`: repeated faults of each kind on one live cluster, each kind a run of its own
that is audited like any other."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import msgspec

from eoscheck.audit.findings import Verdict
from eoscheck.explore.measures.aborted import aborted_records
from eoscheck.explore.measures.folder import MeasureFolder
from eoscheck.explore.measures.kinds import TITLES, Kinds
from eoscheck.explore.measures.strikes import Strikes, planned_strikes
from eoscheck.faults import PlannedFault
from eoscheck.faults.witness import Witness
from eoscheck.history import (
    Event,
    FaultMissed,
    PhaseStarted,
    RunStarted,
    SendsAcknowledged,
    read_history,
)
from eoscheck.measure.figures import Distribution, Recovery
from eoscheck.measure.measured import KindFigure, Objective, PhaseFigure, RecoverySample
from eoscheck.measure.objective import judge
from eoscheck.measure.phases import PHASES, Trail
from eoscheck.measure.quantiles import distribution
from eoscheck.measure.reprocessed import reprocessed
from eoscheck.run.opened import Opened, forget_topics
from eoscheck.run.result import RunResult
from eoscheck.run.runner import run_scenario
from eoscheck.run.scenario import Scenario
from eoscheck.run.stage import Stage

Load = Callable[[str], Scenario]
"""The scenario with a run's id filled in."""
Watch = Callable[[str], AbstractContextManager[Callable[[Event], None]]]


@dataclass(frozen=True, kw_only=True)
class KindMeasured:
    """One kind, and the run that it was taken from; `late_s`: how late the load was at its end."""

    figure: KindFigure
    run: RunResult
    late_s: float


@dataclass(frozen=True, kw_only=True)
class Recoveries:
    """Measures one kind after the other. `watch(title)` gives a listener for one run's events;
    `tell` gets lines for the user."""

    load: Load
    kinds: Kinds
    objective: Objective | None
    seed: int
    repeat: str
    ground: Opened
    folder: MeasureFolder
    watch: Watch
    tell: Callable[[str], None]

    def measure(self, name: str) -> KindMeasured:
        """Raises UsageError or InfrastructureError where its run cannot be made."""
        run_id = f"{self.folder.measure_id}-{name}"
        scenario = self._scenario(name, run_id)
        strikes = Strikes(
            faults=self._planned(name, scenario),
            seed=self.seed,
            patience_s=scenario.timing.seconds("liveness"),
            tell=self.tell,
        )
        aborted: list[tuple[float, int]] = []

        def act(stage: Stage, witness: Witness | None) -> None:
            strikes(stage, witness)
            began = time.time() - stage.recorder.now()
            taken_back = aborted_records(stage.cluster.client_config, scenario.audit.output)
            aborted.extend((unix - began, records) for unix, records in taken_back)

        run_folder = self.folder.run_folder(run_id)
        try:
            with self.watch(scenario.title) as listener:
                run = run_scenario(
                    scenario,
                    on=self.ground,
                    folder=run_folder,
                    run_id=run_id,
                    seed=self.seed,
                    repeat=self.repeat,
                    listener=listener,
                    act=act,
                    closely=True,
                )
        finally:
            forget_topics(self.ground.cluster, run_id)
        events = read_history(run_folder)
        figure = kind_figure(
            name,
            run.figures.recoveries,
            events,
            aborted=aborted,
            objective=self.objective,
        )
        return KindMeasured(figure=figure, run=run, late_s=late_by(events))

    def _scenario(self, name: str, run_id: str) -> Scenario:
        scenario = self.load(run_id)
        return msgspec.structs.replace(
            scenario,
            title=f"{TITLES[name]}, {self.kinds.repetitions} times: {scenario.title}",
            faults=[self.kinds.table(name, scenario)],
        )

    def _planned(self, name: str, scenario: Scenario) -> list[PlannedFault]:
        return planned_strikes(
            self.kinds.table(name, scenario),
            subject=scenario.subject,
            seed=self.seed,
            count=self.kinds.repetitions,
            down_s=self.kinds.down_s(name),
        )


def kind_figure(
    name: str,
    recoveries: Sequence[Recovery],
    events: Sequence[Event],
    *,
    aborted: Sequence[tuple[float, int]] = (),
    objective: Objective | None = None,
) -> KindFigure:
    """A pure function of one run's history, and of what was aborted in it (run's time, records)."""
    run_id = next(event.run_id for event in events if isinstance(event, RunStarted))
    missed = [event for event in events if isinstance(event, FaultMissed)]
    unbitten = {event.fault_id for event in missed}
    left_out = Counter(f"did not bite: {event.reason}" for event in missed)
    trail = Trail(events)
    samples, told = [], []
    for fault, records in zip(recoveries, reprocessed(recoveries, events, aborted), strict=True):
        if fault.fault_id in unbitten:
            continue
        if fault.outcome == "no_input":
            left_out["no input came to its partitions afterwards"] += 1
            continue
        told.append(fault)
        samples.append(
            RecoverySample(
                kind=name,
                run_id=run_id,
                t=fault.t,
                recovered_after_s=fault.recovered_after_s,
                caught_up_after_s=fault.caught_up_after_s,
                phases=trail.phases(fault),
                reprocessed=records,
            )
        )
    ended = [s.recovered_after_s for s in samples if s.recovered_after_s is not None]
    return KindFigure(
        kind=name,
        title=TITLES[name],
        recovered=_of([sample.recovered_after_s for sample in samples]),
        caught_up=_of([f.caught_up_after_s for f in told if f.lag_before is not None]),
        phases=[
            PhaseFigure(phase=phase, durations=distribution(_shown(samples, phase)))
            for phase in PHASES
        ],
        reprocessed=_of([float(sample.reprocessed or 0) for sample in samples]),
        judgement=None
        if objective is None
        else judge(objective, ended, censored=len(samples) - len(ended)),
        samples=samples,
        left_out=dict(left_out),
    )


def _shown(samples: Sequence[RecoverySample], phase: str) -> list[float]:
    return [seconds for sample in samples if (seconds := sample.phases[phase]) is not None]


def _of(durations: Sequence[float | None]) -> Distribution | None:
    ended = [duration for duration in durations if duration is not None]
    return distribution(ended, censored=len(durations) - len(ended))


def late_by(events: Sequence[Event]) -> float:
    """How late the load was when it ended: a machine that is too slow for its rate."""
    ended = next((e.t for e in events if isinstance(e, PhaseStarted) and e.phase == "drain"), None)
    due = max((max(e.intended) for e in events if isinstance(e, SendsAcknowledged)), default=None)
    return 0.0 if ended is None or due is None else max(0.0, ended - due)


def verdict_notes(runs: Sequence[RunResult]) -> list[str]:
    """What the audits say: a figure of a subject that lost or doubled records is none of a subject
    that works."""
    return [
        f"{run.run_id} is {run.verdict.value}: {'; '.join(run.reasons[:2])}"
        for run in runs
        if run.verdict is not Verdict.PASS
    ]
