"""Brokers that restart, leaders that move and connections that break under an audit: the report is
the one of an undisturbed audit."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Literal

import msgspec
import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from eoscheck.audit import AuditReport, AuditSpec, Code, run_audit
from eoscheck.cluster import NewTopic, create_topics
from eoscheck.cluster.addresses import ClientListener
from eoscheck.cluster.admin_client import open_admin
from eoscheck.cluster.connection import while_moving
from eoscheck.cluster.embedded import start_embedded
from eoscheck.cluster.node_cluster import NodeCluster
from eoscheck.cluster.spec import ClusterSpec
from eoscheck.process import Supervisor
from tests.integration.audit.cutting import CuttingProxy, cutting_proxy
from tests.integration.audit.writing import Topics

Reader = Literal["auto", "client"]
READERS: tuple[Reader, ...] = ("auto", "client")
_WAIT_S = 60.0
_RECORDS = 100_000
_MISSING = range(50_000, 50_003)
_TWICE = (7, 60_001)
_PADDING = b"." * 850
"""Compresses to nothing on the wire, and fills what a client fetches ahead."""
_GROUP = "pipeline"
_BATCHED = {"linger.ms": 50, "compression.type": "lz4", "log_level": 0}
# A broker that was killed is let in again only when its old session has ended.
_QUICK = {"broker.session.timeout.ms": "1000", "broker.heartbeat.interval.ms": "200"}


@pytest.fixture(scope="module")
def proxy() -> Iterator[CuttingProxy]:
    with cutting_proxy(seed=7, bytes_between=(20_000, 6_000_000), most_cuts=12) as started:
        yield started


@pytest.fixture(scope="module")
def single(supervisor: Supervisor, proxy: CuttingProxy) -> Iterator[NodeCluster]:
    """One broker. Whoever comes by its client port is sent through the proxy."""
    with start_embedded(
        ClusterSpec(settings=_QUICK),
        supervisor=supervisor,
        progress=_silent,
        listener=ClientListener(advertised_port=proxy.port),
    ) as started:
        proxy.target = int(started.bootstrap_servers.rpartition(":")[2])
        _fill(started.client_config, replicas=1)
        yield started


@pytest.fixture(scope="module")
def double(supervisor: Supervisor) -> Iterator[NodeCluster]:
    """Two brokers, each of them leads some partitions of every topic."""
    replicated = {
        "offsets.topic.replication.factor": "2",
        "transaction.state.log.replication.factor": "2",
    }
    with start_embedded(
        ClusterSpec(settings={**_QUICK, **replicated}, brokers=2),
        supervisor=supervisor,
        progress=_silent,
    ) as started:
        _fill(started.client_config, replicas=2)
        yield started


def _silent(_: str) -> None:
    """No progress."""


def _fill(client_config: Mapping[str, str], *, replicas: int) -> None:
    """In the output some records are aborted, two are there twice and three are missing."""
    create_topics(
        client_config,
        [NewTopic(name=name, partitions=4, replication_factor=replicas) for name in ("in", "out")],
    )
    chance = random.Random(1)
    plain = Producer({**client_config, **_BATCHED})
    _send(plain, "in", range(_RECORDS), chance)
    writer = Producer({**client_config, "transactional.id": "writer", **_BATCHED})
    writer.init_transactions(_WAIT_S)
    for first in range(0, _RECORDS, 10_000):
        writer.begin_transaction()
        _send(writer, "out", range(first, first + 500), chance)
        writer.abort_transaction(_WAIT_S)
        writer.begin_transaction()
        numbers = [n for n in range(first, first + 10_000) if n not in _MISSING]
        _send(writer, "out", numbers, chance)
        writer.commit_transaction(_WAIT_S)
    writer.begin_transaction()
    _send(writer, "out", _TWICE, chance)
    writer.commit_transaction(_WAIT_S)
    ends = dict.fromkeys(range(4), _RECORDS // 4)
    topics = Topics(client_config)
    while_moving(lambda: topics.commit_offsets(_GROUP, "in", ends), timeout_s=_WAIT_S)


def _send(producer: Producer, topic: str, numbers: Any, chance: random.Random) -> None:
    for number in numbers:
        while True:
            try:
                value = chance.randbytes(150) + _PADDING
                producer.produce(topic, value, str(number), partition=number % 4)
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(_WAIT_S) == 0


def _audit(
    client_config: Mapping[str, str], reader: Reader, *, disturb: Callable[[], None] | None = None
) -> AuditReport:
    """`disturb` begins when a first part of the output was read, and goes on beside the audit."""
    spec = AuditSpec(output="out", input="in", group=_GROUP, order="none", reader=reader)
    disturbances: list[Future[None]] = []
    with ThreadPoolExecutor(1) as beside:

        def progress(step: str, done: int, total: int) -> None:
            if disturb is not None and not disturbances and "out" in step and 0 < done < total:
                disturbances.append(beside.submit(disturb))

        report = run_audit(spec, client_config=client_config, progress=progress)
    if disturb is not None:
        (disturbance,) = disturbances  # none: the output was read in one go
        disturbance.result()
    return msgspec.structs.replace(report, duration_s=0.0)


def _check(report: AuditReport, undisturbed: AuditReport) -> None:
    assert undisturbed.anomalies[Code.LOST] == len(_MISSING)
    assert undisturbed.anomalies[Code.DUPLICATE] == len(_TWICE)
    assert report.counts == undisturbed.counts
    assert report.anomalies == undisturbed.anomalies
    assert report == undisturbed, "each finding with its evidence"


@pytest.mark.parametrize("reader", READERS)
def test_a_broker_that_is_killed_and_comes_back_changes_nothing(
    single: NodeCluster, reader: Reader
) -> None:
    undisturbed = _audit(single.client_config, reader)
    _check(_audit(single.client_config, reader, disturb=single.restart), undisturbed)


@pytest.mark.parametrize("reader", READERS)
def test_connections_that_break_change_nothing(
    single: NodeCluster, proxy: CuttingProxy, reader: Reader
) -> None:
    undisturbed = _audit(single.client_config, reader)
    proxy.cuts, proxy.armed = 0, True
    through = {"bootstrap.servers": f"127.0.0.1:{proxy.port}"}
    report = _audit(through, reader)
    proxy.armed = False
    assert proxy.cuts >= 5, "some of them in the middle of an answer"
    _check(report, undisturbed)


@pytest.mark.parametrize("reader", READERS)
def test_leaders_that_move_change_nothing(double: NodeCluster, reader: Reader) -> None:
    undisturbed = _audit(double.client_config, reader)

    def move_away_and_back() -> None:
        double.brokers.stop(2)
        _wait_for_leaders(double, {1})
        double.brokers.start(2)
        double.brokers.wait_ready(2, timeout_s=_WAIT_S)
        _wait_in_sync(double)
        _elect(double.client_config)

    _check(_audit(double.client_config, reader, disturb=move_away_and_back), undisturbed)
    _wait_for_leaders(double, {1, 2})


def _wait_for_leaders(cluster: NodeCluster, expected: set[int]) -> None:
    """Brokers take up what the controller decided one after another."""
    Retrying(
        retry=retry_if_result(lambda leaders: leaders != expected),
        stop=stop_after_delay(_WAIT_S),
        wait=wait_fixed(0.1),
    )(lambda: _leaders(cluster))


def _elect(client_config: Mapping[str, str]) -> None:
    """Each partition's preferred leader; by kafka-python, for confluent-kafka 2.16 cannot."""
    admin = open_admin(client_config, timeout_s=_WAIT_S)
    admin.elect_leaders(0, {name: list(range(4)) for name in ("in", "out")})
    admin.close()


def _metadata(cluster: NodeCluster) -> list[Any]:
    admin = AdminClient({**cluster.client_config, "log_level": 0})
    topics = admin.list_topics(timeout=_WAIT_S).topics
    return [each for name in ("in", "out") for each in topics[name].partitions.values()]


def _leaders(cluster: NodeCluster) -> set[int]:
    return {partition.leader for partition in _metadata(cluster)}


def _wait_in_sync(cluster: NodeCluster) -> None:
    def some_behind() -> bool:
        return any(len(partition.isrs) < 2 for partition in _metadata(cluster))

    Retrying(retry=retry_if_result(bool), stop=stop_after_delay(_WAIT_S), wait=wait_fixed(0.1))(
        some_behind
    )
