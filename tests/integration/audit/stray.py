"""A transactional batch that no coordinator knows of, as a late produce request used to leave one
behind (KAFKA-14402; brokers refuse it since KIP-890, unless told not to look)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.protocol.producer import ProduceRequest
from kafka.record.default_records import DefaultRecordBatchBuilder

from eoscheck.cluster.admin_client import open_admin

PRODUCER_ID = 987_654_321
_LAST_VERSION_WITHOUT_KIP_890 = 11


def write_stray_batch(
    client_config: Mapping[str, str], topic: str, partition: int, value: bytes
) -> int:
    """The batch's offset."""
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=True,
        producer_id=PRODUCER_ID,
        producer_epoch=0,
        base_sequence=0,
        batch_size=10_000,
    )
    builder.append(0, int(time.time() * 1000), b"stray", value, [])
    admin = open_admin(client_config, timeout_s=10.0)
    try:
        return _produce(admin, topic, partition, bytes(builder.build()))
    finally:
        admin.close()


def _produce(admin: KafkaAdminClient, topic: str, partition: int, batch: bytes) -> int:
    data = ProduceRequest.TopicProduceData
    request: Any = ProduceRequest(
        transactional_id="stray",
        acks=-1,
        timeout_ms=10_000,
        topic_data=[
            data(
                name=topic,
                partition_data=[data.PartitionProduceData(index=partition, records=batch)],
            )
        ],
        min_version=3,
        max_version=_LAST_VERSION_WITHOUT_KIP_890,
    )
    (broker,) = admin._manager.cluster.brokers()

    async def send() -> Any:
        return await admin._manager.send(request, node_id=broker.node_id)

    answer = admin._manager.run(send)
    (result,) = answer.responses[0].partition_responses
    assert result.error_code == 0, result
    return int(result.base_offset)
