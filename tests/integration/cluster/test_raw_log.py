"""Raw batches through everything that happens to a cluster while it is read."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclOperation,
    AdminClient,
    ResourceType,
)
from kafka.structs import TopicPartition as Place

from eoscheck.cluster import Cluster, NewTopic, create_topics, delete_topics
from eoscheck.cluster.admin_client import open_admin
from eoscheck.cluster.embedded import start_embedded
from eoscheck.cluster.external import ExternalCluster
from eoscheck.cluster.node_cluster import NodeCluster
from eoscheck.cluster.raw_fetch import RawFetch
from eoscheck.cluster.raw_log import FetchedPart, RawLog, Reading
from eoscheck.cluster.spec import ClusterSpec
from eoscheck.errors import InfrastructureError
from eoscheck.logformat import read_batches, read_records
from eoscheck.process import Supervisor
from tests.integration.cluster.secured import (
    PASSWORD,
    Secured,
    jaas,
    mutual_tls_broker,
    sasl_ssl_broker,
    token_endpoint,
)

_WAIT_S = 60.0
_RECORDS = 6_000
_SMALL = 10_000
"""Bytes asked for at once: many answers for few records."""


@pytest.fixture(scope="module")
def two_brokers(supervisor: Supervisor) -> Iterator[NodeCluster]:
    with start_embedded(
        ClusterSpec(brokers=2), supervisor=supervisor, progress=lambda _: None
    ) as started:
        yield started


def fill(
    client_config: dict[str, str], topic: str, *, partitions: int = 2, replicas: int = 1
) -> dict[int, tuple[int, int]]:
    """Record n has the key n and stands in partition n % partitions. What there is to read."""
    create_topics(
        client_config,
        [NewTopic(name=topic, partitions=partitions, replication_factor=replicas)],
    )
    producer = Producer({**client_config, "batch.size": 2_000, "linger.ms": 5, "log_level": 0})
    for number in range(_RECORDS):
        producer.produce(topic, b"v" * 50, str(number), partition=number % partitions)
    assert producer.flush(_WAIT_S) == 0
    return dict.fromkeys(range(partitions), (0, _RECORDS // partitions))


def keys(parts: list[FetchedPart]) -> list[int]:
    """Of all records from the offset that was asked for; each partition's in its order."""
    found: list[int] = []
    for part in parts:
        batches = read_batches(part.records)
        for row in range(len(batches)):
            records = read_records(part.records, batches, row) or []
            found += [int(r.key or b"") for r in records if r.offset >= part.fetch_offset]
    return found


def read_while(
    log: RawLog, topic: str, spans: dict[int, tuple[int, int]], do: Callable[[Reading], None]
) -> list[FetchedPart]:
    """All parts; `do` is called after the second."""
    parts: list[FetchedPart] = []
    with log.read(topic, spans, committed=True, answer_bytes=_SMALL) as reading:
        for part in reading:
            parts.append(part)
            if len(parts) == 2:
                do(reading)
    return parts


def everything(parts: list[FetchedPart]) -> bool:
    found = keys(parts)
    return len(found) == _RECORDS and sorted(found) == list(range(_RECORDS))


def break_connections(reading: Reading) -> None:
    for asked in list(reading._fetcher._asked.values()):
        asked.connection._sock.shutdown(socket.SHUT_RDWR)


def test_every_record_is_read_once_in_the_order_of_its_partition(
    cluster: Cluster, topic_name: str
) -> None:
    spans = fill(cluster.client_config, topic_name, partitions=3)
    with RawLog(cluster.client_config) as log:
        parts = read_while(log, topic_name, spans, lambda _: None)
    assert everything(parts)
    assert len(parts) > 20
    for number in spans:
        mine = [part for part in parts if part.partition == number]
        assert [p.fetch_offset for p in mine[1:]] == [p.next_offset for p in mine[:-1]]
        assert {part.high_watermark for part in mine} == {_RECORDS // 3}


def test_one_request_gives_the_batch_of_an_offset(cluster: Cluster, topic_name: str) -> None:
    fill(cluster.client_config, topic_name)
    with RawFetch(cluster.client_config) as log:
        part = log.fetch(topic_name, 1, 500, committed=False, max_bytes=1_000)
        batches = read_batches(part.records)
        assert batches.base_offset[0] <= 500 <= batches.last_offset[0]
        end = log.fetch(topic_name, 1, _RECORDS // 2, committed=False)
        assert (len(end.records), end.next_offset) == (0, end.fetch_offset)


def test_broken_connections_are_made_anew(cluster: Cluster, topic_name: str) -> None:
    spans = fill(cluster.client_config, topic_name)
    with RawLog(cluster.client_config) as log:
        assert everything(read_while(log, topic_name, spans, break_connections))


def test_a_dropped_partition_comes_no_more(cluster: Cluster, topic_name: str) -> None:
    spans = fill(cluster.client_config, topic_name)
    with RawLog(cluster.client_config) as log:
        parts = read_while(log, topic_name, spans, lambda reading: reading.drop(0))
    found = keys(parts)
    assert {number for number in found if number % 2} == set(range(1, _RECORDS, 2))
    assert len(found) < _RECORDS * 0.7


def test_a_reading_can_be_left_at_any_time(cluster: Cluster, topic_name: str) -> None:
    spans = fill(cluster.client_config, topic_name)
    with RawLog(cluster.client_config) as log:
        with log.read(topic_name, spans, committed=True, answer_bytes=_SMALL) as reading:
            next(reading)
        assert not reading._thread.is_alive()
        assert list(reading) == []


def test_deleted_records_are_told_with_the_new_start(cluster: Cluster, topic_name: str) -> None:
    spans = fill(cluster.client_config, topic_name)
    admin = AdminClient({**cluster.client_config, "log_level": 0})

    def delete(_: Reading) -> None:
        for done in admin.delete_records([TopicPartition(topic_name, 0, 2_500)]).values():
            done.result()

    with RawLog(cluster.client_config) as log:
        parts = read_while(log, topic_name, spans, delete)
    (moved,) = [part for part in parts if part.out_of_range]
    assert (moved.partition, moved.next_offset, moved.log_start_offset) == (0, 2_500, 2_500)
    assert max(keys(parts)) == _RECORDS - 1


def test_a_topic_that_is_deleted_while_it_is_read_ends_it_in_one_line(
    cluster: Cluster, topic_name: str
) -> None:
    spans = fill(cluster.client_config, topic_name)
    with RawLog(cluster.client_config, timeout_s=2.0) as log:
        with pytest.raises(InfrastructureError, match=r"was deleted while it was read$"):
            read_while(
                log,
                topic_name,
                spans,
                lambda _: delete_topics(cluster.client_config, [topic_name]),
            )


def test_a_topic_that_is_made_anew_is_not_taken_for_the_one_before(
    cluster: Cluster, topic_name: str
) -> None:
    spans = fill(cluster.client_config, topic_name)

    def make_anew(_: Reading) -> None:
        delete_topics(cluster.client_config, [topic_name])
        fill(cluster.client_config, topic_name)

    with RawLog(cluster.client_config) as log:
        with pytest.raises(InfrastructureError, match="deleted and created again"):
            read_while(log, topic_name, spans, make_anew)


def test_a_topic_that_is_not_there_is_not_created(cluster: Cluster, topic_name: str) -> None:
    with RawLog(cluster.client_config, timeout_s=1.0) as log:
        with pytest.raises(InfrastructureError, match="does not exist"):
            with log.read(topic_name, {0: (0, 1)}, committed=True) as reading:
                next(reading)
    admin = AdminClient({**cluster.client_config, "log_level": 0})
    assert topic_name not in admin.list_topics(timeout=_WAIT_S).topics


def test_nobody_there_is_one_line() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(InfrastructureError, match=rf"no Kafka broker answers at 127.0.0.1:{port}"):
        RawLog({"bootstrap.servers": f"127.0.0.1:{port}"}, timeout_s=1.0)


def test_each_leader_is_asked_for_its_own(two_brokers: NodeCluster, topic_name: str) -> None:
    spans = fill(two_brokers.client_config, topic_name, partitions=4)
    with RawLog(two_brokers.client_config) as log:
        assert everything(read_while(log, topic_name, spans, lambda _: None))


def test_leaders_that_move_are_followed(two_brokers: NodeCluster, topic_name: str) -> None:
    spans = fill(two_brokers.client_config, topic_name, replicas=2)

    def move(_: Reading) -> None:
        admin = open_admin(two_brokers.client_config, timeout_s=_WAIT_S)
        try:
            before = _leaders(two_brokers, topic_name)
            others = {number: 3 - leader for number, leader in before.items()}
            admin.alter_partition_reassignments(
                {Place(topic_name, n): [other, before[n]] for n, other in others.items()}
            )
            admin.elect_leaders(0, {topic_name: list(others)}, raise_errors=False)
        finally:
            admin.close()
        _until(lambda: _leaders(two_brokers, topic_name) == others)

    with RawLog(two_brokers.client_config) as log:
        assert everything(read_while(log, topic_name, spans, move))


def test_brokers_that_are_killed_and_come_back_are_waited_for(
    two_brokers: NodeCluster, topic_name: str
) -> None:
    spans = fill(two_brokers.client_config, topic_name, replicas=2)
    with RawLog(two_brokers.client_config) as log:
        parts = read_while(log, topic_name, spans, lambda _: two_brokers.restart())
    assert everything(parts)


def test_a_leader_that_stays_away_ends_it_in_one_line(supervisor: Supervisor) -> None:
    with start_embedded(ClusterSpec(), supervisor=supervisor, progress=lambda _: None) as started:
        spans = fill(started.client_config, "t")
        with (
            RawLog(started.client_config, timeout_s=1.0) as log,
            log.read("t", spans, committed=True, answer_bytes=_SMALL, silence_s=2.0) as reading,
        ):
            next(reading)
            for node in started._nodes:
                node.kill()
            with pytest.raises(InfrastructureError, match=r"t-\d gave nothing for 2 s at offset"):
                list(reading)


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-512", "OAUTHBEARER"])
def test_batches_are_read_through_tls_and_each_login(sasl: Secured, mechanism: str) -> None:
    with token_endpoint() as endpoint:
        file = (
            sasl.login(mechanism)
            if mechanism != "OAUTHBEARER"
            else sasl.properties(
                "oauth",
                security_protocol="SASL_SSL",
                sasl_mechanism="OAUTHBEARER",
                sasl_oauthbearer_token_endpoint_url=endpoint.url,
                sasl_jaas_config=jaas("OAUTHBEARER", clientId="auditor", clientSecret=PASSWORD),
            )
        )
        with RawLog(_config(sasl, file)) as log:
            spans = {0: (0, _RECORDS // 2), 1: (0, _RECORDS // 2)}
            assert everything(read_while(log, "may-read", spans, break_connections))


def test_what_may_not_be_read_is_named(sasl: Secured) -> None:
    spans = {0: (0, 1)}
    for user, topic, right in (
        ("stranger", "may-read", "DESCRIBE and READ"),
        ("auditor", "may-describe", "READ"),
    ):
        with RawLog(_config(sasl, sasl.login("PLAIN", user))) as log:
            with pytest.raises(InfrastructureError, match=f"{topic} may not be read.*{right}"):
                read_while(log, topic, spans, lambda _: None)


def test_batches_are_read_with_a_certificate(supervisor: Supervisor, tmp_path: Path) -> None:
    with mutual_tls_broker(supervisor, tmp_path) as broker:
        spans = fill(broker.inside, "t")
        broker.allow("CN=auditor", (ResourceType.TOPIC, "t", AclOperation.READ))
        me = broker.authority.issue("auditor")
        file = broker.properties(
            "mutual",
            security_protocol="SSL",
            ssl_keystore_type="PEM",
            ssl_keystore_location=str(me.pem),
        )
        with RawLog(_config(broker, file)) as log:
            assert everything(read_while(log, "t", spans, lambda _: None))


@pytest.fixture(scope="module")
def sasl(supervisor: Supervisor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    with sasl_ssl_broker(supervisor, tmp_path_factory.mktemp("sasl")) as started:
        fill(started.inside, "may-read")
        create_topics(started.inside, [NewTopic(name="may-describe")])
        started.allow(
            "auditor",
            (ResourceType.TOPIC, "may-read", AclOperation.READ),
            (ResourceType.TOPIC, "may-describe", AclOperation.DESCRIBE),
        )
        yield started


def _config(broker: Secured, file: Path) -> dict[str, str]:
    return ExternalCluster(bootstrap_server=broker.servers, command_config=file).client_config


def _leaders(cluster: NodeCluster, topic: str) -> dict[int, int]:
    admin = AdminClient({**cluster.client_config, "log_level": 0})
    found: Any = admin.list_topics(topic, timeout=_WAIT_S).topics[topic].partitions
    return {number: each.leader for number, each in found.items()}


def _until(holds: Callable[[], bool]) -> None:
    for _ in range(600):
        if holds():
            return
    raise AssertionError("the leaders did not move")
