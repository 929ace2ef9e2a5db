"""Java and Python agree on which partition a key belongs to."""

from __future__ import annotations

from collections.abc import Callable

import pytest
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
    placed: dict[bytes, int] = {}
    for key in MURMUR2:
        producer.produce(
            topic, b"", key, on_delivery=lambda _, m: placed.update({m.key(): m.partition()})
        )
    assert producer.flush(20) == 0
    # Utils.toPositive: the sign bit is masked, not the number negated.
    assert placed == {key: (hash_ & 0x7FFFFFFF) % partitions for key, hash_ in MURMUR2.items()}
