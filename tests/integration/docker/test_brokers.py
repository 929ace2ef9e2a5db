"""Three brokers in containers: one cluster, whose brokers come back from whatever was done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from eoscheck.cluster import NewTopic, create_topics
from eoscheck.cluster.docker import environment_name, start_docker
from eoscheck.cluster.node_cluster import NodeCluster
from eoscheck.cluster.spec import ClusterSpec
from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.process import Supervisor
from eoscheck.process.container import docker_client

_WAIT_S = 60.0


def _silent(_: str) -> None:
    """No progress."""


@pytest.fixture(scope="module")
def cluster(image: str, supervisor: Supervisor) -> Iterator[NodeCluster]:
    with start_docker(
        ClusterSpec(provider="docker", image=image, brokers=3, settings={"num.io.threads": "3"}),
        supervisor=supervisor,
        progress=_silent,
    ) as started:
        yield started


def _write(cluster: NodeCluster, topic: str, value: bytes) -> None:
    producer = Producer(
        {**cluster.client_config, "acks": "all", "transactional.id": topic, "log_level": 0}
    )
    producer.init_transactions(_WAIT_S)
    producer.begin_transaction()
    producer.produce(topic, value, partition=0)
    producer.commit_transaction(_WAIT_S)


def _read(servers: str, topic: str, count: int) -> list[bytes | None]:
    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": topic,
            "enable.auto.commit": False,
            "log_level": 0,
        }
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    found = [message.value() for message in consumer.consume(count, timeout=_WAIT_S)]
    consumer.close()
    return found


def test_a_killed_broker_comes_back_with_its_ports_and_its_records(
    cluster: NodeCluster, fresh_name: Callable[[str], str]
) -> None:
    topic = fresh_name("t")
    create_topics(cluster.client_config, [NewTopic(name=topic, replication_factor=3)])
    _write(cluster, topic, b"before")
    servers, before = cluster.bootstrap_servers, cluster.pids
    evidence = cluster.brokers.kill(1)
    assert evidence == {"signal": "SIGKILL", "pid": before[0], "gone": True}
    assert not cluster.brokers.is_up(1)
    _write(cluster, topic, b"meanwhile")
    assert cluster.brokers.heal(1)["started"]
    cluster.brokers.wait_ready(1, timeout_s=_WAIT_S)
    assert cluster.brokers.is_up(1)
    assert cluster.pids[0] != before[0]
    assert cluster.pids[1:] == before[1:]
    assert cluster.bootstrap_servers == servers
    assert cluster.failure() is None
    assert _read(servers.split(",")[0], topic, 2) == [b"before", b"meanwhile"]


def test_a_paused_broker_is_silent_until_it_is_healed(
    cluster: NodeCluster, until: Callable[[str, Callable[[], Any]], None]
) -> None:
    assert cluster.brokers.pause(2)["signal"] == "docker pause"
    assert not cluster.brokers.is_up(2)
    assert not cluster._nodes[1].knows(2)
    until("the others miss it", lambda: not cluster._nodes[0].knows(2))
    assert cluster.brokers.heal(2) == {
        "connected": False,
        "resumed": True,
        "pid": cluster.pids[1],
        "started": False,
    }
    cluster.brokers.wait_ready(2, timeout_s=_WAIT_S)


def test_a_disconnected_broker_runs_and_nobody_reaches_it(
    cluster: NodeCluster, until: Callable[[str, Callable[[], Any]], None]
) -> None:
    before = cluster.pids
    assert cluster.brokers.disconnect(3)["docker"] == "network disconnect"
    assert cluster.brokers.is_up(3)
    assert not cluster._nodes[2].knows(3)
    until("the others miss it", lambda: not cluster._nodes[0].knows(3))
    assert cluster.brokers.heal(3)["connected"]
    cluster.brokers.wait_ready(3, timeout_s=_WAIT_S)
    assert cluster.pids == before
    assert not cluster.brokers.heal(3)["connected"], "it was on its network already"


@pytest.mark.accept
def test_a_clean_stop_is_one(cluster: NodeCluster) -> None:
    assert cluster.brokers.stop(1)["exit_code"] in (0, 143)
    with pytest.raises(InfrastructureError, match="broker 1 is down already"):
        cluster.brokers.kill(1)
    cluster.brokers.heal_all()
    cluster.brokers.wait_ready(1, timeout_s=_WAIT_S)


def test_ports_are_open_on_this_machine_only(cluster: NodeCluster) -> None:
    client = docker_client()
    bound = [
        binding["HostIp"]
        for container in cluster.brokers._containers.values()
        for bindings in client.containers.get(container.name)
        .attrs["NetworkSettings"]["Ports"]
        .values()
        for binding in bindings or ()
    ]
    assert len(bound) >= 6
    assert set(bound) == {"127.0.0.1"}


def test_what_cannot_be_had_is_told(image: str, supervisor: Supervisor) -> None:
    def start(**arguments: Any) -> None:
        start_docker(ClusterSpec(**arguments), supervisor=supervisor, progress=_silent).close()

    with pytest.raises(InfrastructureError, match="image 'eoscheck/none:1' could not be started"):
        start(image="eoscheck/none:1")
    with pytest.raises(UsageError, match=r"sets 'node\.id' itself"):
        start(settings={"node.id": "7"}, image=image)
    with pytest.raises(UsageError, match="no such failover profile 'slow'"):
        start(image=image, profile="slow")


def test_names_of_variables() -> None:
    assert environment_name("log.dirs") == "KAFKA_LOG_DIRS"
    assert environment_name("a.b_c-d") == "KAFKA_A_B__C___D"
