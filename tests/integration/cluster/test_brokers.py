"""Brokers that are killed and come back, several of them, and one behind a proxy."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from eoscheck.cluster import NewTopic, create_topics
from eoscheck.cluster.addresses import ClientListener
from eoscheck.cluster.admin_client import open_admin
from eoscheck.cluster.distribution import KAFKA_VERSION
from eoscheck.cluster.embedded import start_embedded
from eoscheck.cluster.known_brokers import known_brokers
from eoscheck.cluster.spec import ClusterSpec
from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.network.ports import HOST
from eoscheck.process import Supervisor

_WAIT_S = 30.0
# A broker that was killed is not let in again before its old session is over: 9 s by default.
_SOON_BACK = {"broker.session.timeout.ms": "1000", "broker.heartbeat.interval.ms": "200"}


def wait_until(what: str, holds: Callable[[], Any]) -> None:
    give_up_at = time.monotonic() + _WAIT_S
    while not holds():
        assert time.monotonic() < give_up_at, f"not within {_WAIT_S} s: {what}"
        time.sleep(0.02)


def _silent(_: str) -> None:
    """No progress."""


def test_a_broker_comes_back_with_its_ports_and_its_records(supervisor: Supervisor) -> None:
    with start_embedded(
        ClusterSpec(settings=_SOON_BACK), supervisor=supervisor, progress=_silent
    ) as cluster:
        create_topics(cluster.client_config, [NewTopic(name="t")])
        producer = Producer({**cluster.client_config, "log_level": 0})
        producer.produce("t", b"kept", partition=0)
        assert producer.flush(_WAIT_S) == 0
        servers, pids = cluster.bootstrap_servers, cluster.pids
        cluster.restart()
        assert cluster.bootstrap_servers == servers
        assert cluster.pids != pids
        assert cluster.failure() is None
        consumer = Consumer(
            {**cluster.client_config, "group.id": "g", "enable.auto.commit": False, "log_level": 0}
        )
        consumer.assign([TopicPartition("t", 0, 0)])
        (message,) = consumer.consume(1, timeout=_WAIT_S)
        assert message.value() == b"kept"
        consumer.close()


def test_several_brokers_are_one_cluster(supervisor: Supervisor) -> None:
    with start_embedded(ClusterSpec(brokers=2), supervisor=supervisor, progress=_silent) as cluster:
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
        ClusterSpec(),
        supervisor=supervisor,
        progress=_silent,
        listener=ClientListener(advertised_port=9),
    ) as cluster:
        port = int(cluster.bootstrap_servers.rpartition(":")[2])
        assert known_brokers(port, timeout_s=_WAIT_S).addresses == {1: (HOST, 9)}
        create_topics(cluster.client_config, [NewTopic(name="t")])  # directly


def test_a_setting_of_a_listener_that_kafka_does_not_know_is_refused(
    supervisor: Supervisor,
) -> None:
    settings = {"listener.name.client.sasl.enabled.mechanism": "PLAIN"}
    with pytest.raises(UsageError, match=r"did you mean 'sasl\.enabled\.mechanisms'"):
        start_embedded(ClusterSpec(settings=settings), supervisor=supervisor, progress=_silent)


@pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="a disk of its own needs a mount: root"
)
def test_a_broker_whose_disk_is_full_ends_and_comes_back_with_its_records(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with start_embedded(
        ClusterSpec(settings=_SOON_BACK, data_size_mb=48), supervisor=supervisor, progress=_silent
    ) as cluster:
        create_topics(cluster.client_config, [NewTopic(name="t")])
        producer = Producer({**cluster.client_config, "log_level": 0})
        producer.produce("t", b"kept", partition=0)
        assert producer.flush(_WAIT_S) == 0
        assert cluster.brokers.fill_disk(1)["free_bytes"] == 0
        producer.produce("t", b"x" * 100_000, partition=0)
        wait_until("the broker ends", lambda: not cluster.brokers.is_up(1))
        assert cluster.failure() is None  # it was us
        assert cluster.brokers.heal(1)["started"]
        cluster.brokers.wait_ready(1, timeout_s=_WAIT_S)
        assert producer.flush(_WAIT_S) == 0
        consumer = Consumer(
            {**cluster.client_config, "group.id": "g", "enable.auto.commit": False, "log_level": 0}
        )
        consumer.assign([TopicPartition("t", 0, 0)])
        values = [message.value() for message in consumer.consume(2, timeout=_WAIT_S)]
        assert values == [b"kept", b"x" * 100_000]
        consumer.close()
    assert list(tmp_path.iterdir()) == []
    assert str(tmp_path) not in Path("/proc/mounts").read_text()


def test_a_disk_that_is_not_ours_is_not_filled(supervisor: Supervisor) -> None:
    with start_embedded(ClusterSpec(), supervisor=supervisor, progress=_silent) as cluster:
        assert not cluster.brokers.disks_may_be_filled
        with pytest.raises(InfrastructureError, match="not a small one of its own"):
            cluster.brokers.fill_disk(1)
        assert cluster.brokers.is_up(1)


@pytest.mark.parametrize(
    ("options", "level"),
    [
        ({"kafka_version": "3.9.2"}, None),
        ({"transaction_version": 0}, None),
        ({"transaction_version": 1}, 1),
        ({}, 2),
    ],
)
def test_the_chosen_version_and_level_run(
    supervisor: Supervisor, options: dict[str, Any], level: int | None
) -> None:
    with start_embedded(ClusterSpec(**options), supervisor=supervisor, progress=_silent) as cluster:
        admin = open_admin(cluster.client_config, timeout_s=_WAIT_S)
        feature = admin.describe_features().get("transaction.version", {})
        version = admin.get_broker_version_data(1).broker_version
        admin.close()
    assert f"Kafka {options.get('kafka_version', KAFKA_VERSION)}," in cluster.description
    assert version == (3, 9) if "kafka_version" in options else version >= (4, 0)
    assert feature.get("finalized", (None, None))[1] == level


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (
            {"kafka_version": "3.9.2", "transaction_version": 2},
            r"Kafka 3\.9\.2 does not start with transaction\.version=2: .*No feature",
        ),
        ({"profile": "fsat"}, "no such failover profile 'fsat' .did you mean 'fast'"),
        ({"brokers": 0}, "at least 1 broker"),
        ({"data_size_mb": 8}, "needs 32 MiB or more for its data: 8"),
    ],
)
def test_what_no_cluster_can_be_is_one_line(
    supervisor: Supervisor, options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(UsageError, match=complaint):
        start_embedded(ClusterSpec(**options), supervisor=supervisor, progress=_silent)
