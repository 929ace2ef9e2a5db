"""The metrics file: what a process is doing, for people and for harnesses, without reading logs."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgspec

from reference_app.streams.directory import write_atomically
from reference_app.streams.restore import Restored
from reference_app.streams.task import Task, TaskState

_RESTORES_KEPT = 100


class TaskMetrics(msgspec.Struct, frozen=True):
    """`position`: next input offset to process; `committed`: the group's. -1: none yet.

    `changelog_offsets`, by store: the committed point that is durable here.
    """

    partition: int
    state: str
    position: int
    committed: int
    changelog_offsets: dict[str, int]


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


class Metrics(msgspec.Struct, frozen=True, kw_only=True):
    """Times are Unix seconds. `state`: starting, restoring, running or closed.

    `exit_code` and `reason` are set in the last version that a process writes.
    """

    at: float
    pid: int
    started_at: float
    application_id: str
    process_id: str
    transactional_id: str | None
    processing_guarantee: str
    state: str
    in_transaction: bool
    sessions: int
    records: int
    commits: int
    aborts: int
    last_commit_at: float | None
    tasks: list[TaskMetrics]
    restores: list[RestoreMetrics]
    exit_code: int | None = None
    reason: str | None = None


class Recorder:
    """Counts what happens, and writes it to `path` at most every `interval_s` seconds."""

    def __init__(
        self,
        path: Path,
        *,
        application_id: str,
        process_id: str,
        transactional_id: str | None,
        processing_guarantee: str,
        interval_s: float = 0.25,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.sessions = 0
        self.commits = 0
        self._path = path
        self._names = {
            "application_id": application_id,
            "process_id": process_id,
            "transactional_id": transactional_id,
            "processing_guarantee": processing_guarantee,
        }
        self._interval_s = interval_s
        self._clock = clock
        self._wall_clock = wall_clock
        self._started_at = wall_clock()
        self._due = clock()
        self._records = 0
        self._aborts = 0
        self._last_commit_at: float | None = None
        self._restores: deque[RestoreMetrics] = deque(maxlen=_RESTORES_KEPT)

    def processed(self, records: int) -> None:
        self._records += records

    def committed(self) -> None:
        self.commits += 1
        self._last_commit_at = self._wall_clock()

    def aborted(self) -> None:
        self._aborts += 1

    def restored(self, restored: Restored) -> None:
        self._restores.append(
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

    def write_if_due(self, tasks: dict[int, Task], *, in_transaction: bool) -> None:
        now = self._clock()
        if now >= self._due:
            self._due = now + self._interval_s
            self._write(_state(tasks), tasks, in_transaction=in_transaction)

    def write_last(self, *, exit_code: int, reason: str) -> None:
        self._write("closed", {}, in_transaction=False, exit_code=exit_code, reason=reason)

    def _write(
        self,
        state: str,
        tasks: dict[int, Task],
        *,
        in_transaction: bool,
        exit_code: int | None = None,
        reason: str | None = None,
    ) -> None:
        metrics = Metrics(
            at=self._wall_clock(),
            pid=os.getpid(),
            started_at=self._started_at,
            **self._names,  # type: ignore[arg-type]
            state=state,
            in_transaction=in_transaction,
            sessions=self.sessions,
            records=self._records,
            commits=self.commits,
            aborts=self._aborts,
            last_commit_at=self._last_commit_at,
            tasks=[_task(task) for _, task in sorted(tasks.items())],
            restores=list(self._restores),
            exit_code=exit_code,
            reason=reason,
        )
        write_atomically(self._path, msgspec.json.encode(metrics))


def _state(tasks: dict[int, Task]) -> str:
    if not tasks:
        return "starting"
    running = all(task.state is TaskState.RUNNING for task in tasks.values())
    return "running" if running else "restoring"


def _task(task: Task) -> TaskMetrics:
    offsets = {}
    for logged in task.stores:
        position = logged.store.position
        if position is not None:
            offsets[logged.name] = position.offset
    return TaskMetrics(task.partition, str(task.state), task.position, task.committed, offsets)
