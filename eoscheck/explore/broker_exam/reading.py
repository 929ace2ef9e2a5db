"""What a consumer is shown: librdkafka's, as an application has it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from eoscheck.cluster.connection import QUIET, error_text
from eoscheck.explore.broker_exam.conversation import NotExaminedError

_POLL_S = 0.1


def shown(
    client_config: Mapping[str, str],
    topic: str,
    partition: int,
    *,
    committed: bool,
    timeout_s: float,
) -> list[tuple[int, str]]:
    """Offset and value of all records up to the partition's end, as the isolation level has it.
    Joins no group and commits nothing. Raises NotExaminedError where the end is not reached."""
    config: dict[str, Any] = {
        **client_config,
        **QUIET,
        "group.id": f"{topic}-reader",  # the client wants one
        "isolation.level": "read_committed" if committed else "read_uncommitted",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
        "fetch.wait.max.ms": 100,
    }
    deadline = time.monotonic() + timeout_s
    found: list[tuple[int, str]] = []
    problem = "the broker gives no records"
    try:
        consumer = Consumer(config)
    except KafkaException as error:
        raise NotExaminedError(f"no consumer can be made: {error_text(error)}") from error
    try:
        consumer.assign([TopicPartition(topic, partition, 0)])
        while time.monotonic() < deadline:
            message = consumer.poll(_POLL_S)
            if message is None:
                continue
            trouble = message.error()
            if trouble is None:
                found.append((_offset(message.offset()), (message.value() or b"").decode()))
            elif trouble.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                return found
            else:
                problem = trouble.str()
    finally:
        consumer.close()
    raise NotExaminedError(f"partition {partition} was not read to its end: {problem}")


def _offset(offset: int | None) -> int:
    assert offset is not None, "a record has one"
    return offset
