"""Bugs in what belongs to the transaction, and in whose transaction it is."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from threading import Event
from typing import Any

from confluent_kafka import Consumer, Message

from reference_app.bugs.bug import Bug, exactly_once_by
from reference_app.streams.changelog import CHANGELOG_SUFFIX, Headers
from reference_app.streams.commit import ExactlyOnce, OnDelivery, OpenProducer
from reference_app.streams.errors import SessionLost, TransactionAborted
from reference_app.streams.parts import Parts
from reference_app.streams.store import RocksStore
from reference_app.streams.task import Task
from reference_app.streams.worker import Worker


class _TwoProducers(ExactlyOnce):
    """Has a second, plain producer beside the transactional one."""

    def __init__(self, open_producer: OpenProducer, consumer: Consumer, **rest: Any) -> None:
        super().__init__(open_producer, consumer, **rest)
        self._plain = open_producer(transactional=False)

    def poll(self) -> None:
        super().poll()
        self._plain.poll(0)

    def close(self) -> None:
        super().close()
        self._plain.flush(5.0)

    def _send_plain(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int = -1,
        on_delivery: OnDelivery | None = None,
        headers: Headers | None = None,
    ) -> None:
        self._plain.produce(topic, value, key, partition, on_delivery, headers=headers or [])


class _OutputsOutside(_TwoProducers):
    def send(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int = -1,
        on_delivery: OnDelivery | None = None,
        headers: Headers | None = None,
    ) -> None:
        if topic.endswith(CHANGELOG_SUFFIX):
            super().send(topic, value, key, partition, on_delivery)
        else:
            self._send_plain(topic, value, key, partition, headers=headers)

    def _flush(self, tasks: Sequence[Task]) -> None:
        super()._flush(tasks)
        self._plain.flush(5.0)


class _ChangelogsOutside(_TwoProducers):
    def log_now(self, tasks: Sequence[Task]) -> None:
        for task in tasks:
            task.log_changes(self._send_plain)
        self._plain.flush(5.0)

    def _log_changes(self, tasks: Sequence[Task]) -> None:
        self.log_now(tasks)


class _LogsEachBatch(Worker):
    def _process(self, messages: Sequence[Message]) -> None:
        super()._process(messages)
        committer = self.committer
        if messages and isinstance(committer, _ChangelogsOutside):
            committer.log_now(list(self._running.values()))


class _ChangesAtAnyTime(RocksStore[Any, Any]):
    """Its changes may be asked for in the middle of a transaction."""

    def put(self, key: Any, value: Any) -> None:
        super().put(key, value)
        self._pending = None


def _changelog_outside(parts: Parts) -> Parts:
    outside = exactly_once_by(_ChangelogsOutside, parts)
    return replace(outside, worker=_LogsEachBatch, store=_ChangesAtAnyTime)


class _RetriesAsNew(ExactlyOnce):
    def __init__(self, open_producer: OpenProducer, consumer: Consumer, **rest: Any) -> None:
        super().__init__(open_producer, consumer, **rest)
        self._open_producer = open_producer

    def _commit_transaction(self) -> None:
        try:
            super()._commit_transaction()
        except SessionLost as lost:
            self._producer = self._open_producer(transactional=True)
            self._produce = self._producer.produce
            self.open(Event())
            self.in_transaction = False
            raise TransactionAborted(str(lost)) from lost


def _random_id(application_id: str, _process_id: str, worker: int) -> str:
    return f"{application_id}-{uuid.uuid4()}-{worker}"


def _service_id(application_id: str, _process_id: str, worker: int) -> str:
    return f"{application_id}-{worker}"


OUTPUT_OUTSIDE_TRANSACTION = Bug(
    name="output-outside-transaction",
    breaks="Outputs belong to the transaction: here a second, plain producer sends them.",
    like="A side effect on a topic through a producer of one's own, inside a Kafka Streams "
    "processor.",
    anomalies=("DUPLICATE",),
    fault="kill (SIGKILL) with a transaction open",
    scenario="zoo-kills",
    breed=lambda parts: exactly_once_by(_OutputsOutside, parts),
)
CHANGELOG_OUTSIDE_TRANSACTION = Bug(
    name="changelog-outside-transaction",
    breaks="Changelog records belong to the transaction: here a second, plain producer sends "
    "them after each batch, and a restore counts payments that were never committed.",
    like="State kept in a compacted topic of one's own, written beside the transaction.",
    anomalies=("WRONG_RESULT", "STATE_DIVERGED"),
    fault="kill (SIGKILL) with a transaction open",
    scenario="zoo-kills",
    breed=_changelog_outside,
)
RANDOM_TRANSACTIONAL_ID = Bug(
    name="random-transactional-id",
    breaks="A restart keeps its transactional id and so ends its former transaction: here each "
    "start has a new one, and what the last one left open holds readers until its time-out.",
    like="transactional.id set to a random UUID, as in many how-tos.",
    anomalies=("STALLED",),
    fault="kill (SIGKILL) with a transaction open, its time-out above the liveness bound",
    scenario="zoo-kills",
    options=("--transaction-timeout-ms", "60000", "--commit-interval-ms", "1000"),
    settings=(
        "subject.instances=1",
        "faults.0.count=1",
        "timing.faults=3s",
        "timing.settle=7s",
        "timing.liveness=5s",
        "timing.drain=5s",
        "audit.patience_s=1",
    ),
    breed=lambda parts: replace(parts, transactional_id=_random_id),
)
SHARED_TRANSACTIONAL_ID = Bug(
    name="shared-transactional-id",
    breaks="Each process has a transactional id of its own: here all have the same, and fence "
    "each other again and again.",
    like="transactional.id set to the name of the service, and a second replica started.",
    anomalies=("STALLED",),
    fault="none: a second instance that comes while the first is at work",
    scenario="zoo-kills",
    options=("--commit-interval-ms", "3000", "--transaction-timeout-ms", "10000"),
    settings=(
        'faults=[{kind="terminate", count=1, target=1, down="5s"}]',
        "timing.faults=7s",
        "timing.settle=10s",
        "timing.liveness=6s",
        "timing.drain=5s",
    ),
    breed=lambda parts: replace(parts, transactional_id=_service_id),
)
COMMIT_RETRIED_AS_NEW = Bug(
    name="commit-retried-as-new",
    breaks="A commit that timed out has an unknown outcome, and the committed offsets have to be "
    "read back: here it is taken for failed, and the work is done again in a new transaction.",
    like="A retry around the whole of begin, produce and commit, with a new producer.",
    anomalies=("DUPLICATE", "WRONG_RESULT", "OFFSET_REGRESSION"),
    fault="the answer to a commit is lost until the client gives up",
    scenario="commit-answers-lost",
    # It gives up before the group does: a rebalance would put its position right.
    options=(
        "--default-api-timeout-ms",
        "4500",
        "--max-poll-interval-ms",
        "60000",
        "--transaction-timeout-ms",
        "30000",
    ),
    breed=lambda parts: exactly_once_by(_RetriesAsNew, parts),
)
