"""What a real cluster answers, with a transaction open and with none."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from eoscheck.cluster import (
    Cluster,
    ClusterView,
    NewTopic,
    UnstableOffsetsError,
    create_topics,
    delete_topics,
    open_cluster,
)
from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.process import Supervisor

_WAIT_S = 30.0


@pytest.fixture
def view(cluster: Cluster) -> Iterator[ClusterView]:
    with ClusterView(cluster.client_config) as made:
        yield made


@pytest.fixture
def topic(cluster: Cluster, topic_name: str) -> str:
    """A topic of two partitions."""
    create_topics(cluster.client_config, [NewTopic(name=topic_name, partitions=2)])
    return topic_name


@pytest.fixture
def producer(cluster: Cluster, topic: str) -> Producer:
    config = {"bootstrap.servers": cluster.bootstrap_servers, "log_level": 0}
    made = Producer({**config, "transactional.id": topic, "transaction.timeout.ms": 60_000})
    made.init_transactions(_WAIT_S)
    return made


@pytest.fixture
def member(cluster: Cluster, topic: str) -> Iterator[Consumer]:
    """A member of the group `<topic>-group` that owns both partitions."""
    consumer = Consumer(
        {
            "bootstrap.servers": cluster.bootstrap_servers,
            "log_level": 0,
            "group.id": f"{topic}-group",
            "client.id": "a-client",
            "group.instance.id": "an-instance",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([topic])
    give_up_at = time.monotonic() + _WAIT_S
    while len(consumer.assignment()) < 2:
        assert time.monotonic() < give_up_at, "no assignment"
        consumer.poll(0.05)
    yield consumer
    consumer.close()


def produce(producer: Producer, topic: str, *, partition: int, records: int) -> None:
    for number in range(records):
        producer.produce(topic, str(number).encode(), partition=partition)
    producer.flush(_WAIT_S)


def test_an_open_transaction_holds_back_the_last_stable_offset_only(
    view: ClusterView, producer: Producer, topic: str
) -> None:
    producer.begin_transaction()
    produce(producer, topic, partition=0, records=3)
    producer.commit_transaction(_WAIT_S)
    producer.begin_transaction()
    produce(producer, topic, partition=0, records=2)
    assert view.log_starts(topic) == {0: 0, 1: 0}
    assert view.high_watermarks(topic) == {0: 6, 1: 0}, "3 records, a marker, 2 records"
    assert view.last_stable_offsets(topic) == {0: 4, 1: 0}
    producer.abort_transaction(_WAIT_S)  # returns when it is decided; the marker comes after
    give_up_at = time.monotonic() + _WAIT_S
    while view.last_stable_offsets(topic) != {0: 7, 1: 0}:
        assert time.monotonic() < give_up_at, "the marker does not come"
        time.sleep(0.02)
    assert view.high_watermarks(topic) == {0: 7, 1: 0}


def test_committed_offsets_are_read_without_joining(
    view: ClusterView, member: Consumer, topic: str
) -> None:
    group = f"{topic}-group"
    assert view.committed(group, topic) == {}, "a group that has not committed yet"
    member.commit(offsets=[TopicPartition(topic, 1, 5)], asynchronous=False)
    assert view.committed(group, topic) == {1: 5}
    (only,) = view.group_members(group)
    assert (only.client_id, only.instance_id) == ("a-client", "an-instance")
    assert only.partitions == {topic: [0, 1]}
    assert view.group_state(group) == "stable"


def test_offsets_held_by_a_transaction_are_waited_for(
    view: ClusterView, producer: Producer, member: Consumer, topic: str
) -> None:
    group = f"{topic}-group"
    producer.begin_transaction()
    producer.send_offsets_to_transaction(
        [TopicPartition(topic, 0, 7)], member.consumer_group_metadata(), _WAIT_S
    )
    with pytest.raises(UnstableOffsetsError, match=r"open transaction for longer than 0\.5 s"):
        view.committed(group, topic, timeout_s=0.5)
    assert view.committed(group, topic, require_stable=False) == {}
    commit = threading.Timer(0.3, producer.commit_transaction, args=[_WAIT_S])
    commit.start()
    assert view.committed(group, topic) == {0: 7}
    commit.join()


def test_what_is_not_there_is_one_line_with_the_nearest_name(
    view: ClusterView, member: Consumer, topic: str
) -> None:
    with pytest.raises(UsageError, match=f"no such topic .*did you mean '{topic}'"):
        view.partitions(f"{topic}x")
    with pytest.raises(UsageError, match=f"no such topic '{topic}x'"):
        view.high_watermarks(f"{topic}x")
    with pytest.raises(UsageError, match="no such topic 'not/a/name'"):
        view.partitions("not/a/name")
    for ask in (
        lambda group: view.committed(group, topic),
        view.group_members,
        view.group_state,
    ):
        with pytest.raises(UsageError, match=f"no such consumer group .*mean '{topic}-group'"):
            ask(f"{topic}-grou")


def test_asking_creates_nothing(view: ClusterView, fresh_name: Callable[[str], str]) -> None:
    topic, group = fresh_name("never"), fresh_name("group")
    topics, groups = view.topics(), view.groups()
    with pytest.raises(UsageError):
        view.partitions(topic)
    with pytest.raises(UsageError):
        view.committed(group, view.topics()[0])
    assert view.topics() == topics
    assert view.groups() == groups


def test_a_fresh_cluster_answers_and_one_that_went_away_is_one_line_in_time(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_cluster(supervisor=supervisor) as fresh:
        create_topics(fresh.client_config, [NewTopic(name="t")])
        view = ClusterView(fresh.client_config, timeout_s=2.0)
        # No coordinator exists yet: here librdkafka's admin client crashed the whole process.
        with pytest.raises(UsageError, match="no such consumer group 'g'"):
            view.committed("g", "t", timeout_s=30.0)
    for ask in (lambda: view.partitions("t"), view.topics, view.groups):
        with pytest.raises(InfrastructureError, match=fresh.direct_servers) as caught:
            ask()
        assert "\n" not in str(caught.value)
    # It may go away between two questions: then nothing is known of any transaction.
    monkeypatch.setattr(view, "partitions", lambda _: [0])
    with pytest.raises(InfrastructureError, match="the offsets of group 'g'") as away:
        view.committed("g", "t", timeout_s=1.0)
    assert not isinstance(away.value, UnstableOffsetsError)
    view.close()


@pytest.mark.parametrize(
    ("servers", "reason"),
    [("127.0.0.1:1", "Connection refused"), ("name.invalid:9092", "[Nn]ame|resol")],
)
def test_an_unreachable_broker_is_one_line_at_once(
    servers: str, reason: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InfrastructureError, match=f"cannot reach Kafka at {servers}: .*{reason}"):
        ClusterView({"bootstrap.servers": servers}, timeout_s=600.0)
    assert capfd.readouterr() == ("", ""), "librdkafka prints nothing beside it"


def test_topics_are_ready_when_made_and_gone_when_deleted(
    cluster: Cluster, view: ClusterView, topic_name: str
) -> None:
    compacted = NewTopic(name=topic_name, partitions=3, config={"cleanup.policy": "compact"})
    create_topics(cluster.client_config, [compacted])
    assert view.high_watermarks(topic_name) == {0: 0, 1: 0, 2: 0}
    with pytest.raises(UsageError, match="already exists"):
        create_topics(cluster.client_config, [compacted])
    delete_topics(cluster.client_config, [topic_name])
    assert topic_name not in view.topics()
    with pytest.raises(UsageError, match="was not deleted"):
        delete_topics(cluster.client_config, [topic_name])


@pytest.mark.parametrize(
    "wrong",
    [
        NewTopic(name="a b"),
        NewTopic(name="a", config={"no.such": "x"}),
        NewTopic(name="a", config={"cleanup.policy": "x"}),
    ],
    ids=["name", "config", "value"],
)
def test_a_topic_that_kafka_does_not_take_is_one_line(cluster: Cluster, wrong: NewTopic) -> None:
    with pytest.raises(UsageError, match=f"topic '{wrong.name}' was not created: ") as caught:
        create_topics(cluster.client_config, [wrong])
    assert "\n" not in str(caught.value)
