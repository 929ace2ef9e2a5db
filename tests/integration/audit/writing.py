"""Topics written by hand: committed, aborted and open transactions, record by record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition

from eoscheck.cluster import NewTopic, create_topics

WAIT_S = 30.0


@dataclass(frozen=True)
class Out:
    """A record to write; `value` becomes JSON unless it is bytes or None."""

    partition: int
    value: Any
    key: str | bytes | None = None
    headers: Sequence[tuple[str, bytes]] = field(default_factory=tuple)

    def encoded(self) -> bytes | None:
        if self.value is None or isinstance(self.value, bytes):
            return self.value
        return msgspec.json.encode(self.value)


def payment(partition: int, identity: int, amount: int = 1, account: str = "a") -> Out:
    return Out(partition, {"id": identity, "amount": amount}, key=account)


def receipt(partition: int, identity: int, balance: int = 0) -> Out:
    return Out(partition, {"id": identity, "balance": balance}, key="r")


class Topics:
    """Writes to topics of one cluster. Returns the offsets it was told, in the order given."""

    def __init__(self, client_config: Mapping[str, str]) -> None:
        self.client_config = client_config
        self._number = 0

    def create(self, name: str, partitions: int = 1, **config: str) -> str:
        settings = {key.replace("_", "."): value for key, value in config.items()}
        create_topics(
            self.client_config, [NewTopic(name=name, partitions=partitions, config=settings)]
        )
        return name

    def write(self, topic: str, *records: Out) -> list[int]:
        """Outside any transaction."""
        producer = self._producer()
        return _send(producer, topic, records)

    def commit(self, topic: str, *records: Out) -> list[int]:
        with self.transaction(topic) as producer:
            offsets = _send(producer, topic, records)
            producer.commit_transaction(WAIT_S)
        return offsets

    def abort(self, topic: str, *records: Out) -> list[int]:
        with self.transaction(topic) as producer:
            offsets = _send(producer, topic, records)
            producer.abort_transaction(WAIT_S)
        return offsets

    @contextmanager
    def open(self, topic: str, *records: Out, timeout_s: float = 60.0) -> Iterator[Producer]:
        """A transaction that has written `records`; it is aborted if the block does not end it."""
        with self.transaction(topic, timeout_s=timeout_s) as producer:
            _send(producer, topic, records)
            yield producer

    @contextmanager
    def transaction(self, name: str, *, timeout_s: float = 60.0) -> Iterator[Producer]:
        self._number += 1
        producer = self._producer(
            **{
                "transactional.id": f"{name}-{self._number}",
                "transaction.timeout.ms": int(timeout_s * 1000),
            }
        )
        producer.init_transactions(WAIT_S)
        producer.begin_transaction()
        yield producer

    def commit_offsets(self, group: str, topic: str, offsets: Mapping[int, int]) -> None:
        consumer = Consumer({**self.client_config, "group.id": group, "log_level": 0})
        consumer.commit(
            offsets=[TopicPartition(topic, number, at) for number, at in offsets.items()],
            asynchronous=False,
        )
        consumer.close()

    def _producer(self, **settings: Any) -> Producer:
        return Producer({**self.client_config, "linger.ms": 0, "log_level": 0, **settings})


def _send(producer: Producer, topic: str, records: Sequence[Out]) -> list[int]:
    offsets: dict[int, int] = {}
    for index, record in enumerate(records):
        producer.produce(
            topic,
            partition=record.partition,
            key=record.key,
            value=record.encoded(),
            headers=list(record.headers),
            on_delivery=_note(offsets, index),
        )
    assert producer.flush(WAIT_S) == 0
    return [offsets[index] for index in range(len(records))]


def _note(offsets: dict[int, int], index: int) -> Any:
    def delivered(error: Any, message: Any) -> None:
        assert error is None, error
        offsets[index] = message.offset()

    return delivered
