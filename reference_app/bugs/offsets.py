"""Bugs in what is committed as consumed, and when."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from confluent_kafka import KafkaException, Message, TopicPartition

from reference_app.bugs.bug import Bug, exactly_once_by
from reference_app.bugs.reading_ahead import ReadsAhead
from reference_app.streams.commit import AtLeastOnce, ExactlyOnce
from reference_app.streams.errors import reason
from reference_app.streams.logs import event
from reference_app.streams.parts import Parts
from reference_app.streams.task import Task
from reference_app.streams.worker import Worker

_LOG = logging.getLogger(__name__)


class _CommitsOnPoll(Worker):
    def _poll(self) -> list[Message]:
        messages = super()._poll()
        nexts = {
            message.partition(): TopicPartition(
                message.topic() or "", message.partition() or 0, (message.offset() or 0) + 1
            )
            for message in messages
            if message.error() is None
        }
        if nexts:
            try:
                self._consumer.commit(offsets=list(nexts.values()), asynchronous=False)
            except KafkaException as error:  # in a rebalance; as such services do, it goes on
                event(_LOG, "commit_on_poll_failed", reason=reason(error))
        return messages


class _WithoutOffsets(ExactlyOnce):
    def _send_offsets(self, tasks: Sequence[Task]) -> None:
        """They were committed on poll."""


class _CommitsItsPosition(ExactlyOnce):
    def _offsets(self, tasks: Sequence[Task]) -> list[TopicPartition]:
        offsets = super()._offsets(tasks)
        for place in offsets:
            (at,) = self._consumer.position([TopicPartition(place.topic, place.partition)])
            place.offset = max(at.offset, place.offset)
        return offsets


class _CommitsTheLast(ExactlyOnce):
    def _offsets(self, tasks: Sequence[Task]) -> list[TopicPartition]:
        offsets = super()._offsets(tasks)
        for place in offsets:
            place.offset -= 1
        return offsets


def _offsets_before_outputs(parts: Parts) -> Parts:
    return replace(exactly_once_by(_WithoutOffsets, parts), worker=_CommitsOnPoll)


def _auto_commit(parts: Parts) -> Parts:
    overrides = {
        "enable.auto.commit": True,
        "enable.auto.offset.store": True,
        "auto.commit.interval.ms": 50,
    }
    return replace(parts, consumer_overrides={**parts.consumer_overrides, **overrides})


OFFSETS_BEFORE_OUTPUTS = Bug(
    name="offsets-before-outputs",
    breaks="Consumed offsets are part of the transaction that holds their outputs: here each "
    "polled batch is committed right after the poll, by the consumer.",
    like="Services that acknowledge first and work afterwards: at-most-once by accident.",
    anomalies=("LOST", "DUPLICATE", "OFFSET_AHEAD", "WRONG_RESULT"),
    fault="kill (SIGKILL) with a transaction open",
    scenario="zoo-kills",
    breed=_offsets_before_outputs,
)
OFFSETS_AFTER_OUTPUTS = Bug(
    name="offsets-after-outputs",
    breaks="Outputs and offsets are committed together: here outputs are flushed first and "
    "offsets committed afterwards, without a transaction.",
    like="A consumer and a plain idempotent producer, called exactly-once: idempotence ends "
    "with the producer's session.",
    anomalies=("DUPLICATE", "WRONG_RESULT", "REORDERED"),
    fault="kill (SIGKILL) between two commits",
    scenario="zoo-kills",
    breed=lambda parts: exactly_once_by(AtLeastOnce, parts),
)
AUTO_COMMIT = Bug(
    name="auto-commit",
    breaks="The consumer's auto-commit is off: here a timer commits whatever was polled.",
    like="enable.auto.commit left at its default of true beside a transactional producer.",
    anomalies=("LOST", "OFFSET_AHEAD", "OFFSET_REGRESSION", "WRONG_RESULT"),
    fault="kill (SIGKILL) with a transaction open",
    scenario="zoo-kills",
    breed=_auto_commit,
)
CONSUMER_POSITION_COMMITTED = Bug(
    name="consumer-position-committed",
    breaks="The committed offset is the next record to process: here it is the consumer's "
    "position, which is past what a worker that reads ahead still has in its buffer.",
    like="commitSync() without arguments, or position(), where records are handed to a queue.",
    anomalies=("LOST", "OFFSET_AHEAD", "WRONG_RESULT"),
    fault="kill (SIGKILL) while input is waiting",
    scenario="zoo-kills",
    # More than it can take: a buffer that is mostly empty when a commit comes loses nothing.
    options=("--commit-interval-ms", "10"),
    settings=("load.rate=12000", "subject.instances=1"),
    breed=lambda parts: replace(exactly_once_by(_CommitsItsPosition, parts), worker=ReadsAhead),
)
LAST_OFFSET_COMMITTED = Bug(
    name="last-offset-committed",
    breaks="The committed offset is the next record to process: here it is the last one that was "
    "processed.",
    like="record.offset() committed instead of record.offset() + 1.",
    anomalies=("DUPLICATE", "ZOMBIE_WRITE", "WRONG_RESULT"),
    fault="kill (SIGKILL), or any other restart",
    scenario="zoo-kills",
    breed=lambda parts: exactly_once_by(_CommitsTheLast, parts),
)
