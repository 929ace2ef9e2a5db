"""Requests and answers as clients and brokers write them: by kafka-python's codec."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, settings
from kafka.protocol import consumer, producer

from eoscheck.wire.reader import Reader

FUZZ = settings(suppress_health_check=[HealthCheck.too_slow])
"""On a machine that others use, slow says nothing."""


def encoded(message: Any, *, version: int, correlation_id: int = 7, client_id: str = "me") -> bytes:
    """A frame with its size."""
    message.API_VERSION = version
    if message.is_request():
        message.with_header(correlation_id=correlation_id, client_id=client_id)
    else:
        message.with_header(correlation_id=correlation_id)
    return bytes(message.encode(header=True, framed=True))


NAMES = {UUID(int=1): "orders", UUID(int=2): "payments"}
IDS = {name: topic_id for topic_id, name in NAMES.items()}


def reader(names: dict[UUID, str] | None = None) -> Reader:
    known = dict(NAMES) if names is None else names
    return Reader(name=known.get, learn=known.__setitem__)


def versions(codec: Any, since: int = 0) -> range:
    return range(max(codec.valid_versions[0], since), codec.max_version + 1)


def produce_request(
    *topics: str, records: bytes = b"records", acks: int = -1, tx: Any = "tx"
) -> Any:
    of = producer.ProduceRequest.TopicProduceData
    return producer.ProduceRequest(
        transactional_id=tx,
        acks=acks,
        timeout_ms=1000,
        topic_data=[
            of(
                name=topic,
                topic_id=IDS[topic],
                partition_data=[
                    of.PartitionProduceData(index=index, records=records) for index in range(3)
                ],
            )
            for topic in topics
        ],
    )


def fetch(
    topics: dict[str, list[int]],
    *,
    version: int,
    session: int = 0,
    epoch: int = 0,
    forgotten: dict[str, list[int]] | None = None,
    correlation_id: int = 7,
) -> bytes:
    codec = consumer.FetchRequest
    of, gone = codec.FetchTopic, codec.ForgottenTopic
    message = codec(
        max_wait_ms=1,
        min_bytes=1,
        session_id=session,
        session_epoch=epoch,
        topics=[
            of(
                topic=name,
                topic_id=IDS[name],
                partitions=[of.FetchPartition(partition=each, fetch_offset=1) for each in them],
            )
            for name, them in topics.items()
        ],
        forgotten_topics_data=[
            gone(topic=name, topic_id=IDS[name], partitions=them)
            for name, them in (forgotten or {}).items()
        ],
    )
    return encoded(message, version=version, correlation_id=correlation_id)
