"""`measure restore`: restores of several sizes, and of other values and keys, and with standbys."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from statistics import median

import msgspec

from eoscheck.errors import UsageError
from eoscheck.explore.measures.folder import MeasureFolder
from eoscheck.explore.measures.restoring import PATIENCE_S, Restoring
from eoscheck.explore.measures.tap import Tap
from eoscheck.history import Event
from eoscheck.measure.extrapolation import bend, fitted
from eoscheck.measure.measured import Extrapolation, Objective, RestoreMeasure, RestorePoint
from eoscheck.run.opened import Opened, forget_topics
from eoscheck.run.result import RunResult
from eoscheck.run.runner import run_scenario
from eoscheck.run.scenario import Scenario

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(MB|GB)", re.IGNORECASE)
_LEAST_SIZES = 2


def parse_size(text: str) -> float:
    """`20MB`, `1.5GB` in MB (10^6 bytes). Raises UsageError."""
    match = _SIZE.fullmatch(text.strip())
    megabytes = float(match[1]) * (1000 if match[2].upper() == "GB" else 1) if match else 0.0
    if megabytes <= 0:
        raise UsageError(f"a size is given as in 20MB or 1.5GB, not {text!r}")
    return megabytes


@dataclass(frozen=True, kw_only=True)
class Variant:
    """What is changed for one run: None is as the scenario has it."""

    name: str
    keys: int | None = None
    noise: int | None = None
    standby_args: Sequence[str] | None = None

    def of(self, scenario: Scenario) -> Scenario:
        """Raises UsageError where the scenario's load does not let it."""
        load, subject = scenario.load, scenario.subject
        if self.noise is not None and "{noise}" not in f"{load.key}{load.value}":
            raise UsageError(
                "--value-bytes needs {noise} in load.value (or load.key): the value's size is the "
                "load's"
            )
        load = msgspec.structs.replace(
            load,
            keys=load.keys if self.keys is None else self.keys,
            noise=load.noise if self.noise is None else self.noise,
        )
        standby = self.standby_args is not None
        if standby and (subject.group is None or subject.client_id is None):
            raise UsageError("--standby needs subject.group and subject.client_id")
        subject = msgspec.structs.replace(
            subject,
            instances=2 if standby else 1,
            args=[*subject.args, *(self.standby_args or ())],
        )
        title = f"{scenario.title}: {self.name}"
        # A long restore is what is measured, and no standstill.
        timing = msgspec.structs.replace(scenario.timing, liveness=f"{PATIENCE_S:g}s")
        return msgspec.structs.replace(
            scenario, load=load, app=subject, title=title, timing=timing, faults=[]
        )


@dataclass(frozen=True, kw_only=True)
class Restored:
    """The restores of one variant, each with the size that was wanted (MB). `by`: how they were
    timed; `waits`: seconds until each one began, where that is no part of it."""

    variant: Variant
    points: Sequence[tuple[float, RestorePoint]]
    by: str
    waits: Sequence[float]
    run: RunResult


@dataclass(frozen=True, kw_only=True)
class Restores:
    """Measures one variant after the other. `watch` and `tell` as for recoveries."""

    load: Callable[[str], Scenario]
    repetitions: int
    seed: int
    repeat: str
    ground: Opened
    folder: MeasureFolder
    watch: Callable[[str], AbstractContextManager[Callable[[Event], None]]]
    tell: Callable[[str], None]

    def measure(self, variant: Variant, *, number: int, sizes: Sequence[float]) -> Restored:
        """Raises UsageError or InfrastructureError where its run cannot be made."""
        run_id = self.folder.run_id(number)
        scenario = variant.of(self.load(run_id))
        tap = Tap()
        act = Restoring(
            sizes=sorted(sizes),
            repetitions=self.repetitions,
            standby=variant.standby_args is not None,
            tap=tap,
            tell=self.tell,
        )
        try:
            with self.watch(scenario.title) as listener:
                run = run_scenario(
                    scenario,
                    on=self.ground,
                    folder=self.folder.run_folder(run_id),
                    run_id=run_id,
                    seed=self.seed,
                    repeat=self.repeat,
                    listener=listener,
                    act=act,
                    feed=tap,
                    closely=True,
                )
        finally:
            forget_topics(self.ground.cluster, run_id)
        return Restored(variant=variant, points=act.points, by=act.by, waits=act.waits, run=run)


def restore_measure(
    done: Sequence[Restored],
    *,
    check: float | None,
    predict: Sequence[float],
    objective: Objective | None,
) -> RestoreMeasure:
    """The line is fitted to the first variant alone, without the size `check`, which it is held
    against. Raises UsageError where there is no line."""
    first = [(size, point) for size, point in done[0].points]
    fitted_to = [point for size, point in first if size != check]
    line = fitted(fitted_to)
    checked = [point for size, point in first if size == check]
    extrapolations = []
    if checked:
        megabytes = median(point.megabytes for point in checked)
        extrapolations.append(
            Extrapolation(
                megabytes=megabytes,
                seconds=line.predicted(megabytes),
                measured_s=median(point.seconds for point in checked),
            )
        )
    extrapolations += [
        Extrapolation(megabytes=size, seconds=line.predicted(size)) for size in predict
    ]
    return RestoreMeasure(
        points=[point for each in done for _, point in each.points],
        fixed_s=line.fixed_s,
        megabytes_per_s=line.megabytes_per_s,
        extrapolations=extrapolations,
        objective=objective,
        largest_megabytes=None if objective is None else line.largest(objective),
        bend=bend(line, fitted_to),
    )


def holds(extrapolation: Extrapolation) -> bool:
    """Whether what was measured lies in the interval that was predicted."""
    low, high = extrapolation.seconds.low, extrapolation.seconds.high
    assert extrapolation.measured_s is not None
    assert low is not None
    assert high is not None
    return low <= extrapolation.measured_s <= high


def check_sizes(sizes: Sequence[float], *, check: float | None, repetitions: int) -> None:
    """Refused before a broker is started for it."""
    if len(set(sizes)) < _LEAST_SIZES or len(set(sizes)) * repetitions <= _LEAST_SIZES:
        raise UsageError("--sizes: a rate takes at least two sizes, and three restores of them")
    if check is not None and check <= max(sizes):
        raise UsageError("--check is a size beyond --sizes: it shows whether the line holds there")
