"""Brokers that are killed and come back, several of them, and one behind a proxy."""

from __future__ import annotations

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from eoscheck.cluster import NewTopic, create_topics
from eoscheck.cluster.embedded import start_embedded
from eoscheck.errors import UsageError
from eoscheck.process import Supervisor

_WAIT_S = 30.0


def _silent(_: str) -> None:
    """No progress."""


def test_a_broker_comes_back_with_its_ports_and_its_records(supervisor: Supervisor) -> None:
    with start_embedded(supervisor=supervisor, settings={}, progress=_silent) as cluster:
        create_topics(cluster.client_config, [NewTopic(name="t")])
        producer = Producer({**cluster.client_config, "log_level": 0})
        producer.produce("t", b"kept", partition=0)
        assert producer.flush(_WAIT_S) == 0
        servers, pids = cluster.bootstrap_servers, cluster.pids
        cluster.restart()
        assert cluster.bootstrap_servers == servers
        assert cluster.pids != pids
        assert cluster.failure() is None
        consumer = Consumer({**cluster.client_config, "group.id": "g", "log_level": 0})
        consumer.assign([TopicPartition("t", 0, 0)])
        (message,) = consumer.consume(1, timeout=_WAIT_S)
        assert message.value() == b"kept"
        consumer.close()


def test_several_brokers_are_one_cluster(supervisor: Supervisor) -> None:
    with start_embedded(supervisor=supervisor, settings={}, progress=_silent, brokers=2) as cluster:
        assert cluster.bootstrap_servers.count(",") == 1
        assert ", 2 nodes," in cluster.description
        create_topics(
            cluster.client_config, [NewTopic(name="t", partitions=4, replication_factor=2)]
        )
        admin = AdminClient({**cluster.client_config, "log_level": 0})
        found = admin.list_topics("t", timeout=_WAIT_S).topics["t"].partitions.values()
        assert {partition.leader for partition in found} == {1, 2}


def test_clients_are_told_the_advertised_port(supervisor: Supervisor) -> None:
    with start_embedded(
        supervisor=supervisor, settings={}, progress=_silent, advertised_port=9
    ) as cluster:
        config = {"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0}
        (broker,) = AdminClient(config).list_topics(timeout=_WAIT_S).brokers.values()
        assert broker.port == 9
        create_topics(cluster.client_config, [NewTopic(name="t")])  # directly


def test_a_setting_of_a_listener_that_kafka_does_not_know_is_refused(
    supervisor: Supervisor,
) -> None:
    settings = {"listener.name.client.sasl.enabled.mechanism": "PLAIN"}
    with pytest.raises(UsageError, match=r"did you mean 'sasl\.enabled\.mechanisms'"):
        start_embedded(supervisor=supervisor, settings=settings, progress=_silent)
