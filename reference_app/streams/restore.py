"""Brings a task's stores up to what is committed before the task may run.

After Kafka Streams' StoreChangelogReader, and its errors: taking the last stable offset as the end
loses committed state (KAFKA-10167). Nothing here blocks for long, so that other tasks go on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import groupby

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from reference_app.streams.bounds import LogBounds
from reference_app.streams.committed import StableOffset
from reference_app.streams.errors import StreamsError
from reference_app.streams.logs import event
from reference_app.streams.replay import place, replay, starting_point
from reference_app.streams.store import Position
from reference_app.streams.stream_time import Committed
from reference_app.streams.task import LoggedStore, Task

_LOG = logging.getLogger(__name__)
_BATCH = 5_000
_REPORT_S = 1.0
# Longer than any transaction may be open (`transaction.max.timeout.ms`, 15 minutes by default).
_STALL_S = 20 * 60.0


@dataclass(frozen=True, kw_only=True)
class Restored:
    """One finished restore of one store; `bytes` are keys and values."""

    partition: int
    store: str
    start: int
    end: int
    records: int
    bytes: int
    seconds: float
    wiped: str | None


@dataclass(kw_only=True)
class _Reading:
    """One changelog partition on its way from `start` to `end`."""

    task: Task
    logged: LoggedStore
    start: int
    end: int
    wiped: str | None
    began: float
    report_at: float
    records: int = 0
    bytes: int = 0
    done: bool = False


@dataclass(kw_only=True)
class _Restoring:
    """One task on its way: its stable offset first, then its changelogs' ends, then the reading."""

    task: Task
    offset: StableOffset
    committed: Committed | None = None
    bounds: list[LogBounds] = field(default_factory=list)
    readings: list[_Reading] | None = None
    progressed: float = 0.0


class Restorer:
    """Restores tasks, several at a time, with one consumer of its own."""

    def __init__(
        self,
        *,
        admin: AdminClient,
        open_consumer: Callable[[], Consumer],
        stable_offset: Callable[[int], StableOffset],
        on_restored: Callable[[Restored], None],
        end_isolation: IsolationLevel = IsolationLevel.READ_UNCOMMITTED,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._admin = admin
        self._open_consumer = open_consumer
        self._stable_offset = stable_offset
        self._end_isolation = end_isolation
        self._on_restored = on_restored
        self._clock = clock
        self._wall_clock = wall_clock
        self._consumer: Consumer | None = None
        self._restoring: dict[int, _Restoring] = {}
        self._readings: dict[tuple[str, int], _Reading] = {}

    @property
    def active(self) -> bool:
        return bool(self._restoring)

    @property
    def reading(self) -> bool:
        """Changelog records are on their way."""
        return bool(self._readings)

    def add(self, task: Task) -> None:
        """To be called after the partition was assigned: only then is its past settled."""
        task.start_restoring()
        self._restoring[task.partition] = _Restoring(
            task=task,
            offset=self._stable_offset(task.partition),
            progressed=self._clock(),
        )

    def remove(self, partition: int) -> None:
        """Forgets a task; what it has restored so far stays on disk, with its position."""
        restoring = self._restoring.pop(partition, None)
        for reading in (restoring.readings if restoring else None) or []:
            if not reading.done:
                self._leave(reading)

    def step(self, timeout: float) -> list[tuple[Task, Committed]]:
        """Goes on for a moment; the finished tasks, with what each goes on from.

        `timeout` in seconds bounds the wait for changelog records; 0: other tasks have work to do.
        """
        for restoring in self._restoring.values():
            self._advance(restoring, alone=timeout > 0)
        if self._readings:
            self._read(timeout)
        finished = [
            restoring
            for restoring in self._restoring.values()
            if restoring.readings is not None and all(r.done for r in restoring.readings)
        ]
        for restoring in finished:
            del self._restoring[restoring.task.partition]
        return [(r.task, r.committed) for r in finished if r.committed is not None]

    def close(self) -> None:
        self._restoring.clear()
        self._readings.clear()
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _advance(self, restoring: _Restoring, *, alone: bool) -> None:
        if restoring.readings is not None:
            return
        self._check_stall(restoring)
        if restoring.committed is None:
            restoring.committed = restoring.offset.poll(alone=alone)
            if restoring.committed is not None:
                # Not before: the ends must include whatever those offsets were committed with.
                restoring.bounds = [self._bounds_of(logged) for logged in restoring.task.stores]
            return
        bounds = [asked.poll() for asked in restoring.bounds]
        if None not in bounds:
            restoring.readings = [
                self._begin(restoring.task, logged, log_start=known[0], end=known[1])
                for logged, known in zip(restoring.task.stores, bounds, strict=True)
                if known is not None
            ]
            restoring.progressed = self._clock()

    def _bounds_of(self, logged: LoggedStore) -> LogBounds:
        changelog = logged.changelog
        return LogBounds(
            self._admin,
            TopicPartition(changelog.topic.name, changelog.partition),
            end_isolation=self._end_isolation,
            clock=self._clock,
        )

    def _begin(self, task: Task, logged: LoggedStore, *, log_start: int, end: int) -> _Reading:
        topic = logged.changelog.topic
        start = starting_point(
            logged.store.position, topic, log_start=log_start, end=end, now=self._wall_clock()
        )
        if start.wipe is not None:
            logged.store.wipe()
        reading = _Reading(
            task=task,
            logged=logged,
            start=start.offset,
            end=end,
            wiped=start.wipe,
            began=self._clock(),
            report_at=self._clock(),
        )
        event(
            _LOG,
            "restore_start",
            task=task.partition,
            store=logged.name,
            start=start.offset,
            end=end,
            wiped=start.wipe or "no",
        )
        if start.offset >= end:
            self._finish(reading)
        else:
            if self._consumer is None:
                self._consumer = self._open_consumer()
            self._readings[(topic.name, task.partition)] = reading
            at = TopicPartition(topic.name, task.partition, start.offset)
            self._consumer.incremental_assign([at])
        return reading

    def _read(self, timeout: float) -> None:
        assert self._consumer is not None
        messages = self._consumer.consume(_BATCH, timeout)
        for where, run in groupby(messages, key=place):
            reading = self._readings.get(where)
            if reading is not None:
                self._apply(reading, run)
        # The client's position also moves over control and aborted records, which are never
        # delivered; all that was delivered has been applied.
        at = [TopicPartition(*where) for where in self._readings]
        for partition in self._consumer.position(at):
            reading = self._readings[(partition.topic, partition.partition)]
            if partition.offset >= reading.end:
                self._leave(reading)
                self._finish(reading)
            else:
                self._check_stall(self._restoring[partition.partition])

    def _apply(self, reading: _Reading, run: Iterable[Message]) -> None:
        replayed = replay(reading.logged, run, now=self._wall_clock())
        if replayed.next_offset is None:
            return
        reading.records += replayed.records
        reading.bytes += replayed.bytes
        now = self._clock()
        self._restoring[reading.task.partition].progressed = now
        if now >= reading.report_at:
            reading.report_at = now + _REPORT_S
            event(
                _LOG,
                "restore_batch",
                task=reading.task.partition,
                store=reading.logged.name,
                offset=replayed.next_offset,
                end=reading.end,
                records=reading.records,
                bytes=reading.bytes,
                seconds=now - reading.began,
            )

    def _finish(self, reading: _Reading) -> None:
        topic_id = reading.logged.changelog.topic.topic_id
        # Past the last record, markers included: the next restore begins where this one ended.
        offset = max(reading.start, reading.end)
        reading.logged.store.finish_restore(Position(topic_id, offset, self._wall_clock()))
        reading.done = True
        restored = Restored(
            partition=reading.task.partition,
            store=reading.logged.name,
            start=reading.start,
            end=reading.end,
            records=reading.records,
            bytes=reading.bytes,
            seconds=self._clock() - reading.began,
            wiped=reading.wiped,
        )
        event(
            _LOG,
            "restore_end",
            task=restored.partition,
            store=restored.store,
            end=restored.end,
            records=restored.records,
            bytes=restored.bytes,
            seconds=restored.seconds,
        )
        self._on_restored(restored)

    def _leave(self, reading: _Reading) -> None:
        where = (reading.logged.changelog.topic.name, reading.task.partition)
        if self._readings.pop(where, None) is not None and self._consumer is not None:
            self._consumer.incremental_unassign([TopicPartition(*where)])

    def _check_stall(self, restoring: _Restoring) -> None:
        if self._clock() - restoring.progressed > _STALL_S:
            raise StreamsError(
                f"task {restoring.task.partition} waited {_STALL_S:g} s for a transaction that "
                "nobody ends: look for it with kafka-transactions.sh find-hanging"
            )
