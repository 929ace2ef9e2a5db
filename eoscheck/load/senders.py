"""Two ways of writing: a plain producer, and transactions of which some abort."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, Protocol, TypeAlias

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from eoscheck.cluster.connection import QUIET, error_text
from eoscheck.errors import InfrastructureError
from eoscheck.history.events import Identity
from eoscheck.load.outcomes import Outcomes
from eoscheck.load.seal import HEADER, write_seal
from eoscheck.load.spec import TRANSACTION_TIMEOUT_S

FLUSH_TIMEOUT_S = 60.0
_CALL_TIMEOUT_S = 10.0

_SETTINGS: dict[str, Any] = {
    "partitioner": "murmur2_random",  # as Java does: without it, keys land elsewhere
    "linger.ms": 5,
    # Open loop: the schedule must not wait for acknowledgements, so the queue takes a long outage.
    "queue.buffering.max.messages": 2_000_000,
    "queue.buffering.max.kbytes": 1_048_576,
    "message.timeout.ms": int(FLUSH_TIMEOUT_S * 1000),
    # A broker that is silent is asked no longer: who leads in its place is found out only then.
    "socket.timeout.ms": 5000,
    **QUIET,
}

_ACKS: dict[str | int, dict[str, Any]] = {
    "all": {"enable.idempotence": True},
    1: {"enable.idempotence": False, "acks": 1},
}
"""Idempotence is to be had with acks=all only."""

# Errors by which a record surely is not in the log: it never left, or the broker refused it.
_NEVER_WRITTEN = frozenset(
    {
        KafkaError._PURGE_QUEUE,  # noqa: SLF001 - librdkafka's own codes are named so
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.INVALID_MSG,
        KafkaError.INVALID_RECORD,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.TOPIC_EXCEPTION,
    }
)

MakeProducer: TypeAlias = Callable[[dict[str, Any]], Producer]


Header: TypeAlias = tuple[str, bytes]
Headers: TypeAlias = Sequence[tuple[str, bytes | None]] | None
Identify: TypeAlias = Callable[[bytes | None, bytes | None, Headers], Identity | None]


class Sender(Protocol):
    def send(
        self,
        identity: Identity,
        key: bytes | None,
        value: bytes,
        intended: float,
        headers: Sequence[Header] = (),
    ) -> None: ...

    def serve(self, timeout_s: float) -> None:
        """Handles what was answered, for at most `timeout_s`."""
        ...

    def finish(self) -> None:
        """Waits, bounded, until the outcome of everything sent is known, or known not to be."""
        ...


class PlainSender:
    """A producer, idempotent with acks=all; each delivery report decides about its record."""

    def __init__(
        self,
        *,
        topic: str,
        client_config: Mapping[str, str],
        outcomes: Outcomes,
        acks: Literal["all", 1] = "all",
        make_producer: MakeProducer = Producer,
    ) -> None:
        self._topic = topic
        self._outcomes = outcomes
        self._producer = make_producer({**client_config, **_SETTINGS, **_ACKS[acks]})
        self._pending: dict[int, Identity] = {}
        self._sent = 0

    def send(
        self,
        identity: Identity,
        key: bytes | None,
        value: bytes,
        intended: float,
        headers: Sequence[Header] = (),
    ) -> None:
        number = self._sent
        self._sent += 1
        self._pending[number] = identity
        on_delivery = partial(self._delivered, number, intended)
        _produce(self._producer, self._topic, key, value, headers, on_delivery)

    def _delivered(
        self, number: int, intended: float, error: KafkaError | None, message: Message
    ) -> None:
        identity = self._pending.pop(number)
        if error is None:
            self._outcomes.acknowledged(identity, *_place(message), intended)
        elif error.code() in _NEVER_WRITTEN:
            self._outcomes.unconfirmed("failed", [identity], error.str())
        else:
            self._outcomes.unconfirmed("indeterminate", [identity], error.str())

    def serve(self, timeout_s: float) -> None:
        self._producer.poll(timeout_s)

    def finish(self) -> None:
        self._producer.flush(FLUSH_TIMEOUT_S)
        self._outcomes.unconfirmed(
            "indeterminate",
            list(self._pending.values()),
            f"no answer within {FLUSH_TIMEOUT_S:.0f} s of the end of the load",
        )
        self._pending.clear()


@dataclass
class _Transaction:
    """The open one. A late delivery report of an earlier one finds its own, and changes nothing."""

    records: list[tuple[Identity, float]] = field(default_factory=list)
    places: dict[int, tuple[int, int]] = field(default_factory=dict)
    error: str | None = None

    def delivered(self, number: int, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.places[number] = _place(message)
        elif self.error is None:
            self.error = error.str()

    @property
    def flaw(self) -> str | None:
        """Why it must not be committed."""
        if self.error is None and len(self.places) < len(self.records):
            return "records were not acknowledged in time"
        return self.error


class TransactionalSender:
    """Transactions of `size` records; `aborts` says of each whether it is to abort.

    Aborted records really are in the log: they are flushed before the abort. Nothing is ever sent
    twice. Once a commit was asked for, only its success is certain: a time-out is answered by the
    same commit again, and what stays unanswered is indeterminate.
    """

    def __init__(
        self,
        *,
        topic: str,
        size: int,
        aborts: Iterator[bool],
        transactional_id: str,
        client_config: Mapping[str, str],
        outcomes: Outcomes,
        clock: Callable[[], float],
        make_producer: MakeProducer = Producer,
    ) -> None:
        self._topic = topic
        self._size = size
        self._aborts = aborts
        self._outcomes = outcomes
        self._clock = clock
        self._make_producer = make_producer
        self._settings = {
            **client_config,
            **_SETTINGS,
            **_ACKS["all"],
            "transactional.id": transactional_id,
            "transaction.timeout.ms": int(TRANSACTION_TIMEOUT_S * 1000),
            "message.timeout.ms": int(TRANSACTION_TIMEOUT_S * 1000),
        }
        self._producer = self._initialised_producer()
        self._open = _Transaction()

    def send(
        self,
        identity: Identity,
        key: bytes | None,
        value: bytes,
        intended: float,
        headers: Sequence[Header] = (),
    ) -> None:
        number = len(self._open.records)
        self._open.records.append((identity, intended))
        if self._open.error is None:
            try:
                if number == 0:
                    self._producer.begin_transaction()
                on_delivery = partial(self._open.delivered, number)
                _produce(self._producer, self._topic, key, value, headers, on_delivery)
            except KafkaException as error:
                self._open.error = error_text(error)
        if len(self._open.records) == self._size:
            self._end()

    def serve(self, timeout_s: float) -> None:
        self._producer.poll(timeout_s)

    def finish(self) -> None:
        if self._open.records:
            self._end()

    def _end(self) -> None:
        """Commits or aborts the open transaction, and says what became of its records."""
        to_abort = next(self._aborts)
        deadline = self._clock() + TRANSACTION_TIMEOUT_S
        self._producer.flush(TRANSACTION_TIMEOUT_S)
        ended, self._open = self._open, _Transaction()
        identities = [identity for identity, _ in ended.records]
        if to_abort:
            self._abort(deadline)
            self._outcomes.unconfirmed("aborted", identities, "the load aborted the transaction")
        elif ended.flaw is not None:
            self._abort(deadline)
            self._outcomes.unconfirmed("failed", identities, ended.flaw)
        elif (reason := self._commit(deadline)) is not None:
            self._producer = self._initialised_producer()
            self._outcomes.unconfirmed("indeterminate", identities, reason)
        else:
            for number, (identity, intended) in enumerate(ended.records):
                self._outcomes.acknowledged(identity, *ended.places[number], intended)

    def _commit(self, deadline: float) -> str | None:
        """Why it is not known to have succeeded; None where it has."""
        while True:
            try:
                self._producer.commit_transaction(_CALL_TIMEOUT_S)
            except KafkaException as error:
                if not error.args[0].retriable() or self._clock() >= deadline:
                    return f"commit: {error_text(error)}"
            else:
                return None

    def _abort(self, deadline: float) -> None:
        """Nobody commits the transaction, whatever the answer: so it did not take effect."""
        while True:
            try:
                self._producer.abort_transaction(_CALL_TIMEOUT_S)
            except KafkaException as error:
                if error.args[0].retriable() and self._clock() < deadline:
                    continue
                self._producer = self._initialised_producer()  # fences and aborts the old one
            return

    def _initialised_producer(self) -> Producer:
        producer = self._make_producer(self._settings)
        deadline = self._clock() + TRANSACTION_TIMEOUT_S
        while True:
            try:
                producer.init_transactions(_CALL_TIMEOUT_S)
            except KafkaException as error:
                if not error.args[0].retriable() or self._clock() >= deadline:
                    raise InfrastructureError(
                        f"the load's transactional producer cannot start: {error_text(error)}"
                    ) from error
            else:
                return producer


def _place(message: Message) -> tuple[int, int]:
    partition, offset = message.partition(), message.offset()
    assert partition is not None  # a delivered record has both
    assert offset is not None
    return partition, offset


def _produce(
    producer: Producer,
    topic: str,
    key: bytes | None,
    value: bytes,
    headers: Sequence[Header],
    on_delivery: Callable[[KafkaError | None, Message], None],
) -> None:
    """Waits only where the producer's own queue is full: time-outs of its records bound that."""
    sealed: list[tuple[str, str | bytes | None]] = [
        *headers,
        (HEADER, write_seal(key or b"", value, topic.encode())),
    ]
    while True:
        try:
            producer.produce(topic, value, key, on_delivery=on_delivery, headers=sealed)
        except BufferError:
            producer.poll(0.05)
        else:
            return
