"""Clients that do nothing but remember, in order, what was asked of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from reference_app.streams.changelog import Changelog, ChangelogTopic, Headers
from reference_app.streams.serde import STRING
from reference_app.streams.store import Position, RocksStore
from reference_app.streams.stream_time import Committed
from reference_app.streams.task import LoggedStore, Task
from reference_app.streams.topology import Source

TOPIC = "input"
CHANGELOG = ChangelogTopic(name="changelog", topic_id="topic-id", delete_retention_s=3600.0)


class Calls(list[str]):
    """The order of calls, over all fakes that share it."""


class FakeProducer:
    """`failures[call]` are raised, one for each call, before it succeeds."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.failures: dict[str, list[Exception]] = {}
        self.offsets: list[TopicPartition] = []
        self.headers: list[tuple[str, bytes | None, bytes | None, dict[str, Any]]] = []
        self.member: object = None
        self.undelivered = False
        self.stalled = False
        self._deliveries: list[Callable[[KafkaError | None, Message], None]] = []
        self._log_end = 0

    def produce(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        partition: int = -1,
        on_delivery: Callable[[KafkaError | None, Message], None] | None = None,
        headers: Headers | None = None,
    ) -> None:
        self._call(f"produce {topic}")
        if headers is not None:
            self.headers.append((topic, key, value, dict(headers)))
        self._log_end += 1
        if on_delivery is not None:
            self._deliveries.append(on_delivery)

    def flush(self, timeout: float) -> int:
        self._call("flush")
        if self.stalled:
            return 1
        error = KafkaError(KafkaError._MSG_TIMED_OUT) if self.undelivered else None
        for deliver in self._deliveries:
            deliver(error, Message(topic="out", offset=self._log_end - 1))
        self._deliveries.clear()
        return 0

    def init_transactions(self, timeout: float) -> None:
        self._call("init_transactions")

    def begin_transaction(self) -> None:
        self._call("begin_transaction")

    def send_offsets_to_transaction(
        self, offsets: list[TopicPartition], member: object, timeout: float
    ) -> None:
        self._call("send_offsets_to_transaction")
        self.offsets, self.member = offsets, member

    def commit_transaction(self, timeout: float) -> None:
        self._call("commit_transaction")

    def abort_transaction(self, timeout: float) -> None:
        self._call("abort_transaction")

    def poll(self, timeout: float) -> int:
        return 0

    def purge(self, *, blocking: bool) -> None:
        self._call("purge")

    def _call(self, name: str) -> None:
        self.calls.append(name)
        failures = self.failures.get(name.split()[0])
        if failures:
            raise failures.pop(0)


class FakeConsumer:
    """Gives out `batches`; `generation` is what its group metadata says."""

    def __init__(self, calls: Calls) -> None:
        self.calls = calls
        self.generation = 1
        self.batches: list[list[Message]] = []
        self.assigned: list[tuple[int, int]] = []
        self.callbacks: dict[str, Callable[..., None]] = {}
        self.before_batch: Callable[[], None] = lambda: None
        self.commit_failures: list[Exception] = []
        self.committed_offsets: list[TopicPartition] = []

    def subscribe(self, topics: list[str], **callbacks: Callable[..., None]) -> None:
        self.calls.append("subscribe")
        self.callbacks = callbacks

    def consume(self, count: int, timeout: float) -> list[Message]:
        self.before_batch()
        return self.batches.pop(0) if self.batches else []

    def commit(self, *, offsets: list[TopicPartition], asynchronous: bool) -> list[TopicPartition]:
        self.calls.append("commit offsets")
        if self.commit_failures:
            raise self.commit_failures.pop(0)
        self.committed_offsets = offsets
        return offsets

    def consumer_group_metadata(self) -> object:
        return f"generation {self.generation}"

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        self.calls.append("assign " + ",".join(f"{p.partition}@{p.offset}" for p in partitions))

    def incremental_unassign(self, partitions: list[TopicPartition]) -> None:
        self.calls.append("unassign " + ",".join(str(p.partition) for p in partitions))

    def close(self) -> None:
        self.calls.append("close consumer")


class RecordingStore(RocksStore[str, str]):
    calls: Calls

    def commit(self, position: Position) -> None:
        self.calls.append("store durable")
        super().commit(position)


def make_task(folder: Path, calls: Calls, *, committed: int = 10) -> Task:
    """A running task; see `new_task`."""
    task = new_task(folder, calls)
    task.start_restoring()
    task.run(Committed(committed))
    return task


def new_task(folder: Path, calls: Calls, *, partition: int = 0) -> Task:
    """A task that copies each record's value into its store under the record's key."""
    store = RecordingStore(folder / f"store-{partition}", key=STRING, value=STRING)
    store.calls = calls
    return Task(
        partition=partition,
        source=Source(TOPIC, STRING, STRING),
        steps=[lambda key, value, _: store.put(key, value)],
        stores=[LoggedStore("store", store, Changelog(CHANGELOG, partition))],
        wall_clock=lambda: 1.0,
    )


def record(offset: int, *, key: str = "k", value: str | None = None, partition: int = 0) -> Message:
    content = value if value is not None else f"v{offset}"
    return Message(
        topic=TOPIC, partition=partition, offset=offset, key=key.encode(), value=content.encode()
    )


def event(code: int, *, offset: int = 0, partition: int = 0) -> Message:
    return Message(topic=TOPIC, partition=partition, offset=offset, error=KafkaError(code))


def failure(
    code: int = KafkaError._TIMED_OUT,
    *,
    retriable: bool = False,
    abort: bool = False,
    fatal: bool = False,
) -> KafkaException:
    """An error of one of the client's three kinds, or of none."""
    error = KafkaError(code, "failed", retriable=retriable, txn_requires_abort=abort, fatal=fatal)
    return KafkaException(error)


def kinds(calls: Sequence[Any]) -> list[str]:
    """The calls, each repetition in a row once."""
    result: list[str] = []
    for call in calls:
        if not result or result[-1] != call:
            result.append(call)
    return result
