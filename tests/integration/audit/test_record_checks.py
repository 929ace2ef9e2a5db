"""Where real clients put keys, and what becomes of the load's seals on a real broker."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from confluent_kafka import Message, Producer
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined]

from eoscheck.audit.checks.content import Contents, flaw_column
from eoscheck.audit.checks.outcome import Checked
from eoscheck.audit.checks.partitioning import Partitioner, Partitioning, homes
from eoscheck.audit.findings import Code
from eoscheck.audit.identity import parse
from eoscheck.audit.rows.block import Block
from eoscheck.audit.rows.columns import Digests
from eoscheck.cluster import Cluster, ClusterView
from eoscheck.history import Recorder
from eoscheck.load import LoadSpec, preload
from tests.integration.audit.reading import read_committed
from tests.integration.audit.writing import WAIT_S, Topics

KEYS: Sequence[bytes | None] = [f"acct-{number}".encode() for number in range(300)] + [None] * 40


def write(cluster: Cluster, topic: str, keys: Sequence[bytes | None], partitioner: str) -> None:
    producer = Producer(
        {**cluster.client_config, "partitioner": partitioner, "sticky.partitioning.linger.ms": 0}
    )
    for key in keys:
        producer.produce(topic, b"v", key)
    assert producer.flush(WAIT_S) == 0


def offsets(messages: Sequence[Message]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array([message.offset() for message in messages], dtype=np.int64)


def check_keys(cluster: Cluster, topic: str, partitioner: Partitioner) -> Checked:
    records = read_committed(cluster, topic)
    check = Partitioning(topic, partitioner=partitioner, partitions=len(records), limit=1000)
    for number, messages in records.items():
        nothing = np.zeros(len(messages), dtype=np.int64)
        check.add(
            Block(
                partition=number,
                offset=offsets(messages),
                identity=Digests(nothing, nothing),
                columns={"home": homes([m.key() for m in messages], partitioner)},
            )
        )
    return check.finish()


@pytest.mark.parametrize(
    ("client", "ours"), [("murmur2_random", "murmur2"), ("consistent_random", "crc32")]
)
def test_keys_are_where_the_real_partitioner_puts_them(
    cluster: Cluster,
    topics: Topics,
    fresh_name: Callable[[str], str],
    client: str,
    ours: Partitioner,
) -> None:
    topic = topics.create(fresh_name("receipts"), 5)
    write(cluster, topic, KEYS, client)
    checked = check_keys(cluster, topic, ours)
    assert (checked.found[0].total, checked.unknowns) == (0, [])
    assert checked.counts["partitioned_records"] == 300


def test_a_client_s_own_partitioner_beside_java_s_is_found_at_each_record_that_it_put_elsewhere(
    cluster: Cluster, topics: Topics, fresh_name: Callable[[str], str]
) -> None:
    topic = topics.create(fresh_name("receipts"), 5)
    write(cluster, topic, KEYS, "consistent_random")
    (found,) = check_keys(cluster, topic, "murmur2").found
    expected: Mapping[tuple[int, int | None], bytes] = {
        (number, message.offset()): message.key()  # type: ignore[misc]
        for number, messages in read_committed(cluster, topic).items()
        for message in messages
        if message.key() is not None and homes([message.key()], "murmur2").value[0] % 5 != number
    }
    assert found.code == Code.MISPARTITIONED
    assert {(a.place.partition, a.place.offset) for a in found.anomalies} == set(expected)
    assert len(expected) > 200


def test_a_topic_that_was_given_more_partitions_is_unknown(
    cluster: Cluster, topics: Topics, fresh_name: Callable[[str], str]
) -> None:
    topic = topics.create(fresh_name("receipts"), 3)
    write(cluster, topic, KEYS, "murmur2_random")
    admin = AdminClient({"bootstrap.servers": cluster.client_config["bootstrap.servers"]})
    admin.create_partitions([NewPartitions(topic, 6)])[topic].result(WAIT_S)
    with ClusterView(cluster.client_config) as view:
        assert len(view.partitions(topic)) == 6
    write(cluster, topic, KEYS, "murmur2_random")
    checked = check_keys(cluster, topic, "murmur2")
    (unknown,) = checked.unknowns
    assert "where 3 partitions put their keys, not 6" in unknown.reason
    assert checked.found == []


@pytest.mark.parametrize("transaction_size", [None, 50])
def test_the_load_s_records_bear_their_seals_and_a_copy_elsewhere_does_not_fit(
    cluster: Cluster,
    topics: Topics,
    fresh_name: Callable[[str], str],
    tmp_path: Path,
    transaction_size: int | None,
) -> None:
    topic = topics.create(fresh_name("payments"), 3)
    other = topics.create(fresh_name("refunds"), 1)
    with Recorder(tmp_path) as recorder:
        preload(
            LoadSpec(topic=topic, transaction_size=transaction_size),
            count=500,
            seed=1,
            run_id="sealed",
            client_config=cluster.client_config,
            recorder=recorder,
            identify=parse("json:/payment_id"),
            stop=threading.Event(),
        )
    sound = seals(cluster, topic)
    assert (sound.found[0].total, sound.counts["sealed_records"]) == (0, 500)
    original = next(messages[0] for messages in read_committed(cluster, topic).values() if messages)
    producer = Producer(cluster.client_config)
    headers = original.headers()
    producer.produce(other, original.value(), original.key(), headers=headers)
    producer.produce(topic, b"{}", original.key(), partition=0, headers=headers)
    assert producer.flush(WAIT_S) == 0
    (stray,) = seals(cluster, other).found[0].anomalies
    assert stray.facts == {"flaws": ["topic"]}
    (changed,) = seals(cluster, topic).found[0].anomalies
    assert (changed.place.partition, changed.facts) == (0, {"flaws": ["value"]})


def seals(cluster: Cluster, topic: str) -> Checked:
    contents = Contents(topic, limit=10)
    for number, messages in read_committed(cluster, topic).items():
        rows = [(m.key(), m.value(), m.headers()) for m in messages]
        nothing = np.zeros(len(rows), dtype=np.int64)
        flaws = flaw_column(rows, [number] * len(rows), topic=topic)  # type: ignore[arg-type]
        contents.add(
            Block(
                partition=number,
                offset=offsets(messages),
                identity=Digests(nothing, nothing),
                columns={"seal": flaws},
            )
        )
    return contents.finish()
