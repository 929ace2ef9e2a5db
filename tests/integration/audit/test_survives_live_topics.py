"""Topics that change while they are audited: ordinary work never looks like an anomaly."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Literal

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions

from eoscheck.audit import AuditReport, AuditSpec, Code, Verdict, run_audit
from eoscheck.cluster import Cluster, NewTopic, create_topics, delete_topics
from eoscheck.errors import InfrastructureError
from tests.integration.audit.writing import Topics

Reader = Literal["auto", "client"]
READERS: tuple[Reader, ...] = ("auto", "client")
_PADDING = b"." * 3000
"""Compresses to nothing, and fills what a client fetches ahead: a change is seen by the reader."""
_NOISE = random.Random(1).randbytes(2_000_000)
"""Does not compress: no single answer holds a whole topic."""
_WAIT_S = 60.0


def write_numbers(topics: Topics, topic: str, numbers: range, *, partitions: int = 1) -> None:
    """Each number is a record's key, in partition `number % partitions`."""
    producer = Producer({**topics.client_config, "compression.type": "lz4", "log_level": 0})
    for number in numbers:
        while True:
            try:
                noise = _NOISE[number * 1000 % 1_999_000 :][:1000]
                producer.produce(
                    topic, noise + _PADDING, str(number), partition=number % partitions
                )
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(_WAIT_S) == 0


def audit_while(
    cluster: Cluster, spec: AuditSpec, *, reading: str, do: Callable[[], None]
) -> AuditReport:
    """Calls `do` once, when a first part of the topic `reading` was read."""
    done = []

    def progress(step: str, position: int, total: int) -> None:
        if not done and reading in step and position < total:
            done.append(step)
            do()

    report = run_audit(spec, client_config=cluster.client_config, progress=progress)
    assert done, f"{reading} was read in one go, or nobody told"
    return report


def delete_records(cluster: Cluster, topic: str, below: dict[int, int]) -> None:
    """What retention does too: the log begins later."""
    admin = AdminClient({**cluster.client_config, "log_level": 0})
    wanted = [TopicPartition(topic, number, offset) for number, offset in below.items()]
    for answer in admin.delete_records(wanted, request_timeout=_WAIT_S).values():
        answer.result()


def add_partitions(cluster: Cluster, topic: str, total: int) -> None:
    admin = AdminClient({**cluster.client_config, "log_level": 0})
    wanted = [NewPartitions(topic, total)]
    for answer in admin.create_partitions(wanted, request_timeout=_WAIT_S).values():
        answer.result()


@pytest.fixture
def pair(topics: Topics, fresh_name: Callable[[str], str]) -> tuple[str, str]:
    return topics.create(fresh_name("in"), 2), topics.create(fresh_name("out"), 2)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("shrinking", ["input", "output"])
def test_records_that_are_deleted_while_they_are_read_are_neither_lost_nor_phantoms(
    cluster: Cluster, topics: Topics, pair: tuple[str, str], shrinking: str, reader: Reader
) -> None:
    source, output = pair
    for topic in pair:
        write_numbers(topics, topic, range(30_000), partitions=2)
    victim = source if shrinking == "input" else output
    report = audit_while(
        cluster,
        AuditSpec(output=output, input=source, reader=reader),
        reading=victim,
        do=lambda: delete_records(cluster, victim, {0: 14_700, 1: 14_850}),
    )
    assert not report.anomalies, report.findings[:3]
    whole = report.counts["input_records"] == report.counts["output_records"]
    assert report.verdict is (Verdict.PASS if whole else Verdict.UNKNOWN), report.unknowns


@pytest.mark.parametrize("reader", READERS)
def test_numbers_that_are_deleted_while_they_are_read_are_no_gap(
    cluster: Cluster, topics: Topics, topic_name: str, reader: Reader
) -> None:
    topics.create(topic_name)
    write_numbers(topics, topic_name, range(30_000))
    report = audit_while(
        cluster,
        AuditSpec(output=topic_name, reader=reader),
        reading=topic_name,
        do=lambda: delete_records(cluster, topic_name, {0: 27_500}),
    )
    assert not report.anomalies, report.findings[:3]


@pytest.mark.parametrize("reader", READERS)
def test_an_empty_partition_is_nothing_special(
    cluster: Cluster, topics: Topics, fresh_name: Callable[[str], str], reader: Reader
) -> None:
    source, output = topics.create(fresh_name("in"), 3), topics.create(fresh_name("out"), 3)
    for topic in (source, output):
        write_numbers(topics, topic, range(100), partitions=2)
    spec = AuditSpec(output=output, input=source, reader=reader)
    report = run_audit(spec, client_config=cluster.client_config)
    assert (report.verdict, report.unknowns) == (Verdict.PASS, [])
    assert report.counts["output_records"] == 100


@pytest.mark.parametrize("reader", READERS)
def test_outputs_in_a_partition_that_was_added_meanwhile_are_not_lost(
    cluster: Cluster, topics: Topics, pair: tuple[str, str], reader: Reader
) -> None:
    source, output = pair
    write_numbers(topics, source, range(30_000), partitions=2)
    write_numbers(topics, output, range(29_000), partitions=2)

    def grow() -> None:
        add_partitions(cluster, output, 3)
        producer = Producer({**cluster.client_config, "log_level": 0})
        for number in range(29_000, 30_000):
            producer.produce(output, _PADDING, str(number), partition=2)
        assert producer.flush(_WAIT_S) == 0

    spec = AuditSpec(output=output, input=source, reader=reader, order="none")
    report = audit_while(cluster, spec, reading=output, do=grow)
    assert not report.anomalies, report.findings[:3]
    again = run_audit(spec, client_config=cluster.client_config)
    assert (again.verdict, again.anomalies) == (Verdict.PASS, {})


@pytest.mark.parametrize("reader", READERS)
def test_inputs_in_a_partition_that_was_added_meanwhile_are_not_due(
    cluster: Cluster, topics: Topics, pair: tuple[str, str], reader: Reader
) -> None:
    source, output = pair
    for topic in pair:
        write_numbers(topics, topic, range(30_000), partitions=2)

    def grow() -> None:
        add_partitions(cluster, source, 3)
        producer = Producer({**cluster.client_config, "log_level": 0})
        for number in range(30_000, 30_010):
            producer.produce(source, _PADDING, str(number), partition=2)
        assert producer.flush(_WAIT_S) == 0

    spec = AuditSpec(output=output, input=source, reader=reader)
    report = audit_while(cluster, spec, reading=output, do=grow)
    assert not report.anomalies, report.findings[:3]


@pytest.mark.parametrize(
    ("again", "reader"),
    [
        # The client reader waits a minute for records that are not there any more.
        pytest.param(10_000, "client", id="shorter-client", marks=pytest.mark.accept),
        pytest.param(10_000, "auto", id="shorter-auto"),
        pytest.param(40_000, "client", id="longer-client"),
        pytest.param(40_000, "auto", id="longer-auto"),
    ],
)
def test_a_topic_that_was_deleted_and_created_again_meanwhile_is_not_judged(
    cluster: Cluster, topics: Topics, topic_name: str, again: int, reader: Reader
) -> None:
    topics.create(topic_name)
    write_numbers(topics, topic_name, range(30_000))

    def replace() -> None:
        delete_topics(cluster.client_config, [topic_name])
        create_topics(cluster.client_config, [NewTopic(name=topic_name)])
        write_numbers(topics, topic_name, range(again))

    spec = AuditSpec(output=topic_name, reader=reader, patience_s=2.0)
    try:
        report = audit_while(cluster, spec, reading=topic_name, do=replace)
    except InfrastructureError as error:
        assert topic_name in str(error)  # noqa: PT017 - an error is one of two right answers
        return
    assert report.verdict is Verdict.UNKNOWN, report.anomalies
    assert not report.anomalies
    assert Code.GAP not in report.allowed


@pytest.mark.parametrize("reader", READERS)
def test_a_topic_that_was_deleted_meanwhile_is_an_error(
    cluster: Cluster, topics: Topics, topic_name: str, reader: Reader
) -> None:
    topics.create(topic_name)
    write_numbers(topics, topic_name, range(30_000))
    with pytest.raises(InfrastructureError, match=topic_name):
        audit_while(
            cluster,
            AuditSpec(output=topic_name, reader=reader),
            reading=topic_name,
            do=lambda: delete_topics(cluster.client_config, [topic_name]),
        )
