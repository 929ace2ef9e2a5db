"""One run in which a subject's state is filled, wiped and restored, size by size."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.explore.measures.changelogs import Contents, changelogs_of, contents
from eoscheck.explore.measures.tap import Tap
from eoscheck.faults.witness import Witness
from eoscheck.history.restores import RestoreEnded
from eoscheck.measure.measured import RestorePoint
from eoscheck.run.commits import committed_yet
from eoscheck.run.drain import wait_drained
from eoscheck.run.stage import Stage
from eoscheck.subject.readiness import owned_partitions
from eoscheck.subject.restores import RestoreLog

_POLL_S = 0.02
PATIENCE_S = 900.0
_ACKNOWLEDGED_S = 60.0
_SAMPLE = 100
"""Records that tell how large one is in the changelog."""
_CLOSE = 0.97
"""A state of so large a part of the wanted size is of that size."""
_ROUNDS = 30
_MOST_AT_ONCE = 5_000_000
_WARM_EVERY_S = 1.0
_WARM_SHARE = 0.01


@dataclass(kw_only=True)
class Restoring:
    """What is done in place of a scenario's faults; `points` and `by` are there when it is over.

    `sizes` in MB, rising. With `standby` there are two instances: whoever owns the state is stopped
    and wiped, and it is timed until the other one has it; else one is stopped, wiped and started.
    `by`: how restores were seen. Where the subject logs them, it is from the begin of the restore
    to its end, and `waits` has how long it took until it began, from the start or the stop on; else
    from that on to the first commit.
    """

    sizes: Sequence[float]
    repetitions: int
    standby: bool
    tap: Tap
    tell: Callable[[str], None]
    points: list[tuple[float, RestorePoint]] = field(default_factory=list)
    by: str = ""
    waits: list[float] = field(default_factory=list)
    grown_by: float = 0.0
    """MB that one record of the last ones has left; 0: not known yet."""
    sleep: Callable[[float], None] = time.sleep

    def __call__(self, stage: Stage, witness: Witness | None) -> None:
        for size in self.sizes:
            self._fill(stage, size)
            for number in range(1, self.repetitions + 1):
                point = self._handed_over(stage) if self.standby else self._restarted(stage)
                self.points.append((size, point))
                self.tell(
                    f"{point.megabytes:.1f} MB restored in {point.seconds:.2f} s "
                    f"({number} of {self.repetitions})"
                )

    # -- filling

    def _fill(self, stage: Stage, size: float) -> None:
        """By what the last records made it grow: many apps log a key once in each commit, so that
        of few keys most of what is poured leaves nothing."""
        self._drained(stage)
        there = self._contents(stage).megabytes
        for _ in range(_ROUNDS):
            if there >= size * _CLOSE:
                return
            more = _SAMPLE
            if self.grown_by:
                more = min(_MOST_AT_ONCE, math.ceil((size - there) / self.grown_by))
            self.tell(f"{there:.1f} of {size:g} MB are there: {more:,} records more")
            self.tap.pour(more)
            self._wait_acknowledged(stage)
            self._drained(stage)
            before, there = there, self._contents(stage).megabytes
            if there <= before:
                break
            self.grown_by = (there - before) / more
        raise InfrastructureError(
            f"the changelog does not grow to {size:g} MB, it has {there:.1f}: give the load more "
            "keys, or larger values"
        )

    def _wait_acknowledged(self, stage: Stage) -> None:
        """What is due is known only then. Some may never be acknowledged: that is bounded."""
        sent, give_up_at = self.tap.sent, stage.recorder.now() + _ACKNOWLEDGED_S
        while stage.progress.acknowledged < sent and stage.recorder.now() < give_up_at:
            self.sleep(_POLL_S)

    def _drained(self, stage: Stage) -> None:
        done, seen = wait_drained(
            progress=stage.progress,
            due=stage.progress.due,
            view=stage.view,
            group=stage.scenario.subject.group,
            input_topic=stage.scenario.load.topic,
            timeout_s=PATIENCE_S,
            now=stage.recorder.now,
        )
        if not done:
            raise InfrastructureError(seen)

    def _contents(self, stage: Stage) -> Contents:
        topics = changelogs_of(stage.scenario, stage.view, run_id=stage.run_id)
        return contents(topics, view=stage.view, client_config=stage.cluster.client_config)

    # -- restoring

    def _restarted(self, stage: Stage) -> RestorePoint:
        subject = stage.subject
        self._drained(stage)
        subject.terminate(0)
        there, before = self._contents(stage), self._committed(stage)
        if not subject.wipe(0)["wiped_files"]:
            raise UsageError("the state directory was empty: does the command use {state_dir}?")
        began = stage.recorder.now()
        subject.start(0)
        seconds = self._restore_s(stage, 0, since=began, there=there, before=before)
        return self._point(there, seconds)

    def _handed_over(self, stage: Stage) -> RestorePoint:
        subject = stage.subject
        self._drained(stage)
        self._wait_warm(stage)
        owner = next((each for each in subject.instances if _owns(stage, each)), None)
        if owner is None:
            raise InfrastructureError("subject.client_id does not tell which instance is at work")
        other = next(each for each in subject.instances if each != owner)
        there, began = self._contents(stage), stage.recorder.now()
        subject.terminate(owner)
        before = self._committed(stage)  # its last commit is one of its end
        subject.wipe(owner)
        seconds = self._restore_s(stage, other, since=began, there=there, before=before)
        subject.start(owner)
        subject.wait_ready(view=stage.view)
        return self._point(there, seconds)

    def _point(self, there: Contents, seconds: float) -> RestorePoint:
        return RestorePoint(
            megabytes=there.megabytes,
            records=there.records,
            keys=there.keys,
            value_bytes=there.mean_value,
            standby=self.standby,
            seconds=seconds,
            tasks=there.partitions,
        )

    def _wait_warm(self, stage: Stage) -> None:
        """A standby that is read has a directory that does not grow any more."""
        give_up_at = stage.recorder.now() + PATIENCE_S
        before = -1.0
        while True:
            now = min(_size(stage.subject.state_dir(each)) for each in stage.subject.instances)
            if before > 0 and abs(now - before) <= before * _WARM_SHARE:
                return
            if stage.recorder.now() >= give_up_at:
                raise InfrastructureError("the standby's directory does not come to rest")
            before = now
            self.sleep(_WARM_EVERY_S)

    def _committed(self, stage: Stage) -> dict[int, int]:
        group = stage.scenario.subject.group
        return {} if group is None else committed_yet(stage.view, group, stage.scenario.load.topic)

    def _restore_s(
        self,
        stage: Stage,
        instance: int,
        *,
        since: float,
        there: Contents,
        before: dict[int, int],
    ) -> float:
        """By what it says of its restores, or else until the first commit (or output) after it."""
        subject, now = stage.subject, stage.recorder.now
        outputs, exits = stage.progress.outputs, len(subject.unexpected_exits())
        restores = _Restores(stage, instance, since=since)
        give_up_at = since + PATIENCE_S
        while now() < give_up_at:
            worked = any(at > before.get(n, 0) for n, at in self._committed(stage).items()) or (
                stage.scenario.subject.group is None and stage.progress.outputs > outputs
            )
            at = now()
            begins, ends = restores.look()
            if len(ends) >= there.partitions and ends.keys() >= begins.keys():
                self.by = "from the begin to the end that the subject logs"
                self.waits.append(min(begins.values()) - since)
                return max(ends.values()) - min(begins.values())
            if worked:
                self.by = "from the start to the first commit after it"
                return at - since
            if len(subject.unexpected_exits()) > exits:
                subject.raise_if_exited()
                raise InfrastructureError("the subject ended by itself while it restored")
            self.sleep(_POLL_S)
        raise InfrastructureError(f"nothing was restored within {PATIENCE_S:g} s")


def _owns(stage: Stage, instance: int) -> bool:
    spec = stage.subject.spec
    return bool(
        owned_partitions(
            spec,
            view=stage.view,
            topic=stage.scenario.load.topic,
            client_id=spec.client_id_of(instance, run_id=stage.run_id),
        )
    )


_Times = dict[tuple[str, int], float]


class _Restores:
    """When those of each store and partition began, and ended, that an instance began after
    `since`, by the log that it has now."""

    def __init__(self, stage: Stage, instance: int, *, since: float) -> None:
        log = stage.subject.output(instance)
        began = time.time() - stage.recorder.now()
        self._log = (
            None
            if log is None
            else RestoreLog(log, instance=instance, since_start=lambda unix: unix - began)
        )
        self._since = since
        self._begins: _Times = {}
        self._ends: _Times = {}

    def look(self) -> tuple[_Times, _Times]:
        for event in self._log.new() if self._log is not None else ():
            if event.t >= self._since:
                times = self._ends if isinstance(event, RestoreEnded) else self._begins
                times[event.store, event.partition] = event.t
        return self._begins, {
            place: end for place, end in self._ends.items() if place in self._begins
        }


def _size(folder: Path) -> float:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:  # compacted away meanwhile
            continue
    return float(total)
