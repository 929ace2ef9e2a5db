"""Java and Python agree on which partition a key belongs to."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import NewTopic

from eoscheck.cluster import Cluster
from reference_app.streams.clients import Clients
from reference_app.streams.options import StreamsOptions

# Kafka's own test vectors: org.apache.kafka.common.utils.UtilsTest#testMurmur2.
MURMUR2 = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize("partitions", [7])
def test_keys_go_where_javas_default_partitioner_puts_them(
    cluster: Cluster, fresh_name: Callable[[str], str], partitions: int
) -> None:
    options = StreamsOptions(application_id="app", bootstrap_server=cluster.bootstrap_servers)
    clients = Clients(options=options, client_id="app", consumer_overrides={})
    topic = fresh_name("topic")
    admin = clients.admin()
    admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result()
    producer = clients.producer(transactional_id=None)
    for key in MURMUR2:
        producer.produce(topic, b"", key)
    assert producer.flush(20) == 0
    reader = clients.restore_consumer()
    reader.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    placed: dict[bytes, int] = {}
    deadline = time.monotonic() + 20
    while len(placed) < len(MURMUR2) and time.monotonic() < deadline:
        for message in reader.consume(100, 0.1):
            if message.error() is None:
                placed[message.key()] = message.partition()
    reader.close()
    # Utils.toPositive: the sign bit is masked, not the number negated.
    assert placed == {key: (hash_ & 0x7FFFFFFF) % partitions for key, hash_ in MURMUR2.items()}
