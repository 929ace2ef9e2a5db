"""The order of commit, in one place, for each guarantee.

Exactly-once (KIP-447, one transactional producer for all tasks of a worker):

    changelogs written -> flush -> offsets into the transaction -> commit -> stores made durable

At-least-once, the same without a transaction:

    changelogs written -> flush, every delivery checked -> stores made durable -> offsets committed
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from threading import Event
from typing import Any, Protocol

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from tenacity import (
    Retrying,
    retry_if_exception,
    stop_after_delay,
    stop_when_event_set,
    wait_fixed,
)
from tenacity.stop import stop_base

from reference_app.streams.changelog import Headers
from reference_app.streams.errors import (
    SessionLost,
    TransactionAborted,
    is_retriable,
    kafka_error,
    reason,
    requires_abort,
)
from reference_app.streams.logs import event
from reference_app.streams.task import Task

_LOG = logging.getLogger(__name__)
_CALL_S = 5.0
_FLUSH_S = 0.5
_REJOINING = (
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError.UNKNOWN_MEMBER_ID,
)

OnDelivery = Callable[[KafkaError | None, Message], None]


class Committer(Protocol):
    """Owns the producer: everything a worker writes goes through `send`."""

    @property
    def in_transaction(self) -> bool: ...

    def open(self, stopping: Event) -> None:
        """Before the consumer joins: what a former self left open is fenced and aborted."""

    def begin(self) -> None:
        """Before the first record after a commit; more calls change nothing."""

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int = -1,
        on_delivery: OnDelivery | None = None,
        headers: Headers | None = None,
    ) -> None: ...

    def commit(self, tasks: Sequence[Task]) -> None:
        """Commits all that `tasks` did. Raises TransactionAborted or SessionLost."""

    def abort(self) -> None:
        """Undoes what was sent since the last commit, where the guarantee can. Or SessionLost."""

    def poll(self) -> None:
        """Serves delivery reports and errors; called between batches."""

    def close(self) -> None: ...


class OpenProducer(Protocol):
    def __call__(self, *, transactional: bool) -> Producer: ...


class _Sending:
    """What both guarantees share: a producer whose full queue is waited for.

    `timeout_s` bounds the retries of one call.
    """

    transactional: bool

    def __init__(
        self,
        open_producer: OpenProducer,
        consumer: Consumer,
        *,
        input_topic: str,
        timeout_s: float,
    ) -> None:
        self._producer = open_producer(transactional=self.transactional)
        self._produce = self._producer.produce
        self._consumer = consumer
        self._input_topic = input_topic
        self._timeout_s = timeout_s

    def _queue(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int,
        on_delivery: OnDelivery | None,
        headers: Headers | None,
    ) -> None:
        """Slow path of a full local queue: the broker has `timeout_s` to make room."""
        deadline = time.monotonic() + self._timeout_s
        while True:
            self._producer.poll(0.1)
            try:
                self._produce(topic, value, key, partition, on_delivery, headers=headers)
            except BufferError as error:
                if time.monotonic() >= deadline:
                    raise SessionLost(f"no room for output in {self._timeout_s:g} s") from error
            else:
                return

    def _flush(self, tasks: Sequence[Task]) -> None:
        deadline = time.monotonic() + self._timeout_s
        try:
            while remaining := _unmixed(self._producer.flush, _FLUSH_S):
                if time.monotonic() >= deadline:
                    raise SessionLost(f"{remaining} records not delivered in {self._timeout_s:g} s")
                self._while_flushing(tasks)
        except KafkaException as error:
            raise self._failure(error, "flush") from error

    def _while_flushing(self, tasks: Sequence[Task]) -> None:
        """Called now and then while a flush takes long."""

    def _again(
        self, call: Callable[..., Any], *arguments: Any, stopping: Event | None = None
    ) -> Any:
        """The client's first kind of error: the very same call, again, for a bounded time."""
        bound: stop_base = stop_after_delay(self._timeout_s)
        if stopping is not None:
            bound |= stop_when_event_set(stopping)
        retrying = Retrying(
            retry=retry_if_exception(is_retriable),
            stop=bound,
            wait=wait_fixed(0.05),
            reraise=True,
        )
        return retrying(_unmixed, call, *arguments)

    def _failure(self, error: KafkaException, call: str) -> TransactionAborted | SessionLost:
        """What a call that failed means, once it is not to be made again."""
        return SessionLost(f"{call}: {reason(error)}")

    def _offsets(self, tasks: Sequence[Task]) -> list[TopicPartition]:
        """The next offset to process of each task that has gone on since its last commit."""
        return [
            TopicPartition(self._input_topic, task.partition, task.position, task.offset_metadata)
            for task in tasks
            if task.needs_commit
        ]

    def poll(self) -> None:
        _unmixed(self._producer.poll, 0)

    def close(self) -> None:
        """What is still in the queue was not committed, and is not sent any more."""
        self._producer.purge(blocking=False)


def _unmixed(call: Callable[..., Any], *arguments: Any) -> Any:
    """A fatal error that the client raises while it still serves delivery reports comes out as a
    SystemError of the report: here it is the KafkaException that it was."""
    try:
        return call(*arguments)
    except SystemError as error:
        if isinstance(error.__cause__, KafkaException):
            raise error.__cause__ from None
        raise


class ExactlyOnce(_Sending):
    """Outputs, changelogs and offsets in one transaction."""

    transactional = True
    in_transaction = False

    def open(self, stopping: Event) -> None:
        try:
            self._again(self._producer.init_transactions, _CALL_S, stopping=stopping)
        except KafkaException as error:
            raise SessionLost(f"transactions cannot be initialised: {reason(error)}") from error

    def begin(self) -> None:
        if self.in_transaction:
            return
        try:
            self._producer.begin_transaction()
        except KafkaException as error:
            raise SessionLost(f"no transaction can begin: {reason(error)}") from error
        self.in_transaction = True

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int = -1,
        on_delivery: OnDelivery | None = None,
        headers: Headers | None = None,
    ) -> None:
        # No delivery report for each record: one that failed makes the commit fail.
        try:
            if headers is None:
                self._produce(topic, value, key, partition, on_delivery)
            else:
                self._produce(topic, value, key, partition, on_delivery, headers=headers)
        except BufferError:
            self._queue(topic, value, key, partition, on_delivery, headers)
        except KafkaException as error:
            raise self._failure(error, "produce") from error

    def commit(self, tasks: Sequence[Task]) -> None:
        self.begin()  # control records may have been passed without a record to process
        self._log_changes(tasks)
        self._flush(tasks)
        self._send_offsets(tasks)
        self._commit_transaction()
        self.in_transaction = False
        for task in tasks:
            task.mark_committed(task.position)
            task.apply_changes()

    def abort(self) -> None:
        if not self.in_transaction:
            return
        try:
            self._again(self._producer.abort_transaction, _CALL_S)
        except KafkaException as error:
            raise SessionLost(f"abort failed: {reason(error)}") from error
        self.in_transaction = False

    def _log_changes(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            task.log_changes(self.send)

    def _while_flushing(self, tasks: Sequence[Task]) -> None:
        """Once a transaction has failed nothing is sent any more, and a flush waits for nothing.

        Only a transactional call tells; this one is due next, and may be repeated.
        """
        self._send_offsets(tasks)

    def _send_offsets(self, tasks: Sequence[Task]) -> None:
        offsets = self._offsets(tasks)
        if not offsets:
            return
        member = self._member()
        try:
            self._again(self._producer.send_offsets_to_transaction, offsets, member, _CALL_S)
        except KafkaException as error:
            raise self._failure(error, "send_offsets_to_transaction") from error

    def _member(self) -> Any:
        """Fresh each time: an old generation would be a zombie's (KIP-447)."""
        return self._consumer.consumer_group_metadata()

    def _commit_transaction(self) -> None:
        try:
            self._again(self._producer.commit_transaction, _CALL_S)
        except KafkaException as error:
            if requires_abort(error):
                raise TransactionAborted(reason(error)) from error
            # Also a time-out: whether it was committed is not known, so it may not be aborted.
            # Only the committed offsets and the changelog can tell.
            raise SessionLost(f"outcome of the commit unknown: {reason(error)}") from error

    def _failure(self, error: KafkaException, call: str) -> TransactionAborted | SessionLost:
        """Before the commit was asked for, what is not fatal can be aborted."""
        cause = kafka_error(error)
        if cause is not None and cause.fatal():
            return SessionLost(f"{call}: {reason(error)}")
        return TransactionAborted(f"{call}: {reason(error)}")


class AtLeastOnce(_Sending):
    """No transaction: after a crash some inputs are processed twice, none is lost."""

    transactional = False
    in_transaction = False
    _failed: str | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._report = self._delivered  # bound once, not for each record

    def open(self, stopping: Event) -> None:
        """Nothing to fence: that is what at-least-once gives up."""

    def begin(self) -> None:
        """Nothing to begin."""

    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int = -1,
        on_delivery: OnDelivery | None = None,
        headers: Headers | None = None,
    ) -> None:
        # `on_delivery` is about successes, and this producer reports failures only.
        report = self._report
        try:
            if headers is None:
                self._produce(topic, value, key, partition, report)
            else:
                self._produce(topic, value, key, partition, report, headers=headers)
        except BufferError:
            self._queue(topic, value, key, partition, report, headers)
        except KafkaException as error:
            raise self._failure(error, "produce") from error

    def commit(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            task.log_changes(self.send)
        self._flush(tasks)
        if self._failed is not None:
            raise SessionLost(f"an output was not delivered: {self._failed}")
        for task in tasks:
            task.apply_changes()
        self._commit_offsets(tasks)

    def abort(self) -> None:
        """What was sent stays sent; the caller reprocesses from the last committed offset."""
        self._flush([])
        self._failed = None

    def _commit_offsets(self, tasks: Sequence[Task]) -> None:
        offsets = self._offsets(tasks)
        if not offsets:
            return
        try:
            results = self._again(self._commit_now, offsets)
        except KafkaException as error:
            cause = kafka_error(error)
            if cause is not None and cause.code() in _REJOINING:
                # Stores are durable and the position is kept: the next commit says it again, and if
                # the partitions are lost, their next owner repeats some records.
                event(_LOG, "commit_postponed", level=logging.DEBUG, reason=reason(error))
                return
            raise SessionLost(f"offsets cannot be committed: {reason(error)}") from error
        refused = next((result.error for result in results if result.error is not None), None)
        if refused is not None:
            raise SessionLost(f"offsets cannot be committed: {refused.str()}")
        for task in tasks:
            task.mark_committed(task.position)

    def _commit_now(self, offsets: list[TopicPartition]) -> list[TopicPartition]:
        return self._consumer.commit(offsets=offsets, asynchronous=False)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None and self._failed is None:
            self._failed = f"{message.topic()}: {error.str()}"
