"""Three nodes: each of them can be lost, and clients and brokers go by the links they are given."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, ConfigResource  # type: ignore[attr-defined]

from eoscheck.cluster import ClusterView, NewTopic, create_topics
from eoscheck.cluster.addresses import Proxies
from eoscheck.cluster.embedded import start_embedded
from eoscheck.cluster.node_cluster import NodeCluster
from eoscheck.cluster.roles import Roles
from eoscheck.cluster.spec import ClusterSpec
from eoscheck.cluster.transactions import TransactionView
from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.history import Recorder
from eoscheck.process import Supervisor
from eoscheck.run.background import Background
from eoscheck.run.observer import sample_progress
from eoscheck.run.stage import SAMPLE_S
from tests.integration.cluster.forwarding import Forwarders, forwarders

_WAIT_S = 60.0
_QUIET = {"log_level": 0}


@pytest.fixture(scope="module")
def links() -> Iterator[Forwarders]:
    with forwarders() as made:
        yield made


@pytest.fixture(scope="module")
def three(supervisor: Supervisor, links: Forwarders) -> Iterator[NodeCluster]:
    with start_embedded(
        ClusterSpec(brokers=3),
        supervisor=supervisor,
        progress=lambda _: None,
        proxies=Proxies(connect=links.connect, slots=2, broker_links=True),
    ) as started:
        yield started


@pytest.fixture(scope="module")
def roles(three: NodeCluster) -> Roles:
    return Roles(three.client_config)


def write(servers: str, topic: str, *, records: int = 20) -> None:
    """One transaction, over all partitions."""
    config = {"bootstrap.servers": servers, "socket.timeout.ms": 2000, **_QUIET}
    producer = Producer({**config, "transactional.id": topic})
    producer.init_transactions(_WAIT_S)
    producer.begin_transaction()
    for number in range(records):
        producer.produce(topic, b"x" * 1000, key=str(number))
    producer.commit_transaction(_WAIT_S)


def test_each_record_is_on_three_brokers_and_two_must_have_it(
    three: NodeCluster, topic_name: str
) -> None:
    assert ", 3 nodes, fast failover," in three.description
    create_topics(three.client_config, [NewTopic(name=topic_name)])
    write(three.direct_servers, topic_name)
    admin = AdminClient({**three.client_config, **_QUIET})
    for topic in (topic_name, "__transaction_state"):
        found = admin.list_topics(topic, timeout=_WAIT_S).topics[topic].partitions
        assert all(sorted(each.replicas) == [1, 2, 3] for each in found.values())
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        config = admin.describe_configs([resource])[resource].result(_WAIT_S)
        assert config["min.insync.replicas"].value == "2"


def test_an_instance_with_a_slot_goes_by_its_own_links(
    three: NodeCluster, links: Forwarders, topic_name: str
) -> None:
    assert three.bootstrap_for(2) == three.bootstrap_servers  # there are two slots
    create_topics(three.client_config, [NewTopic(name=topic_name, partitions=3)])
    before = links.bytes_by_source("client")
    write(three.bootstrap_for(1), topic_name)
    after = links.bytes_by_source("client")
    assert after[1] - before[1] > 20 * 1000
    assert after[0] == before[0]


def test_brokers_reach_each_other_by_their_links(
    three: NodeCluster, links: Forwarders, topic_name: str
) -> None:
    create_topics(three.client_config, [NewTopic(name=topic_name, partitions=3)])
    before = links.bytes_by_source("replication")
    write(three.direct_servers, topic_name, records=300)
    after = links.bytes_by_source("replication")
    # Of 300 kB, each broker takes what the two others lead: all brokers together, twice as much.
    assert sum(after.values()) - sum(before.values()) > 2 * 300_000
    controllers = links.bytes_by_source("controller")
    assert sum(1 for forwarded in controllers.values() if forwarded > 0) >= 2


def test_the_lost_leader_is_replaced_and_comes_back(
    three: NodeCluster, roles: Roles, topic_name: str
) -> None:
    create_topics(three.client_config, [NewTopic(name=topic_name)])
    victim = roles.leader(topic_name, 0)
    evidence = three.brokers.kill(victim)
    assert evidence["gone"]
    assert not three.brokers.is_up(victim)
    assert three.failure() is None  # it was us
    with pytest.raises(InfrastructureError, match=f"broker {victim} is down already"):
        three.brokers.pause(victim)
    write(three.direct_servers, topic_name)
    assert roles.leader(topic_name, 0) != victim
    assert three.brokers.heal(victim)["started"]
    three.brokers.wait_ready(victim, timeout_s=_WAIT_S)
    assert three.brokers.is_up(victim)
    assert three.brokers.heal(victim) == {
        "resumed": False,
        "pid": three.pids[victim - 1],
        "started": False,
    }


def test_watermarks_are_sampled_while_a_leader_is_down(
    three: NodeCluster, roles: Roles, topic_name: str, tmp_path: Path
) -> None:
    create_topics(three.client_config, [NewTopic(name=topic_name)])
    write(three.direct_servers, topic_name)
    victim = roles.leader(topic_name, 0)
    sampled = threading.Event()
    with (
        Recorder(tmp_path) as recorder,
        ClusterView(three.client_config, timeout_s=SAMPLE_S) as view,
        Background(name="sampler") as background,
    ):
        recorder.subscribe(lambda _event: sampled.set())
        background.start(
            lambda: sample_progress(
                view=view,
                roles=[],
                output_topic=topic_name,
                recorder=recorder,
                stop=background.stop,
            )
        )
        assert sampled.wait(_WAIT_S)
        three.brokers.kill(victim)
        sampled.clear()
        assert sampled.wait(_WAIT_S), "nothing more until it is back"
    three.brokers.heal(victim)
    three.brokers.wait_ready(victim, timeout_s=_WAIT_S)


def test_a_paused_transaction_coordinator_is_replaced_and_goes_on(
    three: NodeCluster, roles: Roles, topic_name: str
) -> None:
    create_topics(three.client_config, [NewTopic(name=topic_name)])
    write(three.direct_servers, topic_name)
    victim = roles.transaction_coordinator(topic_name)
    assert roles.transaction_coordinators()[topic_name] == victim
    pids = three.pids
    with TransactionView(three.client_config, timeout_s=_WAIT_S) as view:
        assert view.ongoing([topic_name]) == []
        assert three.brokers.pause(victim)["stopped"]
        assert not three.brokers.is_up(victim)
        assert view.ongoing([topic_name]) == []  # it answers all the same
    write(three.direct_servers, topic_name)
    assert roles.transaction_coordinator(topic_name) != victim
    assert three.brokers.heal(victim)["resumed"]
    three.brokers.wait_ready(victim, timeout_s=_WAIT_S)
    assert three.pids == pids


def test_the_stopped_controller_hands_over_and_comes_back(three: NodeCluster, roles: Roles) -> None:
    victim = roles.controller()
    assert three.brokers.stop(victim)["exit_code"] == 143  # Java's way to end after SIGTERM
    assert roles.controller() != victim
    three.brokers.start(victim)
    three.brokers.wait_ready(victim, timeout_s=_WAIT_S)


def test_the_coordinator_of_a_group_is_the_one_that_clients_find(
    three: NodeCluster, roles: Roles, topic_name: str, fresh_name: Callable[[str], str]
) -> None:
    create_topics(three.client_config, [NewTopic(name=topic_name)])
    write(three.direct_servers, topic_name, records=1)
    group = fresh_name("group")
    consumer = Consumer(
        {**three.client_config, **_QUIET, "group.id": group, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic_name])
    (record,) = consumer.consume(1, timeout=_WAIT_S)
    consumer.commit(record, asynchronous=False)
    admin = AdminClient({**three.client_config, **_QUIET})
    described = admin.describe_consumer_groups([group])[group].result(_WAIT_S)
    assert roles.group_coordinator(group) == described.coordinator.id
    _ask_while_it_is_killed(three, group, topic_name, victim=described.coordinator.id)
    assert roles.group_coordinator(group) != described.coordinator.id
    consumer.close()


def _ask_while_it_is_killed(three: NodeCluster, group: str, topic: str, *, victim: int) -> None:
    """librdkafka's admin client would abort this process here."""
    with ClusterView(three.client_config) as view, ThreadPoolExecutor(2) as askers:
        killed = threading.Event()

        def ask() -> dict[int, int]:
            while not killed.is_set():
                assert view.group_state(group)
            return view.committed(group, topic)

        answers = [askers.submit(ask) for _ in range(2)]
        three.brokers.kill(victim)
        three.brokers.heal(victim)
        three.brokers.wait_ready(victim, timeout_s=_WAIT_S)
        killed.set()
        assert [answer.result(_WAIT_S) for answer in answers] == [{0: 1}, {0: 1}]


def test_what_is_not_there_is_one_line(three: NodeCluster, roles: Roles) -> None:
    with pytest.raises(InfrastructureError, match="no broker 4: there are 1, 2, 3"):
        three.brokers.kill(4)
    with pytest.raises(UsageError, match="no partition 0 of a topic 'nowhere'"):
        roles.leader("nowhere", 0)
    with pytest.raises(InfrastructureError, match=r"who coordinates group 'no' within 0\.5 s$"):
        Roles(three.client_config, timeout_s=0.5).group_coordinator("no")
