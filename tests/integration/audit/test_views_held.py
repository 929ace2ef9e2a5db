"""Transactions that nobody will end, planted on a real broker, beside those that are only at work;
and a real client's word held against the markers."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest
from confluent_kafka import Consumer, TopicPartition
from kafka.record.default_records import DefaultRecordBatchBuilder

from eoscheck.audit.batches.held import check_held
from eoscheck.audit.batches.view import RawView
from eoscheck.audit.checks.outcome import Checked
from eoscheck.audit.findings import Code
from eoscheck.audit.readers.headers import read_headers
from eoscheck.audit.readers.scan import Span, committed_reader
from eoscheck.audit.spec import AuditSpec
from eoscheck.cluster import Cluster, ClusterView
from eoscheck.cluster.admin_client import open_admin
from eoscheck.cluster.configs import ConfigView
from eoscheck.cluster.raw_log import RawLog
from eoscheck.cluster.transactional_ids import TransactionalIdView
from eoscheck.cluster.transactions import TransactionView
from tests.integration.audit.fetch_proxy import Answer, fetch_proxy
from tests.integration.audit.stray import PRODUCER_ID, _produce, write_stray_batch
from tests.integration.audit.writing import WAIT_S, Topics, receipt


@pytest.fixture
def lenient(lenient_cluster: Cluster, fresh_name: Callable[[str], str]) -> Topics:
    """Its coordinators are there: a cluster without any tells nothing of producers, and is
    unknown."""
    topics = Topics(lenient_cluster.client_config)
    topics.commit(topics.create(fresh_name("first")), receipt(0, 0))
    return topics


def held(topics: Topics, topic: str) -> Checked:
    with ClusterView(topics.client_config) as cluster:
        end = cluster.high_watermarks(topic)[0]
    return check_held(
        {(topic, 0): end},
        client_config=topics.client_config,
        configs=ConfigView(topics.client_config),
        spec=AuditSpec(output=topic),
    )


def test_a_batch_of_a_producer_that_no_coordinator_knows_hangs(
    lenient: Topics, fresh_name: Callable[[str], str]
) -> None:
    topic = lenient.create(fresh_name("out"))
    offset = write_stray_batch(lenient.client_config, topic, 0, b"stray")
    (found,) = held(lenient, topic).found
    (anomaly,) = found.anomalies
    assert (found.code, anomaly.offsets) == (Code.HANGING_TRANSACTION, [offset])
    assert anomaly.facts["producer_id"] == PRODUCER_ID
    assert anomaly.facts["held_back_offsets"] == 1


def test_a_batch_that_came_after_its_transaction_s_marker_hangs(
    lenient: Topics, fresh_name: Callable[[str], str]
) -> None:
    """Its coordinator knows the producer, and of no transaction that it has open (KAFKA-14402)."""
    topic = lenient.create(fresh_name("out"))
    lenient.commit(topic, receipt(0, 1))
    with TransactionView(lenient.client_config) as transactions:
        (producer,) = transactions.producers(topic, 0)
        assert transactions.transactional_ids([producer.producer_id])
    late = late_batch(lenient, topic, producer.producer_id, producer.epoch)
    (found,) = held(lenient, topic).found
    assert (found.code, found.anomalies[0].offsets) == (Code.HANGING_TRANSACTION, [late])
    assert "no coordinator knows" in found.anomalies[0].detail


def late_batch(topics: Topics, topic: str, producer_id: int, epoch: int) -> int:
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=True,
        producer_id=producer_id,
        producer_epoch=epoch,
        base_sequence=1,
        batch_size=10_000,
    )
    builder.append(0, int(time.time() * 1000), None, b"late", [])
    admin = open_admin(topics.client_config, timeout_s=10.0)
    try:
        return _produce(admin, topic, 0, bytes(builder.build()))
    finally:
        admin.close()


def test_an_ordinary_open_transaction_is_unknown_and_names_its_id(
    topics: Topics, fresh_name: Callable[[str], str]
) -> None:
    topic = topics.create(fresh_name("out"))
    with topics.open(topic, receipt(0, 1)) as producer:
        checked = held(topics, topic)
        assert [found.total for found in checked.found] == [0]
        (unknown,) = checked.unknowns
        assert f"transaction '{topic}-" in unknown.reason
        producer.commit_transaction(WAIT_S)
    (unknown,) = held(topics, topic).unknowns
    assert "ended just now" in unknown.reason


def test_coordinators_tell_time_outs_also_of_producers_at_rest(
    topics: Topics, fresh_name: Callable[[str], str]
) -> None:
    topic = topics.create(fresh_name("out"))
    topics.commit(topic, receipt(0, 1))
    with TransactionalIdView(topics.client_config) as view:
        (producer,) = view.producers(topic, 0)
        known = view.known([producer.producer_id, PRODUCER_ID])
    assert known.keys() == {producer.producer_id}
    assert known[producer.producer_id].timeout_ms == 60_000
    assert known[producer.producer_id].name.startswith(topic)


# ---------------------------------------------------------------- a real client's word


def given_by_client(config: dict[str, str], topic: str, end: int) -> np.ndarray:
    offsets: list[int] = []

    def read(consumer: Consumer) -> None:
        consumer.assign([TopicPartition(topic, 0, 0)])
        until = time.monotonic() + WAIT_S
        while time.monotonic() < until:
            message = consumer.poll(0.5)
            if message is None:
                continue
            if message.error() is not None:
                (position,) = consumer.position([TopicPartition(topic, 0)])
                assert position.offset >= end
                return
            offsets.append(message.offset() or 0)
        raise AssertionError("the client did not reach the end")

    with committed_reader(config) as consumer:
        read(consumer)
    return np.array(offsets, dtype=np.int64)


def held_against_client(topics: Topics, topic: str, config: dict[str, str]) -> Checked:
    with ClusterView(topics.client_config) as cluster:
        end = cluster.high_watermarks(topic)[0]
    view = RawView(topic, limit=10)
    view.delivered(0, given_by_client(config, topic, end))
    view.read_by_client(0, start=0, stop=end)
    with RawLog(topics.client_config) as log:
        read_headers(topic, {0: Span(start=0, cut=end)}, log=log, view=view)
    return view.checked()


def test_what_a_real_client_gave_is_what_the_markers_say(
    topics: Topics, fresh_name: Callable[[str], str]
) -> None:
    topic = topics.create(fresh_name("out"))
    for number in range(5):
        topics.commit(topic, receipt(0, number), receipt(0, number + 10))
        topics.abort(topic, receipt(0, 99))
        topics.write(topic, receipt(0, number + 20))
    assert held_against_client(topics, topic, topics.client_config) == Checked()


def test_a_real_client_that_a_proxy_deceives_is_found_out(
    topics: Topics, fresh_name: Callable[[str], str]
) -> None:
    topic = topics.create(fresh_name("out"))
    topics.commit(topic, receipt(0, 1))
    aborted = topics.abort(topic, receipt(0, 2), receipt(0, 3))
    topics.write(topic, receipt(0, 4))
    with fetch_proxy(
        topics.client_config["bootstrap.servers"], lambda answer: Answer(answer.batches, [])
    ) as proxy:
        config = {**topics.client_config, "bootstrap.servers": f"127.0.0.1:{proxy.port}"}
        checked = held_against_client(topics, topic, config)
        assert proxy.lies > 0
    (found,) = checked.found
    assert (found.code, found.anomalies[0].offsets) == (Code.ABORTED_VISIBLE, aborted)
