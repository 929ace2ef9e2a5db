"""What a broker is started with, and what is refused before it is."""

from __future__ import annotations

import base64
import dataclasses
import re
import socket
from pathlib import Path
from typing import Any

import javaproperties
import pytest

from eoscheck.artifacts import read_lock
from eoscheck.cluster import NewTopic, open_cluster
from eoscheck.cluster.addresses import (
    Address,
    ClientListener,
    Proxies,
    Slot,
    free_addresses,
    host_names,
    links,
)
from eoscheck.cluster.distribution import KAFKA_VERSION, kafka_versions, lock_file
from eoscheck.cluster.node import failure_reason
from eoscheck.cluster.node_properties import node_properties, voters
from eoscheck.cluster.settings import default_settings, refuse_reserved_settings
from eoscheck.cluster.spec import ClusterSpec
from eoscheck.cluster.storage import make_data_folder, new_cluster_id
from eoscheck.errors import UsageError
from eoscheck.process import Supervisor

_ADDRESS = Address(node_id=1, client=9092, direct=9093, controller=9094)


def properties(address: Address = _ADDRESS, *others: Address, **options: Any) -> dict[str, str]:
    return node_properties(
        address,
        addresses=[address, *others],
        data=Path("/data"),
        settings=options.pop("settings", {}),
        **options,
    )


def test_all_listeners_are_on_loopback() -> None:
    made = properties()
    hosts = re.findall(r"://([^:]+):", made["listeners"] + made["advertised.listeners"])
    assert set(hosts) == {"127.0.0.1"}
    assert made["controller.quorum.voters"] == "1@127.0.0.1:9094"


def test_what_a_node_has_to_be_told_comes_before_any_setting() -> None:
    made = properties(settings={"node.id": "7", "num.io.threads": "7"})
    assert (made["node.id"], made["num.io.threads"]) == ("1", "7")


@pytest.mark.parametrize(("nodes", "controllers"), [(1, 1), (2, 1), (3, 3), (4, 3), (5, 5)])
def test_controllers_are_an_odd_number(nodes: int, controllers: int) -> None:
    addresses = free_addresses(nodes)
    assert list(voters(addresses)) == addresses[:controllers]


def test_a_broker_that_has_no_vote_is_no_controller() -> None:
    first, second = free_addresses(2)
    made = node_properties(second, addresses=[first, second], data=Path("/data"), settings={})
    assert made["process.roles"] == "broker"
    assert made["controller.quorum.voters"] == f"1@127.0.0.1:{first.controller}"
    assert "CONTROLLER" not in made["listeners"]


def test_a_listener_may_want_a_login_and_be_found_at_a_proxy() -> None:
    made = properties(
        settings={"listener.name.client.ssl.client.auth": "required"},
        listener=ClientListener(protocol="SSL", advertised_port=5000),
    )
    assert "CLIENT:SSL,DIRECT:PLAINTEXT" in made["listener.security.protocol.map"]
    assert "CLIENT://127.0.0.1:9092" in made["listeners"]
    assert "CLIENT://127.0.0.1:5000" in made["advertised.listeners"]
    assert made["listener.name.client.ssl.client.auth"] == "required"


def test_each_slot_is_a_listener_that_is_found_at_its_proxy() -> None:
    address = dataclasses.replace(
        _ADDRESS, slots=(Slot(port=1, advertised=2), Slot(port=3, advertised=4))
    )
    made = properties(address)
    assert made["listeners"].endswith(
        "SLOT0://127.0.0.1:1,SLOT1://127.0.0.1:3,CONTROLLER://127.0.0.1:9094"
    )
    assert "SLOT0://127.0.0.1:2,SLOT1://127.0.0.1:4" in made["advertised.listeners"]
    assert [
        (link.role, link.source, link.listen[1], link.upstream[1]) for link in links([address])
    ] == [
        ("client", 0, 2, 1),
        ("client", 1, 4, 3),
    ]


def test_every_pair_of_brokers_has_links_that_lead_where_the_other_listens() -> None:
    addresses = free_addresses(3, broker_links=True)
    made = links(addresses)
    pairs = [(source, broker) for source in (1, 2, 3) for broker in (1, 2, 3) if source != broker]
    for role in ("replication", "controller"):
        of_role = [link for link in made if link.role == role]
        assert sorted((link.source, link.broker) for link in of_role) == pairs
        for link in of_role:
            told = properties(addresses[link.broker - 1], *addresses)
            assert f"{link.upstream[0]}:{link.upstream[1]}" in told["listeners"]
            names = host_names(addresses[link.source - 1], addresses)
            assert names[f"broker-{link.broker}"] == link.listen[0]
    assert len({link.listen for link in made}) == len(made) == 12


def test_brokers_with_links_are_told_to_reach_each_other_by_name() -> None:
    addresses = free_addresses(3, broker_links=True)
    made = node_properties(addresses[1], addresses=addresses, data=Path("/data"), settings={})
    assert made["inter.broker.listener.name"] == "REPLICATION"
    assert f"REPLICATION://broker-2:{addresses[1].replication}" in made["advertised.listeners"]
    assert f"CONTROLLER://broker-2:{addresses[1].controller}" in made["advertised.listeners"]
    assert made["controller.quorum.voters"].startswith(f"1@broker-1:{addresses[0].controller},")
    assert host_names(addresses[1], addresses)["broker-2"] == "127.0.0.1"


def test_topics_are_never_created_by_asking() -> None:
    assert default_settings(brokers=3, profile="fast")["auto.create.topics.enable"] == "false"


@pytest.mark.parametrize(
    ("brokers", "replicas", "in_sync"), [(1, "1", "1"), (2, "1", "1"), (3, "3", "2")]
)
def test_three_brokers_bear_the_loss_of_one(brokers: int, replicas: str, in_sync: str) -> None:
    made = default_settings(brokers=brokers, profile="fast")
    for log in ("offsets.topic", "transaction.state.log", "default"):
        assert made[f"{log}.replication.factor"] == replicas
    assert made["min.insync.replicas"] == made["transaction.state.log.min.isr"] == in_sync


def test_the_default_profile_leaves_fail_over_to_kafka() -> None:
    fast, default = (default_settings(brokers=3, profile=name) for name in ("fast", "default"))
    assert "broker.session.timeout.ms" in fast.keys() - default.keys()
    assert fast.items() >= default.items()


@pytest.mark.parametrize("name", ["listeners", "log.dirs", "node.id"])
def test_what_the_cluster_sets_itself_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=re.escape(repr(name))):
        refuse_reserved_settings({"num.io.threads": "3", name: "x"})


def test_ports_are_free_and_differ() -> None:
    addresses = free_addresses(3, slots=2, broker_links=True)
    ports = [port for each in addresses for port in (each.client, each.direct, each.controller)]
    ports += [each.replication for each in addresses if each.replication is not None]
    ports += [
        port for each in addresses for slot in each.slots for port in (slot.port, slot.advertised)
    ]
    assert len(set(ports)) == len(ports) == 3 * 8


def test_a_chosen_port_that_is_taken_is_one_line() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {taken} on 127.0.0.1 cannot be used.*--port"):
            free_addresses(3, client_port=taken)
    first, *others = free_addresses(3, client_port=taken)
    assert first.client == taken
    assert taken not in {each.client for each in others}


def test_ids_are_as_kafka_makes_them() -> None:
    ids = {new_cluster_id() for _ in range(500)}
    assert len(ids) == 500
    assert all(len(base64.urlsafe_b64decode(text + "==")) == 16 for text in ids)
    assert not any(text.startswith("-") for text in ids)


def test_each_data_folder_has_ids_of_its_own(tmp_path: Path) -> None:
    template = tmp_path / "template"
    template.mkdir()
    (template / "bootstrap.checkpoint").write_bytes(b"\x00\x01")
    (template / "meta.properties").write_text(
        "#\nversion=1\nnode.id=1\ncluster.id=old\ndirectory.id=old\n"
    )
    for node_id in (1, 2):
        make_data_folder(template, tmp_path / f"{node_id}", cluster_id="new", node_id=node_id)
    one, two = (
        javaproperties.loads((tmp_path / f"{node_id}" / "meta.properties").read_text())
        for node_id in (1, 2)
    )
    assert (one["cluster.id"], one["node.id"], one["version"]) == ("new", "1", "1")
    assert two["node.id"] == "2"
    assert len({one["directory.id"], two["directory.id"], "old"}) == 3
    assert (tmp_path / "2" / "bootstrap.checkpoint").read_bytes() == b"\x00\x01"


def test_the_reason_is_found_in_the_log(tmp_path: Path) -> None:
    log = tmp_path / "broker.log"
    assert failure_reason(log) == "it printed nothing"
    log.write_text(
        "2026-01-02T03:04:05.678Z [main] WARN kafka.Other - nothing to see\n"
        "2026-01-02T03:04:05.679Z [main] ERROR kafka.Kafka$ - Exiting Kafka\n"
        "java.net.BindException: Address already in use\n"
        "\tat java.base/sun.nio.ch.Net.bindOrException(Native Method)\n"
    )
    assert failure_reason(log) == "Exiting Kafka; java.net.BindException: Address already in use"
    log.write_text('Exception in thread "main" java.lang.Error: no such feature\n')
    assert failure_reason(log) == "java.lang.Error: no such feature"
    log.write_text("one\ntwo\nthree\nfour\n")
    assert failure_reason(log) == "two; three; four"


def test_the_newest_version_is_the_one_that_is_taken() -> None:
    assert kafka_versions()[0] == KAFKA_VERSION
    assert kafka_versions()[1].startswith("3.9.")


def test_a_version_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no Kafka '4\.3' here: use 4\.3\.1 or 3\.9\."):
        lock_file("4.3")


@pytest.mark.parametrize("version", kafka_versions())
def test_the_lock_names_each_jar_once_with_its_hash(version: str) -> None:
    lock = read_lock(lock_file(version))
    paths = [file.path for file in lock.files]
    assert lock.roots == [f"org.apache.kafka:kafka_2.13:{version}", "org.slf4j:slf4j-simple:1.7.36"]
    assert len(set(paths)) == len(paths)
    assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) and file.size for file in lock.files)


def test_a_topic_without_partitions_is_refused() -> None:
    with pytest.raises(UsageError, match="'t' needs at least 1 partition: 0"):
        NewTopic(name="t", partitions=0)


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"provider": "dokcer"}, "no such provider 'dokcer'"),
        ({"provider": "embeded"}, "did you mean 'embedded'"),
        ({"provider": "docker", "bootstrap_server": "x:1"}, "'docker' has no bootstrap_server"),
        ({"provider": "docker", "data_size_mb": 64}, "'docker' has no data_size_mb"),
        ({"image": "x"}, "'embedded' uses no image"),
        ({"provider": "external"}, "needs a bootstrap server"),
        ({"bootstrap_server": "x:1"}, "use the provider 'external'"),
        (
            {"provider": "external", "bootstrap_server": "x:1", "settings": {"a": "b"}},
            "settings is for clusters of our own",
        ),
        (
            {"provider": "external", "bootstrap_server": "x:1", "brokers": 3},
            "brokers is for clusters of our own",
        ),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(
    arguments: dict[str, Any], complaint: str
) -> None:
    with Supervisor() as supervisor, pytest.raises(UsageError, match=complaint):
        open_cluster(ClusterSpec(**arguments), supervisor=supervisor)


@pytest.mark.parametrize(
    ("spec", "proxies", "complaint"),
    [
        (ClusterSpec(provider="docker"), {"broker_links": True}, "'docker' has no broker_links"),
        (
            ClusterSpec(provider="external", bootstrap_server="x:1"),
            {"slots": 1},
            "slots is for clusters of our own",
        ),
    ],
)
def test_proxies_that_a_cluster_has_no_place_for_are_refused(
    spec: ClusterSpec, proxies: dict[str, Any], complaint: str
) -> None:
    asked = Proxies(connect=lambda _: None, **proxies)
    with Supervisor() as supervisor, pytest.raises(UsageError, match=complaint):
        open_cluster(spec, supervisor=supervisor, proxies=asked)
