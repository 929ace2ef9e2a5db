"""One process of an app: state directory, signals, sessions, exit code."""

from __future__ import annotations

import gc
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from rocksdict import Cache

from reference_app.streams.building import TaskBuilder
from reference_app.streams.changelog import Topics, prepare_topics
from reference_app.streams.clients import Clients
from reference_app.streams.commit import Committer
from reference_app.streams.committed import StableOffset
from reference_app.streams.directory import StateDirectory
from reference_app.streams.errors import (
    DirtyCloseError,
    FencedError,
    ProcessingError,
    SessionLost,
    StreamsError,
    reason,
)
from reference_app.streams.logs import event
from reference_app.streams.metrics import Recorder
from reference_app.streams.options import StreamsOptions
from reference_app.streams.owners import OwnerWatch
from reference_app.streams.parts import Parts
from reference_app.streams.restore import Restorer
from reference_app.streams.topology import Topology
from reference_app.streams.worker import Worker

_LOG = logging.getLogger(__name__)
INTERNAL_ERROR = 70
"""Exit code of what should not happen: EX_SOFTWARE of sysexits.h."""
_WORKER = 0
_BLOCK_CACHE_BYTES = 64 * 1024 * 1024
_SESSIONS_WITHOUT_COMMIT = 10
_COLLECT_EVERY_S = 10.0


class _Stopped(Exception):  # noqa: N818 - a signal came
    pass


class StreamsApp:
    """Runs a topology until SIGTERM or SIGINT, or until something only a user can put right."""

    def __init__(
        self, topology: Topology, options: StreamsOptions, *, parts: Parts | None = None
    ) -> None:
        self._topology = topology
        self._options = options
        self._parts = parts or Parts()
        self._stopping = threading.Event()
        self._watchdog: threading.Timer | None = None
        self._cache = Cache(_BLOCK_CACHE_BYTES)
        self._transactional_id: str | None = None
        self._failures = 0
        self._progress_at = time.monotonic()

    def run(self) -> int:
        """Blocks; returns the exit code. Each way out is one log line, `event=exit`."""
        with self._signals(), _quiet_gc():
            try:
                with StateDirectory(self._options.state_dir, self._options.application_id) as held:
                    if self._options.exactly_once:
                        self._transactional_id = self._parts.transactional_id(
                            self._options.application_id, held.process_id, _WORKER
                        )
                    recorder = self._recorder(held)
                    code, why = self._run(held, recorder)
                    recorder.write_last(exit_code=code, reason=why)
            except StreamsError as error:  # before there was a directory to write to
                code, why = error.exit_code, str(error)
        if self._watchdog is not None:
            self._watchdog.cancel()
        level = logging.INFO if code == 0 else logging.ERROR
        event(_LOG, "exit", level=level, code=code, reason=why)
        return code

    def stop(self) -> None:
        """Asks for a clean close; safe in a signal handler. The process ends within the bound."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._watchdog = threading.Timer(
            self._options.close_timeout_ms / 1000, self._close_timed_out
        )
        self._watchdog.daemon = True
        self._watchdog.start()

    # -- sessions

    def _run(self, directory: StateDirectory, recorder: Recorder) -> tuple[int, str]:
        try:
            while not self._stopping.is_set():
                recorder.sessions += 1
                commits = recorder.commits
                try:
                    self._session(directory, recorder)
                except SessionLost as lost:
                    if self._stopping.is_set():
                        raise DirtyCloseError(f"stopped, the last commit failed: {lost}") from lost
                    event(_LOG, "session_lost", level=logging.WARNING, reason=lost)
                    self._bound_failures(lost, progressed=recorder.commits > commits)
        except _Stopped:
            pass
        except StreamsError as error:
            return error.exit_code, str(error)
        except Exception as error:  # noqa: BLE001 - the last resort: every exit has a reason
            _LOG.exception("event=internal_error")
            return INTERNAL_ERROR, f"internal error: {type(error).__name__}: {error}"
        return 0, "stopped by a signal, closed cleanly"

    def _session(self, directory: StateDirectory, recorder: Recorder) -> None:
        clients = self._clients(directory)
        admin = clients.admin()
        topics = self._topics(admin)
        worker = self._worker(clients, admin, topics, directory, recorder)
        try:
            worker.start(self._stopping)
            collect_at = time.monotonic() + _COLLECT_EVERY_S
            gc.collect()
            gc.freeze()
            while not self._stopping.is_set():
                worker.step()
                recorder.write_if_due(worker.tasks, in_transaction=worker.committer.in_transaction)
                if time.monotonic() >= collect_at:
                    gc.collect()
                    collect_at = time.monotonic() + _COLLECT_EVERY_S
            worker.close()
        except ProcessingError:
            worker.abandon(abort=True)
            raise
        except KafkaException as error:
            worker.abandon(abort=False)
            raise SessionLost(reason(error)) from error
        except BaseException:
            worker.abandon(abort=False)
            raise

    def _bound_failures(self, lost: SessionLost, *, progressed: bool) -> None:
        """Sessions that commit nothing end the process in the end: something keeps fencing it."""
        now = time.monotonic()
        if progressed:
            self._failures, self._progress_at = 0, now
        self._failures += 1
        patience_s = self._options.default_api_timeout_ms / 1000
        if self._failures > _SESSIONS_WITHOUT_COMMIT and now - self._progress_at > patience_s:
            raise FencedError(
                f"{self._failures} sessions in a row were lost without a commit, the last one: "
                f"{lost}"
            )
        self._sleep(min(0.05 * 2**self._failures, 5.0))

    # -- putting the parts together

    def _clients(self, directory: StateDirectory) -> Clients:
        return Clients(
            options=self._options,
            client_id=f"{self._options.application_id}-{directory.process_id}",
            consumer_overrides=self._parts.consumer_overrides,
        )

    def _topics(self, admin: AdminClient) -> Topics:
        return prepare_topics(
            admin,
            self._topology,
            application_id=self._options.application_id,
            replication_factor=self._options.replication_factor,
            timeout_s=self._options.default_api_timeout_ms / 1000,
            sleep=self._sleep,
        )

    def _recorder(self, directory: StateDirectory) -> Recorder:
        return Recorder(
            self._options.metrics_path,
            application_id=self._options.application_id,
            process_id=directory.process_id,
            transactional_id=self._transactional_id,
            processing_guarantee=self._options.processing_guarantee,
        )

    def _worker(
        self,
        clients: Clients,
        admin: AdminClient,
        topics: Topics,
        directory: StateDirectory,
        recorder: Recorder,
    ) -> Worker:
        options, source = self._options, self._topology.source.topic
        consumer = clients.consumer(worker=_WORKER)
        committer = self._committer(clients, consumer)
        tasks = TaskBuilder(
            topology=self._topology,
            topics=topics,
            directory=directory,
            parts=self._parts,
            cache=self._cache,
        )
        return self._parts.worker(
            consumer=consumer,
            committer=committer,
            restorer=Restorer(
                admin=admin,
                open_consumer=clients.restore_consumer,
                stable_offset=lambda partition: StableOffset(
                    consumer, TopicPartition(source, partition)
                ),
                end_isolation=self._parts.restore_end,
                on_restored=recorder.restored,
            ),
            build_task=lambda partition: tasks.task(partition, committer.send),
            progress=recorder,
            input_topic=source,
            commit_interval_s=options.commit_interval / 1000,
            max_poll_records=options.max_poll_records,
            patience_s=options.default_api_timeout_ms / 1000,
            owners=self._owners(admin, topics),
        )

    def _owners(self, admin: AdminClient, topics: Topics) -> OwnerWatch | None:
        """Dynamic members need none: a dead one's session ends, and with it its hold."""
        if self._options.group_instance_id is None:
            return None
        group, topic = self._options.application_id, self._topology.source.topic
        return OwnerWatch(admin, group, topic, partitions=topics.partitions)

    def _committer(self, clients: Clients, consumer: Consumer) -> Committer:
        options = self._options

        def open_producer(*, transactional: bool) -> Producer:
            return clients.producer(
                transactional_id=self._transactional_id if transactional else None
            )

        # A transaction older than its time-out is aborted by the coordinator whatever is retried.
        patience_ms = (
            options.transaction_timeout_ms
            if options.exactly_once
            else options.default_api_timeout_ms
        )
        return self._parts.committers[options.processing_guarantee](
            open_producer,
            consumer,
            input_topic=self._topology.source.topic,
            timeout_s=patience_ms / 1000,
        )

    # -- stopping

    def _sleep(self, seconds: float) -> None:
        if self._stopping.wait(seconds):
            raise _Stopped

    @contextmanager
    def _signals(self) -> Iterator[None]:
        wanted = (signal.SIGTERM, signal.SIGINT)
        former = {number: signal.getsignal(number) for number in wanted}
        for number in wanted:
            signal.signal(number, lambda *_: self.stop())
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    def _close_timed_out(self) -> None:
        """Runs in the watchdog's thread: the main one is stuck in a call that cannot be ended."""
        event(
            _LOG,
            "exit",
            level=logging.ERROR,
            code=DirtyCloseError.exit_code,
            reason=f"not closed within {self._options.close_timeout_ms} ms: closed dirty",
        )
        logging.shutdown()
        os._exit(DirtyCloseError.exit_code)


@contextmanager
def _quiet_gc() -> Iterator[None]:
    """No collection in the hot loop: it halves its cost. The loop collects now and then itself."""
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.enable()
