"""What a plain `read_committed` consumer is given of a topic."""

from __future__ import annotations

from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from eoscheck.cluster import Cluster, ClusterView
from tests.integration.audit.writing import WAIT_S


def read_committed(cluster: Cluster, topic: str) -> dict[int, list[Message]]:
    """The committed records of each partition."""
    with ClusterView(cluster.client_config) as view:
        ends = view.high_watermarks(topic)
    consumer = Consumer(
        {
            **cluster.client_config,
            "group.id": "reads-back",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 20,
        }
    )
    found: dict[int, list[Message]] = {number: [] for number in ends}
    try:
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in ends])
        finished: set[int | None] = set()
        while len(finished) < len(ends):
            message = consumer.poll(WAIT_S)
            assert message is not None, "waited for the end of the topic"
            if message.error():
                finished.add(message.partition())
            else:
                found[message.partition() or 0].append(message)
    finally:
        consumer.close()
    return found
