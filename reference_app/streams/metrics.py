"""The metrics file: what a process is doing, for people and for harnesses, without reading logs."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from reference_app.streams.directory import write_atomically
from reference_app.streams.logs import event
from reference_app.streams.restore import Restored
from reference_app.streams.standby import StandbyOffsets
from reference_app.streams.task import Task, TaskState

_LOG = logging.getLogger(__name__)
_RESTORES_KEPT = 100


class TaskMetrics(msgspec.Struct, frozen=True):
    """`position`: next input offset to process; `committed`: the group's. -1: none yet.

    `lag`: records up to the last stable offset, None while not known. `changelog_offsets`, by
    store: the committed point that is durable here. `worker`: the thread that runs it.
    `late_writes` came to windows past their retention, and were refused.
    """

    partition: int
    worker: int
    state: str
    position: int
    committed: int
    lag: int | None
    changelog_offsets: dict[str, int]
    late_writes: int = 0


class RestoreMetrics(msgspec.Struct, frozen=True):
    partition: int
    store: str
    start: int
    end: int
    records: int
    bytes: int
    seconds: float
    wiped: str | None
    ended_at: float


class WorkerMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """One worker at one moment. `state`: starting, restoring, running or closed."""

    worker: int
    transactional_id: str | None
    state: str = "starting"
    in_transaction: bool = False
    sessions: int = 0
    records: int = 0
    commits: int = 0
    aborts: int = 0
    dead_letters: int = 0
    last_commit_at: float | None = None


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """Times are Unix seconds. Counts are sums over the workers.

    `state`: starting, restoring (some task is not running yet), running or closed. `standbys`:
    changelog offsets of the warm copies kept here. `exit_code` and `reason` are set in the last
    version that a process writes.
    """

    at: float
    pid: int
    started_at: float
    application_id: str
    process_id: str
    processing_guarantee: str
    state: str
    in_transaction: bool
    sessions: int
    records: int
    commits: int
    aborts: int
    dead_letters: int
    last_commit_at: float | None
    workers: list[WorkerMetrics]
    tasks: list[TaskMetrics]
    standbys: list[StandbyOffsets]
    restores: list[RestoreMetrics]
    exit_code: int | None = None
    reason: str | None = None


class Recorder:
    """Counts what one worker does. Belongs to the worker's thread, save for what it `shows`."""

    def __init__(
        self,
        *,
        worker: int,
        transactional_id: str | None,
        interval_s: float = 0.2,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.sessions = 0
        self.commits = 0
        self.dead_letters = 0
        self._worker = worker
        self._transactional_id = transactional_id
        self._interval_s = interval_s
        self._clock = clock
        self._wall_clock = wall_clock
        self._due = clock()
        self._records = 0
        self._aborts = 0
        self._last_commit_at: float | None = None
        self._shown: tuple[WorkerMetrics, list[TaskMetrics]] = (
            WorkerMetrics(worker=worker, transactional_id=transactional_id),
            [],
        )
        self.restores: deque[RestoreMetrics] = deque(maxlen=_RESTORES_KEPT)

    def processed(self, records: int) -> None:
        self._records += records

    def committed(self) -> None:
        self.commits += 1
        self._last_commit_at = self._wall_clock()

    def aborted(self) -> None:
        self._aborts += 1

    def dead_lettered(self) -> None:
        self.dead_letters += 1

    def restored(self, restored: Restored) -> None:
        self.restores.append(
            RestoreMetrics(
                partition=restored.partition,
                store=restored.store,
                start=restored.start,
                end=restored.end,
                records=restored.records,
                bytes=restored.bytes,
                seconds=restored.seconds,
                wiped=restored.wiped,
                ended_at=self._wall_clock(),
            )
        )

    def show_if_due(
        self,
        tasks: dict[int, Task],
        *,
        in_transaction: bool,
        lag: Callable[[int], int | None] = lambda _: None,
    ) -> None:
        now = self._clock()
        if now >= self._due:
            self._due = now + self._interval_s
            shown = [_task(task, self._worker, lag(task.partition)) for task in tasks.values()]
            self._show(_state(tasks), shown, in_transaction=in_transaction)

    def show_closed(self) -> None:
        self._show("closed", [], in_transaction=False)

    @property
    def shows(self) -> tuple[WorkerMetrics, list[TaskMetrics]]:
        """What was last shown, never in the middle of a change: for the thread that writes it."""
        return self._shown

    def _show(self, state: str, tasks: list[TaskMetrics], *, in_transaction: bool) -> None:
        metrics = WorkerMetrics(
            worker=self._worker,
            transactional_id=self._transactional_id,
            state=state,
            in_transaction=in_transaction,
            sessions=self.sessions,
            records=self._records,
            commits=self.commits,
            aborts=self._aborts,
            dead_letters=self.dead_letters,
            last_commit_at=self._last_commit_at,
        )
        self._shown = (metrics, tasks)


class MetricsFile:
    """Puts together what the workers show, and writes it."""

    def __init__(
        self,
        path: Path,
        recorders: Sequence[Recorder],
        *,
        application_id: str,
        process_id: str,
        processing_guarantee: str,
        standbys: Callable[[], list[StandbyOffsets]] = list,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._recorders = tuple(recorders)
        self._application_id = application_id
        self._process_id = process_id
        self._processing_guarantee = processing_guarantee
        self._standbys = standbys
        self._wall_clock = wall_clock
        self._started_at = wall_clock()
        self._writable = True

    def write(self, *, exit_code: int | None = None, reason: str | None = None) -> None:
        """A disk that is full or read-only ends no process: it only stays without figures."""
        shown = [recorder.shows for recorder in self._recorders]
        workers = [worker for worker, _ in shown]
        commits_at = [w.last_commit_at for w in workers if w.last_commit_at is not None]
        tasks = [task for _, tasks in shown for task in tasks]
        metrics = Metrics(
            at=self._wall_clock(),
            pid=os.getpid(),
            started_at=self._started_at,
            application_id=self._application_id,
            process_id=self._process_id,
            processing_guarantee=self._processing_guarantee,
            state=_together(workers) if exit_code is None else "closed",
            in_transaction=any(worker.in_transaction for worker in workers),
            sessions=sum(worker.sessions for worker in workers),
            records=sum(worker.records for worker in workers),
            commits=sum(worker.commits for worker in workers),
            aborts=sum(worker.aborts for worker in workers),
            dead_letters=sum(worker.dead_letters for worker in workers),
            last_commit_at=max(commits_at, default=None),
            workers=workers,
            tasks=sorted(tasks, key=lambda task: task.partition),
            standbys=self._standbys(),
            restores=sorted(
                (restore for recorder in self._recorders for restore in list(recorder.restores)),
                key=lambda restore: restore.ended_at,
            ),
            exit_code=exit_code,
            reason=reason,
        )
        try:
            write_atomically(self._path, msgspec.json.encode(metrics))
        except OSError as error:
            if self._writable:  # told once: it is tried several times a second
                event(_LOG, "metrics_not_written", level=logging.WARNING, reason=error)
            self._writable = False
        else:
            self._writable = True


def _state(tasks: dict[int, Task]) -> str:
    if not tasks:
        return "starting"
    running = all(task.state is TaskState.RUNNING for task in tasks.values())
    return "running" if running else "restoring"


def _together(workers: Sequence[WorkerMetrics]) -> str:
    """A worker that owns nothing (more workers than partitions) keeps nobody from running."""
    states = {worker.state for worker in workers}
    return next(
        (state for state in ("restoring", "running", "starting") if state in states), "closed"
    )


def _task(task: Task, worker: int, lag: int | None) -> TaskMetrics:
    offsets = {}
    for logged in task.stores:
        position = logged.store.position
        if position is not None:
            offsets[logged.name] = position.offset
    return TaskMetrics(
        partition=task.partition,
        worker=worker,
        state=str(task.state),
        position=task.position,
        committed=task.committed,
        lag=lag,
        changelog_offsets=offsets,
        late_writes=sum(logged.store.refused for logged in task.stores),
    )
