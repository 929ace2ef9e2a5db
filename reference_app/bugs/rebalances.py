"""Bugs in what a member does when partitions come and go."""

from __future__ import annotations

from dataclasses import replace
from threading import Event
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from reference_app.bugs.bug import Bug, exactly_once_by
from reference_app.streams.commit import ExactlyOnce
from reference_app.streams.worker import Worker


class _GivesUpUncommitted(Worker):
    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._give_up(consumer, partitions)


class _FirstMember(ExactlyOnce):
    _first: Any = None

    def _member(self) -> Any:
        if self._first is None:
            self._first = super()._member()
        return self._first


class _NoMember(ExactlyOnce):
    _nobody: Any = None

    def open(self, stopping: Event) -> None:
        super().open(stopping)
        self._nobody = super()._member()  # before the consumer joins

    def _member(self) -> Any:
        return self._nobody


NO_COMMIT_ON_REVOKE = Bug(
    name="no-commit-on-revoke",
    breaks="Before a partition is given up its work is committed: here the transaction goes on "
    "without it, and commits its outputs later, without its offsets.",
    like="A transactional loop without a rebalance listener.",
    anomalies=("DUPLICATE", "ZOMBIE_WRITE", "WRONG_RESULT", "REORDERED"),
    fault="terminate: the other instance takes over, and gives back with records in flight",
    scenario="zoo-handovers",
    # Long, so that the transaction is open when the partitions go, and that its next commit comes
    # when the group has come to rest: before that it would be refused.
    options=("--commit-interval-ms", "3000", "--transaction-timeout-ms", "10000"),
    settings=("timing.faults=12s", "timing.settle=4s"),
    breed=lambda parts: replace(parts, worker=_GivesUpUncommitted),
)
CACHED_GROUP_METADATA = Bug(
    name="cached-group-metadata",
    breaks="Offsets are sent with the member's metadata of now: here with that of the first "
    "commit, which is refused after the next rebalance, for ever.",
    like="consumerGroupMetadata() called once at start and kept in a field.",
    anomalies=("STALLED",),
    fault="any rebalance",
    scenario="zoo-handovers",
    settings=("faults.0.count=1", "timing.faults=5s", "timing.liveness=5s", "timing.drain=8s"),
    breed=lambda parts: exactly_once_by(_FirstMember, parts),
)
OFFSETS_WITHOUT_MEMBER = Bug(
    name="offsets-without-member",
    breaks="Offsets are sent with the member's generation, so that a zombie's are refused: here "
    "with the metadata of a consumer that never joined, which are always accepted.",
    like="sendOffsetsToTransaction(offsets, groupId), the call before KIP-447.",
    anomalies=("DUPLICATE", "ZOMBIE_WRITE", "WRONG_RESULT", "REORDERED", "OFFSET_REGRESSION"),
    fault="pause beyond the session's time-out and within the transaction's",
    scenario="zoo-zombies",
    breed=lambda parts: exactly_once_by(_NoMember, parts),
)
