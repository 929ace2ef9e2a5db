"""Clients of a wired broker: librdkafka's, plain and transactional."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from tests.integration.wire.conftest import WAIT_S, Wired


def producer(wired: Wired, *, instance: int = 0, **settings: Any) -> Producer:
    """Transactional where `transactional_id` is given."""
    given = {name.replace("_", "."): value for name, value in settings.items()}
    return Producer(
        {
            "bootstrap.servers": wired.cluster.bootstrap_for(instance),
            "linger.ms": 0,
            "reconnect.backoff.ms": 10,
            "reconnect.backoff.max.ms": 50,
            **given,
        }
    )


def produce(client: Producer, topic: str, *values: str, partition: int = 0) -> None:
    """Acknowledged when it returns."""
    failed: list[Any] = []
    for value in values:
        client.produce(
            topic,
            value,
            partition=partition,
            on_delivery=lambda error, _: failed.append(error) if error else None,
        )
    assert client.flush(WAIT_S) == 0, "not acknowledged in time"
    assert not failed, failed


def visible(wired: Wired, topic: str, *, partitions: int = 1, committed: bool = True) -> list[str]:
    """What a reader of committed records (or of all) sees, past the wire."""
    reader = Consumer(
        {
            "bootstrap.servers": wired.cluster.client_config["bootstrap.servers"],
            "group.id": "reader",
            "isolation.level": "read_committed" if committed else "read_uncommitted",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    try:
        reader.assign([TopicPartition(topic, each, 0) for each in range(partitions)])
        values: list[str] = []
        ended = 0
        while ended < partitions:
            message = reader.poll(WAIT_S)
            assert message is not None, f"nothing came from {topic} in {WAIT_S} s"
            if message.error() is None:
                values.append((message.value() or b"").decode())
            else:
                ended += 1
        return sorted(values)
    finally:
        reader.close()


def actions(wired: Wired, step: str) -> Sequence[str | None]:
    return [each.action for each in wired.exchanges if step in each.steps]
