"""One worker's life: session after session until the process stops.

Named after Kafka Streams' StreamThread, and like it the only thread that touches its clients and
tasks.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from threading import Event

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from rocksdict import Cache

from reference_app.streams.building import TaskBuilder
from reference_app.streams.changelog import Topics, prepare_topics
from reference_app.streams.clients import Clients
from reference_app.streams.commit import Committer
from reference_app.streams.committed import StableOffset
from reference_app.streams.dead_letters import DeadLetters
from reference_app.streams.directory import StateDirectory
from reference_app.streams.errors import (
    DirtyCloseError,
    FencedError,
    ProcessingError,
    SessionLost,
    Stopped,
    is_passing,
    kafka_error,
    reason,
)
from reference_app.streams.logs import event
from reference_app.streams.metrics import Recorder
from reference_app.streams.options import StreamsOptions
from reference_app.streams.owners import OwnerWatch
from reference_app.streams.parts import Parts
from reference_app.streams.standby import Standbys
from reference_app.streams.task import Task
from reference_app.streams.topology import Topology
from reference_app.streams.worker import Worker

_LOG = logging.getLogger(__name__)
_SESSIONS_WITHOUT_COMMIT = 10


@dataclass(frozen=True, kw_only=True)
class Process:
    """What all threads of a process share. `closing()` bounds what is done inside it."""

    topology: Topology
    options: StreamsOptions
    parts: Parts
    directory: StateDirectory
    clients: Clients
    cache: Cache
    stopping: Event
    closing: Callable[[], AbstractContextManager[None]]

    def topics(self, admin: AdminClient, *, timeout_s: float | None) -> Topics:
        """Looked up, and made where missing. None: a broker is waited for until stopped."""
        return prepare_topics(
            admin,
            self.topology,
            application_id=self.options.application_id,
            replication_factor=self.options.replication_factor,
            timeout_s=timeout_s if timeout_s is not None else float("inf"),
            dead_letter_topic=self.options.dead_letter_topic,
            sleep=self.sleep,
        )

    def tasks(self, topics: Topics) -> TaskBuilder:
        return TaskBuilder(
            topology=self.topology,
            topics=topics,
            directory=self.directory,
            parts=self.parts,
            cache=self.cache,
        )

    def sleep(self, seconds: float) -> None:
        if self.stopping.wait(seconds):
            raise Stopped


class StreamThread:
    """Runs worker `number` of a process. `standbys` is told which partitions have tasks here."""

    def __init__(
        self,
        process: Process,
        *,
        number: int,
        transactional_id: str | None,
        standbys: Standbys | None,
        recorder: Recorder,
    ) -> None:
        self._process = process
        self.number = number
        self._transactional_id = transactional_id
        self._standbys = standbys
        self._recorder = recorder
        self._failures = 0
        self._progress_at = time.monotonic()
        self._turn_began: float | None = None

    @property
    def turn_s(self) -> float:
        """For how long its present turn has taken; safe to ask from another thread."""
        began = self._turn_began
        return time.monotonic() - began if began is not None else 0.0

    def run(self) -> None:
        """Blocks until the process stops. Raises StreamsError for what a user has to put right."""
        stopping, recorder = self._process.stopping, self._recorder
        try:
            while not stopping.is_set():
                recorder.sessions += 1
                commits = recorder.commits
                try:
                    self._session()
                except SessionLost as lost:
                    if stopping.is_set():
                        raise DirtyCloseError(f"stopped, the last commit failed: {lost}") from lost
                    event(_LOG, "session_lost", level=logging.WARNING, reason=lost)
                    self._bound_failures(lost, progressed=recorder.commits > commits)
        except Stopped:
            event(_LOG, "stopped_waiting", worker=self.number)
        finally:
            recorder.show_closed()

    def _session(self) -> None:
        process, recorder = self._process, self._recorder
        admin = process.clients.admin()
        # A broker that was never there is a user's error; one that went away is waited for.
        first = recorder.sessions == 1
        timeout_s = process.options.default_api_timeout_ms / 1000 if first else None
        worker = self._worker(admin, process.topics(admin, timeout_s=timeout_s))
        try:
            worker.start(process.stopping)
            while not process.stopping.is_set():
                self._turn_began = time.monotonic()
                worker.step()
                self._turn_began = None
                recorder.show_if_due(
                    worker.tasks, in_transaction=worker.committer.in_transaction, lag=worker.lag
                )
            worker.close()
        except KafkaException as error:
            self._abandon(worker, abort=False)
            raise SessionLost(reason(error)) from error
        except BaseException as error:
            self._abandon(worker, abort=isinstance(error, ProcessingError))
            raise

    def _abandon(self, worker: Worker, *, abort: bool) -> None:
        self._turn_began = None  # its own bound is the close time-out
        with self._process.closing():
            worker.abandon(abort=abort)

    def _bound_failures(self, lost: SessionLost, *, progressed: bool) -> None:
        """Sessions that commit nothing end the process in the end: something keeps fencing it.

        Not so where the broker was away: it comes back, and until then nothing can be lost.
        """
        now = time.monotonic()
        cause = kafka_error(lost.__cause__) if lost.__cause__ is not None else None
        if progressed or (cause is not None and not cause.fatal() and is_passing(cause)):
            self._failures, self._progress_at = 0, now
        self._failures += 1
        patience_s = self._process.options.default_api_timeout_ms / 1000
        if self._failures > _SESSIONS_WITHOUT_COMMIT and now - self._progress_at > patience_s:
            raise FencedError(
                f"{self._failures} sessions in a row were lost without a commit, the last one: "
                f"{lost}"
            )
        self._process.sleep(min(0.05 * 2**self._failures, 5.0))

    # -- putting the parts together

    def _worker(self, admin: AdminClient, topics: Topics) -> Worker:
        process = self._process
        options, source = process.options, process.topology.source.topic
        consumer = process.clients.consumer(worker=self.number)
        committer = self._committer(consumer)
        return process.parts.worker(
            consumer=consumer,
            committer=committer,
            restorer=process.parts.restorer(
                admin=admin,
                open_consumer=process.clients.restore_consumer,
                stable_offset=lambda partition: StableOffset(
                    consumer, TopicPartition(source, partition)
                ),
                end_isolation=process.parts.restore_end,
                on_restored=self._recorder.restored,
            ),
            build_task=self._task_of(process.tasks(topics), committer),
            task_closed=self._task_closed,
            progress=self._recorder,
            input_topic=source,
            commit_interval_s=options.commit_interval / 1000,
            max_poll_records=options.max_poll_records,
            patience_s=options.default_api_timeout_ms / 1000,
            owners=self._owners(admin, topics),
        )

    def _task_of(self, tasks: TaskBuilder, committer: Committer) -> Callable[[int], Task]:
        topic = self._process.options.dead_letter_topic
        dead_letters = (
            DeadLetters(topic, committer.send, self._recorder.dead_lettered) if topic else None
        )

        def build(partition: int) -> Task:
            if self._standbys is not None:
                self._standbys.claim(partition)
            try:
                return tasks.task(partition, committer.send, dead_letters=dead_letters)
            except BaseException:
                self._task_closed(partition)
                raise

        return build

    def _task_closed(self, partition: int) -> None:
        if self._standbys is not None:
            self._standbys.unclaim(partition)

    def _owners(self, admin: AdminClient, topics: Topics) -> OwnerWatch | None:
        """Dynamic members need none: a dead one's session ends, and with it its hold."""
        options = self._process.options
        if options.group_instance_id is None or self.number > 0:
            return None
        group, topic = options.application_id, self._process.topology.source.topic
        return OwnerWatch(admin, group, topic, partitions=topics.partitions)

    def _committer(self, consumer: Consumer) -> Committer:
        options = self._process.options

        def open_producer(*, transactional: bool) -> Producer:
            return self._process.clients.producer(
                transactional_id=self._transactional_id if transactional else None
            )

        # A transaction older than its time-out is aborted by the coordinator whatever is retried.
        patience_ms = (
            options.transaction_timeout_ms
            if options.exactly_once
            else options.default_api_timeout_ms
        )
        return self._process.parts.committers[options.processing_guarantee](
            open_producer,
            consumer,
            input_topic=self._process.topology.source.topic,
            timeout_s=patience_ms / 1000,
        )
