"""The fast reader hands over what the client reader does, record by record."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from eoscheck.audit.batches.view import RawView
from eoscheck.audit.readers.scan import Span
from eoscheck.cluster import Cluster
from eoscheck.cluster.raw_fetch import RawFetch
from eoscheck.logformat import read_batches
from tests.integration.audit.fast_reading import JavaView, by_client, by_fast_reader, spans_of
from tests.integration.audit.writing import WAIT_S, Out, Topics

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def both_agree(
    cluster: Cluster, topic: str, identity: str = "key", *, least: int = 1
) -> dict[int, Span]:
    spans = spans_of(cluster.client_config, topic)
    expected, reached = by_client(cluster.client_config, topic, spans, identity)
    found, read = by_fast_reader(cluster.client_config, topic, spans, identity)
    assert found == expected
    assert len(found) >= least
    assert read.unreadable == 0
    assert not any(each.held for each in [*reached.values(), *read.reached.values()])
    assert all(each.position >= each.span.cut for each in read.reached.values())
    return spans


def _random_records(chance: random.Random, count: int, partitions: int) -> Iterator[Out]:
    for number in range(count):
        value: Any = {"id": number, "name": chance.choice(["x", "é", 'q"'])}
        yield Out(
            chance.randrange(partitions),
            chance.choice([value, None, b"", b"\xff\x00", value, value]),
            key=chance.choice([str(number), None, "", f"order-{number}", b"\x00\xff"]),
            headers=chance.choice([(), (("h", b"5"),), (("h", None), ("h", b"x"))]),  # type: ignore[arg-type]
        )


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("identity", ["key", "json:/id", "header:h", "key+json:/id"])
def test_every_codec_with_headers_nulls_and_tombstones(
    cluster: Cluster, fresh_name: Callable[[str], str], codec: str, identity: str
) -> None:
    topics = Topics(cluster.client_config)
    topic = topics.create(fresh_name("mixed"), 2)
    producer = Producer(
        {**cluster.client_config, "compression.type": codec, "linger.ms": 20, "log_level": 0}
    )
    for out in _random_records(random.Random(codec), 3_000, 2):
        producer.produce(
            topic,
            partition=out.partition,
            key=out.key,
            value=out.encoded(),
            headers=list(out.headers),
        )
    assert producer.flush(WAIT_S) == 0
    with RawFetch(cluster.client_config) as log:
        part = log.fetch(topic, 0, 0, committed=True)
    expected = CODECS.index(codec)
    assert expected in read_batches(part.records).codec.tolist()
    both_agree(cluster, topic, identity, least=300)


def test_transactions_committed_aborted_and_interleaved(
    cluster: Cluster, topics: Topics, topic_name: str
) -> None:
    topic = topics.create(topic_name, 3)
    chance = random.Random(3)
    with ExitStack() as stack:
        producers = [
            stack.enter_context(topics.transaction(f"{topic}-{number}")) for number in range(4)
        ]
        for number in range(2_000):
            producer = chance.choice(producers)
            producer.produce(topic, b"v%d" % number, str(number), chance.randrange(3))
            if chance.random() < 0.02:
                assert producer.flush(WAIT_S) == 0
                if chance.random() < 0.5:
                    producer.commit_transaction(WAIT_S)
                else:
                    producer.abort_transaction(WAIT_S)
                producer.begin_transaction()
            if chance.random() < 0.02:
                topics.write(topic, Out(chance.randrange(3), b"plain", key=f"plain-{number}"))
        for producer in producers:
            producer.commit_transaction(WAIT_S)
    spans = both_agree(cluster, topic, least=400)
    # The project's own view of what a client is given agrees with Java's.
    own, _read = by_fast_reader(
        cluster.client_config, topic, spans, "key", view=RawView(topic, limit=10)
    )
    assert own == by_fast_reader(cluster.client_config, topic, spans, "key", view=JavaView())[0]


@pytest.mark.parametrize("size", [1_000, 1_000_000])
def test_large_records(cluster: Cluster, topics: Topics, topic_name: str, size: int) -> None:
    topic = topics.create(topic_name, 2, max_message_bytes="3000000")
    producer = Producer(
        {**cluster.client_config, "message.max.bytes": 3_000_000, "linger.ms": 5, "log_level": 0}
    )
    for number in range(40):
        body = random.Random(number).randbytes(size)
        producer.produce(topic, body, str(number), partition=number % 2)
    assert producer.flush(WAIT_S) == 0
    both_agree(cluster, topic, least=40)


def test_a_compacted_topic(lenient_cluster: Cluster, fresh_name: Callable[[str], str]) -> None:
    topics = Topics(lenient_cluster.client_config)
    topic = topics.create(
        fresh_name("compacted"),
        1,
        cleanup_policy="compact",
        segment_ms="50",
        min_cleanable_dirty_ratio="0.01",
        min_compaction_lag_ms="0",
        delete_retention_ms="0",
        max_compaction_lag_ms="1000",
    )
    chance = random.Random(1)
    for round_ in range(12):
        end = topics.commit if round_ % 3 else topics.abort
        end(
            topic,
            *(
                Out(
                    0,
                    None if chance.random() < 0.1 else b"%d" % number * 20,
                    key=f"k{number % 300}",
                )
                for number in range(round_ * 400, round_ * 400 + 400)
            ),
        )
    deadline = time.monotonic() + WAIT_S
    spans = spans_of(lenient_cluster.client_config, topic)
    while len(by_client(lenient_cluster.client_config, topic, spans, "key")[0]) > 2_500:
        assert time.monotonic() < deadline, "the cleaner did nothing"
    # Compaction may go on between the two readings: they are compared when it rests.
    for _ in range(10):
        before, _reached = by_client(lenient_cluster.client_config, topic, spans, "key")
        found, read = by_fast_reader(lenient_cluster.client_config, topic, spans, "key")
        after, _reached = by_client(lenient_cluster.client_config, topic, spans, "key")
        if before == after:
            break
    assert found == after
    assert read.unreadable == 0


def test_cut_and_start_inside_a_batch(cluster: Cluster, topics: Topics, topic_name: str) -> None:
    topic = topics.create(topic_name)
    topics.write(topic, *(Out(0, b"v", key=str(number)) for number in range(200)))
    producer = Producer({**cluster.client_config, "linger.ms": 200, "log_level": 0})
    for number in range(200, 400):
        producer.produce(topic, b"v", str(number), partition=0)
    assert producer.flush(WAIT_S) == 0
    spans = {0: Span(start=250, cut=317)}
    expected, _reached = by_client(cluster.client_config, topic, spans, "key")
    found, read = by_fast_reader(cluster.client_config, topic, spans, "key")
    assert found == expected
    assert [row[1] for row in found] == list(range(250, 317))
    assert not read.reached[0].held


def test_an_open_transaction_is_waited_for_and_then_reported(
    cluster: Cluster, topics: Topics, topic_name: str
) -> None:
    topic = topics.create(topic_name, 2)
    topics.commit(topic, Out(0, b"v", key="1"), Out(1, b"v", key="2"))
    with topics.open(topic, Out(0, b"v", key="3")) as producer:
        topics.write(topic, Out(0, b"v", key="4"), Out(1, b"v", key="5"))
        spans = spans_of(cluster.client_config, topic)
        began = time.monotonic()
        found, read = by_fast_reader(cluster.client_config, topic, spans, "key", patience_s=0.5)
        assert time.monotonic() - began >= 0.5
        _expected, reached = by_client(cluster.client_config, topic, spans, "key", patience_s=0.5)
        assert read.reached == reached
        assert [each.held for each in read.reached.values()] == [True, False]
        assert [row[2][0] for row in found] == [1, 2, 5]
        producer.commit_transaction(WAIT_S)
    found, read = by_fast_reader(cluster.client_config, topic, spans, "key", patience_s=20.0)
    assert [row[2][0] for row in found] == [1, 3, 4, 2, 5]


def test_a_transaction_that_ends_while_the_reader_waits_is_read(
    cluster: Cluster, topics: Topics, topic_name: str
) -> None:
    topic = topics.create(topic_name)
    with topics.open(topic, Out(0, b"v", key="3")) as producer:
        spans = spans_of(cluster.client_config, topic)

        class EndsIt(JavaView):
            waiting = True

            def take(self, partition: int, batches: Any, aborted: Any, **given: Any) -> Any:
                if self.waiting and not len(batches):
                    self.waiting = False
                    producer.commit_transaction(WAIT_S)
                return super().take(partition, batches, aborted, **given)

        found, read = by_fast_reader(cluster.client_config, topic, spans, "key", view=EndsIt())
    assert [row[2][0] for row in found] == [3]
    assert not read.reached[0].held


def test_records_that_were_deleted_meanwhile_are_named(
    cluster: Cluster, topics: Topics, topic_name: str
) -> None:
    topic = topics.create(topic_name)
    topics.write(topic, *(Out(0, b"v", key=str(number)) for number in range(100)))
    spans = spans_of(cluster.client_config, topic)
    admin = AdminClient({**cluster.client_config, "log_level": 0})
    (done,) = admin.delete_records([TopicPartition(topic, 0, 40)]).values()
    done.result()
    found, read = by_fast_reader(cluster.client_config, topic, spans, "key")
    assert [row[1] for row in found] == list(range(40, 100))
    assert read.reached[0].lost_below == 40


def test_an_empty_partition_is_read_at_once(
    cluster: Cluster, topics: Topics, topic_name: str
) -> None:
    topic = topics.create(topic_name, 3)
    topics.write(topic, Out(1, b"v", key="7"))
    found, read = by_fast_reader(
        cluster.client_config, topic, spans_of(cluster.client_config, topic), "key"
    )
    assert [row[2] for row in found] == [(7, 0)]
    assert len(read.reached) == 3
    assert not any(each.held for each in read.reached.values())
