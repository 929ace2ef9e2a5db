"""What a broker is started with, and what is refused before it is."""

from __future__ import annotations

import base64
import re
import socket
from pathlib import Path

import javaproperties
import pytest

from eoscheck.artifacts import read_lock
from eoscheck.cluster import NewTopic, open_cluster
from eoscheck.cluster.distribution import LOCK_FILE
from eoscheck.cluster.node import Address, failure_reason, free_address, node_properties
from eoscheck.cluster.settings import refuse_reserved_settings
from eoscheck.cluster.storage import make_data_folder, new_cluster_id
from eoscheck.errors import UsageError
from eoscheck.process import Supervisor

_ADDRESS = Address(node_id=1, client=9092, direct=9093, controller=9094)


def properties(**settings: str) -> dict[str, str]:
    chosen = {name.replace("_", "."): value for name, value in settings.items()}
    return node_properties(_ADDRESS, voters=[_ADDRESS], data=Path("/data"), settings=chosen)


def test_all_listeners_are_on_loopback() -> None:
    made = properties()
    hosts = re.findall(r"://([^:]+):", made["listeners"] + made["advertised.listeners"])
    assert set(hosts) == {"127.0.0.1"}
    assert made["controller.quorum.voters"] == "1@127.0.0.1:9094"


def test_chosen_settings_come_before_the_defaults() -> None:
    assert properties()["num.io.threads"] == "4"
    assert properties(num_io_threads="7")["num.io.threads"] == "7"


def test_a_broker_that_has_no_vote_is_no_controller() -> None:
    other = Address(node_id=2, client=9096, direct=9097, controller=9098)
    made = node_properties(other, voters=[_ADDRESS], data=Path("/data"), settings={})
    assert made["process.roles"] == "broker"
    assert made["controller.quorum.voters"] == "1@127.0.0.1:9094"
    assert "CONTROLLER" not in made["listeners"]


def test_a_listener_may_want_a_login_and_be_found_at_a_proxy() -> None:
    made = node_properties(
        _ADDRESS,
        voters=[_ADDRESS],
        data=Path("/data"),
        settings={"listener.name.client.ssl.client.auth": "required"},
        client_protocol="SSL",
        advertised_port=5000,
    )
    assert "CLIENT:SSL,DIRECT:PLAINTEXT" in made["listener.security.protocol.map"]
    assert "CLIENT://127.0.0.1:9092" in made["listeners"]
    assert "CLIENT://127.0.0.1:5000" in made["advertised.listeners"]
    assert made["listener.name.client.ssl.client.auth"] == "required"


def test_topics_are_never_created_by_asking() -> None:
    assert properties()["auto.create.topics.enable"] == "false"


@pytest.mark.parametrize("name", ["listeners", "log.dirs", "node.id"])
def test_what_the_cluster_sets_itself_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=re.escape(repr(name))):
        refuse_reserved_settings({"num.io.threads": "3", name: "x"})


def test_ports_are_free_and_differ() -> None:
    address = free_address(node_id=1)
    assert len({address.client, address.direct, address.controller}) == 3


def test_a_chosen_port_that_is_taken_is_one_line() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {taken} on 127.0.0.1 cannot be used.*--port"):
            free_address(node_id=1, client_port=taken)
    assert free_address(node_id=1, client_port=taken).client == taken


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
        "\tat java.base/sun.nio.ch.Net.bind0(Native Method)\n"
    )
    assert failure_reason(log) == "Exiting Kafka; java.net.BindException: Address already in use"
    log.write_text("one\ntwo\nthree\nfour\n")
    assert failure_reason(log) == "two; three; four"


def test_the_lock_names_each_jar_once_with_its_hash() -> None:
    lock = read_lock(LOCK_FILE)
    paths = [file.path for file in lock.files]
    assert lock.roots == ["org.apache.kafka:kafka_2.13:4.3.1", "org.slf4j:slf4j-simple:1.7.36"]
    assert len(set(paths)) == len(paths)
    assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) and file.size for file in lock.files)


def test_a_topic_without_partitions_is_refused() -> None:
    with pytest.raises(UsageError, match="'t' needs at least 1 partition: 0"):
        NewTopic(name="t", partitions=0)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"provider": "dokcer"}, "no such provider 'dokcer'"),
        ({"provider": "embeded"}, "did you mean 'embedded'"),
        ({"provider": "docker"}, "'docker' is not there yet: use 'embedded' or 'external'"),
        ({"provider": "external"}, "needs a bootstrap server"),
        ({"bootstrap_server": "x:1"}, "use the provider 'external'"),
        (
            {"provider": "external", "bootstrap_server": "x:1", "settings": {"a": "b"}},
            "settings are for embedded",
        ),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(
    arguments: dict[str, str], complaint: str
) -> None:
    with Supervisor() as supervisor, pytest.raises(UsageError, match=complaint):
        open_cluster(supervisor=supervisor, **arguments)  # type: ignore[arg-type]
