"""Looks at transactions from outside (KIP-664), without taking part in any."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient, TransactionDescription
from kafka.errors import (
    KafkaError,
    TransactionalIdNotFoundError,
    UnsupportedVersionError,
)
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from eoscheck.closing import Closing
from eoscheck.cluster.admin_client import RotatingAdmin, passes
from eoscheck.errors import InfrastructureError

ONGOING = "Ongoing"
"""Neither committed nor aborted yet: its writer, or the coordinator's sweep, will decide."""
UNFINISHED = (ONGOING, "PrepareCommit", "PrepareAbort", "PrepareEpochFence")
"""Ongoing, or decided with markers still to be written."""

_ATTEMPTS = 3
"""Within the time-out at least, where brokers are silent."""
_ATTEMPT_S = 3.0
"""At most: who waits longer for a cluster has more attempts, not longer ones. The first of them end
with nothing until a silent broker is known to be gone: later yet where it was the controller."""
_Answer = TypeVar("_Answer")


class OpenTransaction(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction as its coordinator knows it. `started_ms` is Unix time by the coordinator's
    clock, `partitions` those added to it so far: (topic, partition)."""

    transactional_id: str
    producer_id: int
    epoch: int
    started_ms: int
    timeout_ms: int
    partitions: list[tuple[str, int]]
    state: str = ONGOING


class ActiveProducer(msgspec.Struct, frozen=True, kw_only=True):
    """A producer as a partition's leader knows it. `open_since` is the first offset of its open
    transaction in this partition, None where it has none open."""

    producer_id: int
    epoch: int
    last_sequence: int
    last_timestamp_ms: int
    coordinator_epoch: int
    open_since: int | None


class TransactionView(Closing):
    """Read-only. Thread-safe as kafka-python's admin client is; one round trip takes some ms.

    Each call raises InfrastructureError when the cluster has given no answer for `timeout_s`.
    """

    def __init__(self, client_config: Mapping[str, str], *, timeout_s: float = 10.0) -> None:
        self._timeout_s = timeout_s
        self._admin = RotatingAdmin(client_config, attempt_s=min(timeout_s / _ATTEMPTS, _ATTEMPT_S))
        self._ask(lambda admin: admin.describe_cluster(), "brokers")

    def ongoing(self, topics: Collection[str] | None = None) -> list[OpenTransaction]:
        """Transactions that are neither committed nor aborted yet (state Ongoing), all of them or
        those that touch one of `topics`."""
        found = self._unfinished(state_filters=[ONGOING])
        return [
            transaction
            for transaction in found
            if transaction.state == ONGOING and _touches(transaction, topics)
        ]

    def unfinished(
        self, producer_ids: Iterable[int], *, longer_than_ms: int | None = None
    ) -> list[OpenTransaction]:
        """What the coordinators know of these producers' transactions that have not ended, those
        being ended right now included.

        `longer_than_ms` keeps the ones open for longer *by the coordinator's own clock* (KIP-994,
        brokers from 3.8): older brokers are judged by this machine's clock.
        """
        wanted = list(producer_ids)
        if not wanted:
            return []
        filters = {"producer_id_filters": wanted, "state_filters": list(UNFINISHED)}
        if longer_than_ms is None:
            return self._unfinished(**filters)
        try:
            return self._unfinished(**filters, duration_filter_ms=longer_than_ms)
        except UnsupportedVersionError:
            limit = time.time() * 1000 - longer_than_ms
            return [known for known in self._unfinished(**filters) if known.started_ms < limit]

    def transactional_ids(self, producer_ids: Iterable[int]) -> dict[int, str]:
        """The transactional id of each producer that a coordinator still remembers."""
        wanted = list(producer_ids)
        if not wanted:
            return {}
        listed = self._ask(
            lambda admin: admin.list_transactions(producer_id_filters=wanted), "transactions"
        )
        return {row.producer_id: row.transactional_id for rows in listed.values() for row in rows}

    def producers(self, topic: str, partition: int) -> list[ActiveProducer]:
        """The producers that the partition's leader remembers."""
        place = TopicPartition(topic, partition)
        answer = self._ask(lambda admin: admin.describe_producers([place]), "active producers")
        return [
            ActiveProducer(
                producer_id=state.producer_id,
                epoch=state.producer_epoch,
                last_sequence=state.last_sequence,
                last_timestamp_ms=state.last_timestamp,
                coordinator_epoch=state.coordinator_epoch,
                open_since=_offset(state.current_transaction_start_offset),
            )
            for state in answer[place].active_producers
        ]

    def close(self) -> None:
        self._admin.close()

    def _unfinished(self, **filters: Any) -> list[OpenTransaction]:
        listed = self._ask(lambda admin: admin.list_transactions(**filters), "transactions")
        names = [row.transactional_id for rows in listed.values() for row in rows]
        return [_known(name, found) for name, found in self._describe(names) if _lives(found)]

    def _describe(self, names: Sequence[str]) -> list[tuple[str, TransactionDescription]]:
        """All at once; one by one where an id was forgotten since: it must not hide the others."""
        try:
            described = self._ask(lambda admin: admin.describe_transactions(names), "transactions")
        except TransactionalIdNotFoundError:
            if len(names) == 1:
                return []
            return [found for name in names for found in self._describe([name])]
        return list(described.items())

    def _ask(self, question: Callable[[KafkaAdminClient], _Answer], about: str) -> _Answer:
        """Asks until there is an answer: brokers that restart or move are ordinary here."""

        retrying = Retrying(
            stop=stop_after_delay(self._timeout_s),
            wait=wait_fixed(0.05),
            retry=retry_if_exception(passes),
            reraise=True,
        )
        try:
            answer: _Answer = retrying(self._admin.ask, question)
        except (TransactionalIdNotFoundError, UnsupportedVersionError):
            raise
        except KafkaError as error:
            raise InfrastructureError(f"the cluster does not tell the {about}: {error}") from error
        return answer


def _lives(found: TransactionDescription) -> bool:
    """False where it ended between the two questions."""
    return found.state.value in UNFINISHED


def _known(name: str, found: TransactionDescription) -> OpenTransaction:
    return OpenTransaction(
        transactional_id=name,
        producer_id=found.producer_id,
        epoch=found.producer_epoch,
        started_ms=found.transaction_start_time_ms,
        timeout_ms=found.transaction_timeout_ms,
        partitions=sorted((place.topic, place.partition) for place in found.topic_partitions),
        state=found.state.value,
    )


def _offset(value: int) -> int | None:
    return value if value >= 0 else None


def _touches(transaction: OpenTransaction, topics: Collection[str] | None) -> bool:
    return topics is None or any(topic in topics for topic, _partition in transaction.partitions)
