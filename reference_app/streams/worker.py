"""One worker: a consumer, a producer, and the tasks of the partitions it was assigned.

A worker lives for one session. Whatever makes its ownership or its last commit doubtful raises
SessionLost; the app then closes it dirty and starts another.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from threading import Event
from typing import Protocol

from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from reference_app.streams.commit import Committer
from reference_app.streams.dead_letters import RecordRefused
from reference_app.streams.errors import (
    MAX_POLL_EXCEEDED,
    PARTITION_EOF,
    ProcessingError,
    SessionLost,
    TransactionAborted,
    consumer_failure,
)
from reference_app.streams.logs import event
from reference_app.streams.owners import OwnerWatch
from reference_app.streams.restore import Restorer
from reference_app.streams.task import Task

_LOG = logging.getLogger(__name__)
_IDLE_S = 0.1
_BUSY_S = 0.005
"""Longest wait for input while a task is restoring."""


class Progress(Protocol):
    """Hears what a worker does; see `metrics`."""

    def processed(self, records: int) -> None: ...

    def committed(self) -> None: ...

    def aborted(self) -> None: ...


class Worker:
    """`build_task(partition)` opens the stores of one partition and builds its processors;
    `task_closed(partition)` hears that they are closed again."""

    def __init__(
        self,
        *,
        consumer: Consumer,
        committer: Committer,
        restorer: Restorer,
        build_task: Callable[[int], Task],
        task_closed: Callable[[int], None] = lambda _: None,
        progress: Progress,
        input_topic: str,
        commit_interval_s: float,
        max_poll_records: int,
        patience_s: float,
        owners: OwnerWatch | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.tasks: dict[int, Task] = {}
        self.committer = committer
        self._consumer = consumer
        self._restorer = restorer
        self._build_task = build_task
        self._task_closed = task_closed
        self._progress = progress
        self._input_topic = input_topic
        self._commit_interval_s = commit_interval_s
        self._max_poll_records = max_poll_records
        self._patience_s = patience_s
        self._owners = owners
        self._clock = clock
        self._commit_at = clock()
        self._aborts = 0
        self._aborting_since = clock()
        self._running: dict[int, Task] = {}
        self._fetched: set[int] = set()
        self._rewind = False
        self._wary = False
        self._abandoned = False

    def start(self, stopping: Event) -> None:
        """Ends what a former self left open, then joins the group."""
        self.committer.open(stopping)
        self._join()

    def step(self) -> None:
        """One turn: restore a little, process a batch, commit if it is time."""
        if self._restorer.active:
            self._restore()
        self._process(self._poll())
        if self._clock() >= self._commit_at or (
            self._wary and any(task.is_past_refused for task in self._running.values())
        ):
            self._commit_or_roll_back()
        if self._rewind:
            self._rewind = False
            self._fetch_from_committed(list(self._running.values()))
        if self._owners is not None and self._owners.poll():
            self._consumer.unsubscribe()
            self._join()

    def close(self) -> None:
        """Clean: commits, then leaves the group; after it a restart restores nothing."""
        self._commit_or_roll_back()
        for task in self._running.values():
            task.checkpoint()
        self._close_tasks(list(self.tasks))
        self._abandoned = True
        self._consumer.close()
        self._restorer.close()
        self.committer.close()

    def abandon(self, *, abort: bool) -> None:
        """Dirty: commits nothing; each store stays at its committed point.

        `abort` ends the open transaction, so that readers do not wait for its time-out. Never where
        it might have been committed.
        """
        self._abandoned = True
        if abort:
            try:
                self.committer.abort()
            except SessionLost as lost:  # its time-out will end it
                event(_LOG, "abort_failed", level=logging.WARNING, reason=lost)
        self._close_tasks(list(self.tasks))
        self._restorer.close()
        self._consumer.close()
        self.committer.close()

    def lag(self, partition: int) -> int | None:
        """Records from a task's position to the last stable offset, as last fetched."""
        task = self._running.get(partition)
        if task is None:
            return None
        at = TopicPartition(self._input_topic, partition)
        _, end = self._consumer.get_watermark_offsets(at, cached=True)
        return max(end - max(task.position, 0), 0) if end >= 0 else None

    # -- the loop

    def _poll(self) -> list[Message]:
        """What is there, or else what comes first within the time that may be waited."""
        messages = self._consumer.consume(1 if self._wary else self._max_poll_records, 0)
        if messages:
            return messages
        wait = _BUSY_S if self._restorer.active else _IDLE_S
        if self._restorer.reading and not self._running:
            wait = 0.0  # changelog records are what comes next, and are waited for elsewhere
        if any(task.needs_commit for task in self._running.values()):
            wait = min(wait, max(self._commit_at - self._clock(), 0.0))
        return self._consumer.consume(1, wait)

    def _process(self, messages: Sequence[Message]) -> None:
        if self._rewind:
            # Rolled back while polling: these are not the next records any more. An error is one
            # still, and told once: a fenced consumer is silent for ever after.
            self._check_errors(messages)
            return
        try:
            for partition, run in groupby(messages, key=Message.partition):
                task = self._running.get(partition)  # type: ignore[arg-type]
                if task is not None:
                    self._progress.processed(task.process(run, self.committer.begin))
                else:
                    self._check_errors(run)
        except TransactionAborted as aborted:
            self._roll_back(aborted)
        self.committer.poll()

    def _commit_or_roll_back(self) -> None:
        try:
            self._commit()
        except TransactionAborted as aborted:
            self._roll_back(aborted)

    def _commit(self) -> None:
        self._commit_at = self._clock() + self._commit_interval_s
        tasks = list(self._running.values())
        if not any(task.needs_commit for task in tasks):
            return
        self.committer.commit(tasks)
        self._progress.committed()
        self._aborts = 0
        if self._wary:
            self._wary = any(task.is_wary for task in tasks)
        positions = ",".join(f"{task.partition}:{task.position}" for task in tasks)
        event(_LOG, "committed", level=logging.DEBUG, positions=positions)

    def _roll_back(self, aborted: TransactionAborted) -> None:
        """An abort's other half: overlays dropped, consumer back at the last committed offset.

        The consumer goes back at the end of the turn: not inside a rebalance, where the client
        takes the first assignment it is given for the answer.
        """
        self.committer.abort()
        self._progress.aborted()
        event(_LOG, "aborted", level=logging.WARNING, reason=aborted)
        if isinstance(aborted, RecordRefused):
            self._wary = True
        else:
            self._bound_aborts(aborted)
        for task in self._running.values():
            task.rollback()
        self._rewind = True
        self._commit_at = self._clock() + self._commit_interval_s

    def _bound_aborts(self, aborted: TransactionAborted) -> None:
        """The same records fail again and again: somebody has to look at them, or at the broker."""
        self._aborts += 1
        if self._aborts == 1:
            self._aborting_since = self._clock()
        elif self._clock() - self._aborting_since > self._patience_s:
            raise ProcessingError(
                f"{self._aborts} transactions in a row were aborted within {self._patience_s:g} s, "
                f"the last one: {aborted}"
            )

    def _restore(self) -> None:
        for task, committed in self._restorer.step(0.0 if self._running else _BUSY_S):
            task.run(committed)
            self._running[task.partition] = task
            self._fetch_from_committed([task])
            event(_LOG, "running", task=task.partition, position=committed.offset)

    def _fetch_from_committed(self, tasks: Sequence[Task]) -> None:
        """Starts, or starts again, at the committed offset; what was fetched before is dropped.

        Assigned anew rather than sought: a seek is refused while a partition has no leader, or has
        not begun to be fetched.
        """
        partitions = [TopicPartition(self._input_topic, task.partition) for task in tasks]
        fetched = [partition for partition in partitions if partition.partition in self._fetched]
        if fetched:
            self._consumer.incremental_unassign(fetched)
        for partition, task in zip(partitions, tasks, strict=True):
            partition.offset = task.committed if task.committed >= 0 else OFFSET_BEGINNING
        self._consumer.incremental_assign(partitions)
        self._fetched.update(task.partition for task in tasks)

    def _check_errors(self, messages: Iterable[Message]) -> None:
        """Records of a task that is not running are left alone: it will seek its own position."""
        for message in messages:
            error = message.error()
            if error is None or error.code() == PARTITION_EOF or error.retriable():
                continue
            if error.code() == MAX_POLL_EXCEEDED:
                event(_LOG, "max_poll_exceeded", level=logging.WARNING)
                continue  # on_lost follows
            raise consumer_failure(error, self._input_topic)

    # -- rebalances

    def _join(self) -> None:
        self._consumer.subscribe(
            [self._input_topic],
            on_assign=self._on_assign,
            on_revoke=self._on_revoke,
            on_lost=self._on_lost,
        )

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Nothing is fetched yet: each partition begins when its task is restored."""
        event(_LOG, "assigned", partitions=_numbers(partitions))
        consumer.incremental_assign([])
        for partition in partitions:
            task = self._build_task(partition.partition)
            self.tasks[partition.partition] = task
            self._restorer.add(task)

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """The last moment at which this member's commit counts: the next owner waits for it."""
        event(_LOG, "revoked", partitions=_numbers(partitions))
        if not self._abandoned:
            self._commit_or_roll_back()
        self._give_up(consumer, partitions)

    def _on_lost(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Somebody else owns them already: nothing that was done for them may be committed."""
        event(_LOG, "lost", level=logging.WARNING, partitions=_numbers(partitions))
        self._give_up(consumer, partitions)
        if not self._abandoned:
            self._roll_back(TransactionAborted("partitions lost"))

    def _give_up(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._close_tasks([partition.partition for partition in partitions])
        fetched = [partition for partition in partitions if partition.partition in self._fetched]
        self._fetched.difference_update(partition.partition for partition in fetched)
        consumer.incremental_unassign(fetched)

    def _close_tasks(self, partitions: Sequence[int]) -> None:
        for partition in partitions:
            self._running.pop(partition, None)
            self._restorer.remove(partition)
            task = self.tasks.pop(partition, None)
            if task is not None:
                task.close()
                self._task_closed(partition)
                event(_LOG, "closed", task=partition, position=task.committed)


def _numbers(partitions: Sequence[TopicPartition]) -> str:
    return ",".join(str(partition.partition) for partition in partitions) or "none"
