"""Network faults on three real brokers: one instance cut off while another is well, each direction,
and brokers apart from each other. Nothing that was committed is lost or doubled."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin import NewTopic as Placed
from kafka.errors import KafkaError

from eoscheck.cluster import NewTopic, create_topics
from eoscheck.cluster.addresses import Proxies
from eoscheck.cluster.admin_client import open_admin
from eoscheck.cluster.embedded import start_embedded
from eoscheck.cluster.node_cluster import NodeCluster
from eoscheck.cluster.quorum import Claim, claims
from eoscheck.cluster.roles import Roles
from eoscheck.cluster.spec import ClusterSpec
from eoscheck.errors import InfrastructureError
from eoscheck.faults.action import Action
from eoscheck.faults.kinds import action_for
from eoscheck.faults.partition import BrokerPartition
from eoscheck.faults.spec import PlannedFault
from eoscheck.network import Network, Toxic, start_network
from eoscheck.network.api import Stream
from eoscheck.network.proof import why_missed
from eoscheck.network.selection import Apart, client_links, links_between
from eoscheck.process import Supervisor

_WAIT_S = 60.0
_HOLE = Toxic(kind="timeout", attributes={"timeout": 0})
_BOTH: tuple[Stream, ...] = ("upstream", "downstream")


@pytest.fixture(scope="module")
def network(supervisor: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    folder = tmp_path_factory.mktemp("network")
    with start_network(supervisor=supervisor, folder=folder, progress=lambda _: None) as started:
        yield started


@pytest.fixture(scope="module")
def three(supervisor: Supervisor, network: Network) -> Iterator[NodeCluster]:
    with start_embedded(
        ClusterSpec(brokers=3),
        supervisor=supervisor,
        progress=lambda _: None,
        proxies=Proxies(connect=network.connect, slots=2, broker_links=True),
    ) as started:
        yield started


@pytest.fixture(scope="module")
def roles(three: NodeCluster) -> Roles:
    return Roles(three.client_config)


@pytest.fixture
def topic(three: NodeCluster, topic_name: str, network: Network) -> Iterator[str]:
    create_topics(three.client_config, [NewTopic(name=topic_name)])
    yield topic_name
    network.heal_all()  # what a failed test left


class Writer:
    """A transactional producer of one instance of the subject; `request_s` bounds what it waits
    for an answer."""

    def __init__(self, cluster: NodeCluster, topic: str, *, instance: int) -> None:
        self.topic = topic
        self._producer = Producer(
            {
                "bootstrap.servers": cluster.bootstrap_for(instance),
                "transactional.id": f"{topic}-{instance}",
                "socket.timeout.ms": 2000,
                "log_level": 0,
            }
        )
        self._producer.init_transactions(_WAIT_S)

    def write(self, value: str) -> None:
        """One committed transaction."""
        self.begin(value)
        self.commit(timeout_s=_WAIT_S)

    def begin(self, value: str) -> None:
        """A transaction whose record has been acknowledged."""
        self._producer.begin_transaction()
        self._producer.produce(self.topic, value.encode(), partition=0)
        assert self._producer.flush(_WAIT_S) == 0

    def commit(self, *, timeout_s: float) -> None:
        self._producer.commit_transaction(timeout_s)


def committed(cluster: NodeCluster, topic: str, *, records: int) -> list[str]:
    """What a read_committed reader is given until `records` came, and a moment longer."""
    consumer = Consumer(
        {
            **cluster.client_config,
            "group.id": "reader",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "log_level": 0,
        }
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[str] = []
    give_up_at = time.monotonic() + _WAIT_S
    while True:
        message = consumer.poll(1.0)
        if message is not None and message.error() is None:
            found.append(message.value().decode())
        elif message is not None and len(found) >= records:  # the end of the partition
            consumer.close()
            return found
        assert time.monotonic() < give_up_at, f"only {found} within {_WAIT_S} s"


def others_of(cluster: NodeCluster, broker: int) -> str:
    """The servers of all brokers but that one."""
    servers = enumerate(cluster.direct_servers.split(","), start=1)
    return ",".join(server for number, server in servers if number != broker)


def eventually(what: str, holds: Callable[[], Any]) -> None:
    give_up_at = time.monotonic() + _WAIT_S
    while not holds():
        assert time.monotonic() < give_up_at, f"not within {_WAIT_S} s: {what}"
        time.sleep(0.1)


def is_clean(network: Network) -> bool:
    return all(each.enabled and not each.toxics for each in network._server.api.proxies().values())


@pytest.mark.parametrize(
    "streams", [("upstream",), ("downstream",), _BOTH], ids=["to-broker", "from-broker", "both"]
)
def test_one_instance_is_cut_off_while_the_other_is_well(
    three: NodeCluster, network: Network, topic: str, streams: tuple[Stream, ...]
) -> None:
    victim, other = Writer(three, topic, instance=0), Writer(three, topic, instance=1)
    victim.write("before")
    fault = network.poison(
        client_links(network.links, instances=[0], broker=None), _HOLE, streams=streams
    )
    victim.begin("during")
    fault.begin()
    with pytest.raises(KafkaException) as caught:
        victim.commit(timeout_s=2.0)
    assert caught.value.args[0].retriable()
    other.write("other")
    traffic = fault.end()
    assert traffic is not None
    assert why_missed(traffic, bite="swallows", direction="both") is None
    assert is_clean(network)
    victim.commit(timeout_s=_WAIT_S)
    victim.write("after")
    assert sorted(committed(three, topic, records=4)) == ["after", "before", "during", "other"]


def test_an_instance_whose_way_is_down_goes_on_after_the_heal(
    three: NodeCluster, network: Network, topic: str
) -> None:
    victim, other = Writer(three, topic, instance=0), Writer(three, topic, instance=1)
    victim.write("before")
    fault = network.cut(client_links(network.links, instances=[0], broker=None))
    victim.begin("during")
    fault.begin()
    with pytest.raises(KafkaException):
        victim.commit(timeout_s=1.0)
    other.write("other")
    traffic = fault.end()
    assert traffic is not None
    assert traffic.ended >= traffic.connections >= 1  # a try to connect may have come between
    victim.commit(timeout_s=_WAIT_S)
    assert sorted(committed(three, topic, records=3)) == ["before", "during", "other"]


def test_the_leader_apart_from_its_peers_is_replaced_and_comes_back(
    three: NodeCluster, network: Network, roles: Roles, topic: str
) -> None:
    writer = Writer(three, topic, instance=1)
    writer.write("before")
    leader = roles.leader(topic, 0)
    links = links_between(network.links, broker=leader, apart="peers")
    assert len(links) == 8
    fault = network.poison(links, _HOLE, streams=_BOTH)
    writer.begin("during")
    fault.begin()
    majority = Roles({"bootstrap.servers": others_of(three, leader)})
    eventually("another leads", lambda: majority.leader(topic, 0) != leader)
    traffic = fault.end()
    assert traffic is not None
    assert why_missed(traffic, bite="swallows", direction="to-broker") is None
    assert is_clean(network)
    eventually("all are in sync again", lambda: not roles.behind())
    # Its client still reached the old leader, which may have taken what nobody else has.
    writer.commit(timeout_s=_WAIT_S)
    writer.write("after")
    assert committed(three, topic, records=3) == ["before", "during", "after"]


def test_a_leader_apart_from_the_controllers_is_replaced_and_comes_back(
    three: NodeCluster, network: Network, roles: Roles, topic: str
) -> None:
    """Its peers and its clients still reach it: only the controller has lost it."""
    writer = Writer(three, topic, instance=1)
    writer.write("before")
    leader = roles.leader(topic, 0)
    links = links_between(network.links, broker=leader, apart="controllers")
    assert len(links) == 4
    fault = network.poison(links, _HOLE, streams=_BOTH)
    writer.begin("during")
    fault.begin()
    majority = Roles({"bootstrap.servers": others_of(three, leader)})
    eventually("another leads", lambda: majority.leader(topic, 0) != leader)
    traffic = fault.end()
    assert traffic is not None
    assert why_missed(traffic, bite="swallows", direction="to-broker") is None
    assert is_clean(network)
    eventually("all are in sync again", lambda: not roles.behind())
    writer.commit(timeout_s=_WAIT_S)
    writer.write("after")
    assert committed(three, topic, records=3) == ["before", "during", "after"]


def told(cluster: NodeCluster, broker: int) -> dict[int, Claim]:
    """Which controller each broker knows; `broker` tells who they are. Empty while it cannot."""
    servers = cluster.direct_servers.split(",")
    try:
        admin = open_admin({"bootstrap.servers": servers[broker - 1]}, timeout_s=1.0)
    except InfrastructureError:
        return {}
    try:
        return claims(admin)
    except KafkaError:
        return {}
    finally:
        admin.close()


def place(cluster: NodeCluster, topic: str, *, replicas: list[int]) -> None:
    """One partition; the first of its replicas leads."""
    admin = AdminClient({**cluster.client_config, "log_level": 0})
    made = admin.create_topics([Placed(topic, num_partitions=1, replica_assignment=[replicas])])
    made[topic].result(_WAIT_S)


def acknowledged(cluster: NodeCluster, topic: str, value: str) -> bool:
    """Whether all that are in sync, two at least, have it."""
    producer = Producer(
        {
            **cluster.client_config,
            "acks": "all",
            "delivery.timeout.ms": 15_000,
            "socket.timeout.ms": 2000,
            "log_level": 0,
        }
    )
    errors: list[Any] = []
    producer.produce(topic, value.encode(), on_delivery=lambda error, _: errors.append(error))
    producer.flush(_WAIT_S)
    return errors == [None]


@pytest.mark.parametrize("apart", ["peers", "controllers"])
def test_the_controller_cut_off_is_replaced_and_the_others_go_on(
    three: NodeCluster, network: Network, roles: Roles, topic_name: str, apart: Apart
) -> None:
    old = roles.controller()
    first, second = (broker for broker in three.brokers.ids if broker != old)
    before = told(three, first)
    assert {claim.leader for claim in before.values()} == {old}
    place(three, topic_name, replicas=[first, old, second])
    fault = cut_controller(three, network, roles, apart=apart)
    try:
        assert fault.strike()["broker"] == old
        eventually("another controls", lambda: roles.controller() != old)
        new = roles.controller()
        during = told(three, first)
        assert during[first] == during[second]
        assert during[first].leader == new
        assert during[first].epoch > before[first].epoch
        assert roles.leader(topic_name, 0) == first
        assert acknowledged(three, topic_name, "during")
        assert committed(three, topic_name, records=1) == ["during"]
        assert roles.controller() == new
    finally:
        evidence = fault.heal()
    assert evidence["to_broker"] > 0
    assert is_clean(network)
    eventually("all agree on one", lambda: agreed(three, first, later_than=before[first]))
    eventually("all are in sync again", lambda: not roles.behind())
    assert acknowledged(three, topic_name, "after")
    assert committed(three, topic_name, records=2) == ["during", "after"]


def cut_controller(cluster: NodeCluster, network: Network, roles: Roles, *, apart: Apart) -> Action:
    table = BrokerPartition(broker="controller", apart=apart)
    scene: Any = SimpleNamespace(network=network, brokers=cluster.brokers, roles=roles)
    planned = PlannedFault(fault_id="cut", table=table, at_s=0.0, lanes=frozenset({"brokers"}))
    return action_for(planned, scene)


def agreed(cluster: NodeCluster, broker: int, *, later_than: Claim) -> bool:
    """Whether all three brokers know one controller, of a later epoch."""
    found = told(cluster, broker)
    (epoch, *others) = {claim.epoch for claim in found.values()} or {0}
    return len(found) == 3 and not others and epoch > later_than.epoch
