"""Commits of real groups, read back from a real broker's `__consumer_offsets`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclOperation,
    AdminClient,
    ResourceType,
)

from eoscheck.audit.checks.commits import check_commits
from eoscheck.audit.checks.outcome import Checked
from eoscheck.audit.group.reader import read_commits
from eoscheck.audit.group.topic import GroupCommits
from eoscheck.cluster import Cluster, ClusterView, NewTopic, create_topics
from eoscheck.cluster.external import ExternalCluster
from eoscheck.cluster.raw_log import RawLog
from eoscheck.process import Supervisor
from tests.integration.audit.writing import WAIT_S, Topics, payment
from tests.integration.cluster.secured import sasl_ssl_broker


@pytest.fixture
def log(cluster: Cluster) -> Iterator[RawLog]:
    with RawLog(cluster.client_config) as opened:
        yield opened


@pytest.fixture
def view(cluster: Cluster) -> Iterator[ClusterView]:
    with ClusterView(cluster.client_config) as opened:
        yield opened


@pytest.fixture
def group(fresh_name: Callable[[str], str]) -> str:
    return fresh_name("app")


@pytest.fixture
def topic(topics: Topics, fresh_name: Callable[[str], str]) -> str:
    name = topics.create(fresh_name("payments"), 2)
    topics.write(name, *[payment(number % 2, number) for number in range(40)])
    return name


@contextmanager
def member(cluster: Cluster, group: str, topic: str) -> Iterator[Consumer]:
    """A consumer that has joined the group."""
    consumer = Consumer(
        {
            **cluster.client_config,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 20,
        }
    )
    consumer.subscribe([topic])
    try:
        assert consumer.poll(WAIT_S) is not None, "waited for the group to give a partition"
        yield consumer
    finally:
        consumer.close()


def commit(
    producer: Producer, consumer: Consumer, topic: str, offsets: Mapping[int, int], *, end: str
) -> None:
    """A transaction that commits, aborts or leaves open the offsets."""
    producer.begin_transaction()
    producer.send_offsets_to_transaction(
        [TopicPartition(topic, number, offset) for number, offset in offsets.items()],
        consumer.consumer_group_metadata(),
        WAIT_S,
    )
    if end == "commit":
        producer.commit_transaction(WAIT_S)
    elif end == "abort":
        producer.abort_transaction(WAIT_S)


def producer(cluster: Cluster, name: str) -> Producer:
    made = Producer({**cluster.client_config, "transactional.id": name, "log_level": 0})
    made.init_transactions(WAIT_S)
    return made


def read(
    log: RawLog, view: ClusterView, group: str, topic: str, *, stable: bool = True
) -> GroupCommits:
    """As an audit reads them: after the group's stable offsets. A commit returns to its producer
    before its markers are written."""
    if stable:
        view.committed(group, topic)
    found = read_commits(log, view, group=group, topic=topic)
    assert found.commits is not None, found.why
    return found.commits


def offsets(commits: GroupCommits) -> dict[int, int | None]:
    return {each.partition: each.committed for each in commits.current()}


def check(log: RawLog, view: ClusterView, group: str, topic: str) -> Checked:
    commits = read(log, view, group, topic)
    return check_commits(commits, number=17, outputs_transactional=True)


def test_what_the_log_says_a_group_has_committed_is_what_its_coordinator_says(
    cluster: Cluster, log: RawLog, view: ClusterView, group: str, topic: str
) -> None:
    with member(cluster, group, topic) as consumer:
        first = producer(cluster, group)
        commit(first, consumer, topic, {0: 3, 1: 4}, end="commit")
        commit(first, consumer, topic, {0: 15}, end="abort")
        commit(first, consumer, topic, {1: 9}, end="commit")
        assert (
            offsets(read(log, view, group, topic)) == view.committed(group, topic) == {0: 3, 1: 9}
        )
        commit(first, consumer, topic, {0: 18}, end="leave open")
        assert offsets(read(log, view, group, topic, stable=False)) == {0: 3, 1: 9}
        first.commit_transaction(WAIT_S)
        commits = read(log, view, group, topic)
        assert offsets(commits) == view.committed(group, topic) == {0: 18, 1: 9}
    assert (commits.transactional, commits.plain, commits.back) == (5, 0, 0)
    assert check(log, view, group, topic).hazards == []


def test_offsets_that_another_producer_sets_back_are_found_with_both_commits(
    cluster: Cluster, log: RawLog, view: ClusterView, group: str, topic: str
) -> None:
    with member(cluster, group, topic) as consumer:
        commit(producer(cluster, f"{group}-1"), consumer, topic, {0: 12}, end="commit")
        commit(producer(cluster, f"{group}-2"), consumer, topic, {0: 7, 1: 5}, end="commit")
    (found,) = check(log, view, group, topic).found
    assert found.total == 1
    (anomaly,) = found.anomalies
    assert anomaly.place == (topic, 0, 7)
    assert anomaly.detail.endswith("had committed 12, then 7, in a transaction of another producer")
    assert anomaly.facts["before"]["producer_id"] != anomaly.facts["after"]["producer_id"]
    assert anomaly.facts["members"] == 1


def test_a_reset_of_a_group_without_members_is_told_apart_from_a_subject_s_own_commit(
    cluster: Cluster, topics: Topics, log: RawLog, view: ClusterView, group: str, topic: str
) -> None:
    with member(cluster, group, topic) as consumer:
        commit(producer(cluster, group), consumer, topic, {0: 12}, end="commit")
    topics.commit_offsets(group, topic, {0: 2})
    checked = check(log, view, group, topic)
    assert "a reset by hand or by a tool?" in checked.found[0].anomalies[0].detail
    assert checked.hazards == []


def test_plain_commits_of_a_member_beside_transactional_ones_are_a_hazard(
    cluster: Cluster, log: RawLog, view: ClusterView, group: str, topic: str
) -> None:
    with member(cluster, group, topic) as consumer:
        commit(producer(cluster, group), consumer, topic, {0: 3}, end="commit")
        consumer.commit(offsets=[TopicPartition(topic, 0, 5)], asynchronous=False)
    (hazard,) = check(log, view, group, topic).hazards
    assert (hazard.facts["outside"], hazard.facts["inside"]) == (1, 1)


def test_a_group_that_was_deleted_and_begins_again_has_not_gone_back(
    cluster: Cluster, topics: Topics, log: RawLog, view: ClusterView, group: str, topic: str
) -> None:
    topics.commit_offsets(group, topic, {0: 15, 1: 15})
    admin = AdminClient({"bootstrap.servers": cluster.client_config["bootstrap.servers"]})
    for deleted in admin.delete_consumer_groups([group]).values():
        deleted.result(WAIT_S)
    assert offsets(read(log, view, group, topic, stable=False)) == {}
    topics.commit_offsets(group, topic, {0: 1})
    commits = read(log, view, group, topic)
    assert (commits.back, offsets(commits)) == (0, {0: 1})


def test_a_topic_that_was_deleted_and_created_again_begins_again(
    cluster: Cluster, topics: Topics, log: RawLog, view: ClusterView, group: str, topic: str
) -> None:
    topics.commit_offsets(group, topic, {0: 15})
    admin = AdminClient({"bootstrap.servers": cluster.client_config["bootstrap.servers"]})
    admin.delete_topics([topic])[topic].result(WAIT_S)
    topics.create(topic, 2)
    topics.write(topic, payment(0, 1))
    topics.commit_offsets(group, topic, {0: 1})
    commits = read(log, view, group, topic)
    assert (commits.back, offsets(commits)) == (0, {0: 1})


def test_an_auditor_who_may_not_read_the_internal_topic_is_told_so_and_goes_on(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    with sasl_ssl_broker(supervisor, tmp_path) as broker:
        create_topics(broker.inside, [NewTopic(name="payments")])
        Topics(broker.inside).commit_offsets("app", "payments", {0: 0})
        broker.allow(
            "auditor",
            (ResourceType.TOPIC, "payments", AclOperation.READ),
            (ResourceType.GROUP, "app", AclOperation.DESCRIBE),
        )
        config = ExternalCluster(
            bootstrap_server=broker.servers, command_config=broker.login("PLAIN")
        ).client_config
        with RawLog(config) as log, ClusterView(config) as view:
            found = read_commits(log, view, group="app", topic="payments")
    assert found.commits is None
    assert found.why.startswith("__consumer_offsets was not read: ")
    assert "\n" not in found.why
