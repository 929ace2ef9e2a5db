"""A group's committed offsets against its outputs, on a real broker and with subjects at work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from eoscheck.audit.checks.joined import join
from eoscheck.audit.checks.offsets import check_offsets, stand
from eoscheck.audit.checks.outcome import Anomaly, Checked
from eoscheck.audit.findings import Code
from eoscheck.audit.identity import parse
from eoscheck.audit.rows.columns import encode
from eoscheck.audit.rows.records import Records
from eoscheck.cluster import Cluster, ClusterView
from tests.integration.audit.reading import read_committed
from tests.integration.audit.writing import WAIT_S, Topics, payment, receipt

ROUNDS, INPUTS = 6, 600
"""So many are written before each audit, which takes less than they do."""


def records(cluster: Cluster, topic: str) -> Records:
    found = read_committed(cluster, topic)
    rows = [(n, m) for n, messages in sorted(found.items()) for m in messages]
    identify = parse("json:/id")
    identity, known = encode([identify(m.key(), m.value(), None) for _n, m in rows])
    assert known is None
    return Records(
        topic=topic,
        partition=np.array([number for number, _m in rows], dtype=np.int64),
        offset=np.array([m.offset() for _n, m in rows], dtype=np.int64),
        identity=identity,
    )


def audit(cluster: Cluster, group: str, source: str, output: str) -> Checked:
    """In the order that an audit has: offsets A, outputs, inputs, offsets B."""
    with ClusterView(cluster.client_config) as view:
        before = view.committed(group, source)
        outputs = records(cluster, output)
        inputs = records(cluster, source)
        after = view.committed(group, source)
    limits = np.array([before.get(number, 0) for number in inputs.partition.tolist()])
    joined = join(outputs, inputs, due=np.asarray(inputs.offset < limits))
    return check_offsets(
        stand(joined, after=after),
        topic=source,
        group=group,
        before=before,
        after=after,
        limit=10,
    )


def found(checked: Checked) -> list[tuple[Code, int, list[int], int]]:
    """(code, partition, offsets, how many)"""
    return [
        (each.code, a.place.partition, a.offsets, _number(a))
        for each in checked.found
        for a in each.anomalies
    ]


def _number(anomaly: Anomaly) -> int:
    return int(anomaly.facts.get("missing", anomaly.facts.get("reread")))


class Subject:
    """Copies payments to receipts in transactions, until told to stop; aborts some and does them
    again. `step` may be replaced to break it."""

    def __init__(self, cluster: Cluster, group: str, source: str, output: str) -> None:
        self.group, self.source, self.output = group, source, output
        self.consumer = Consumer(
            {
                **cluster.client_config,
                "group.id": group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 20,
            }
        )
        self.producer = Producer(
            {**cluster.client_config, "transactional.id": group, "linger.ms": 0, "log_level": 0}
        )
        self.producer.init_transactions(WAIT_S)
        self.consumer.subscribe([source])
        self.done = 0
        self.step = self.together

    def run(self, stop: threading.Event, progress: threading.Event) -> None:
        number = 0
        while not stop.is_set():
            messages = [m for m in self.consumer.consume(40, 0.5) if not m.error()]
            if messages:
                number += 1
                self.step(messages, abort_first=number % 5 == 0)
                self.done += len(messages)
                progress.set()

    def together(self, messages: list[Any], *, abort_first: bool = False) -> None:
        if abort_first:
            self.begin(messages)
            self.offsets()
            self.producer.abort_transaction(WAIT_S)
        self.begin(messages)
        self.offsets()
        self.producer.commit_transaction(WAIT_S)

    def outputs_first(self, messages: list[Any], *, abort_first: bool = False) -> None:
        """Outputs in one transaction; offsets would come in the next, but it dies before."""
        self.begin(messages)
        self.producer.commit_transaction(WAIT_S)

    def offsets_first(self, messages: list[Any], *, abort_first: bool = False) -> None:
        """Offsets in one transaction; outputs would come in the next, but it dies before."""
        self.producer.begin_transaction()
        self.offsets()
        self.producer.commit_transaction(WAIT_S)

    def begin(self, messages: list[Any]) -> None:
        self.producer.begin_transaction()
        for message in messages:
            self.producer.produce(self.output, message.value(), partition=message.partition())

    def offsets(self) -> None:
        self.producer.send_offsets_to_transaction(
            self.consumer.position(self.consumer.assignment()),
            self.consumer.consumer_group_metadata(),
            WAIT_S,
        )


@pytest.fixture
def group(fresh_name: Callable[[str], str]) -> str:
    return fresh_name("app")


@contextmanager
def at_work(subject: Subject) -> Iterator[None]:
    """The subject in a thread of its own, once it has done something."""
    stop, progress = threading.Event(), threading.Event()
    thread = threading.Thread(target=subject.run, args=(stop, progress))
    thread.start()
    try:
        assert progress.wait(WAIT_S), "waited for the subject's first transaction"
        yield
    finally:
        stop.set()
        thread.join()
        subject.consumer.close()


def test_a_subject_at_work_that_commits_both_together_is_neither_ahead_nor_behind(
    cluster: Cluster, topics: Topics, pair: tuple[str, str], group: str
) -> None:
    source, output = pair
    topics.write(source, payment(0, 0))
    subject = Subject(cluster, group, source, output)
    moved = 0
    with at_work(subject):
        for begin in range(1, ROUNDS * INPUTS, INPUTS):
            topics.write(source, *[payment(n % 2, n) for n in range(begin, begin + INPUTS)])
            began = subject.done
            assert found(audit(cluster, group, source, output)) == []
            moved += subject.done > began
    assert found(audit(cluster, group, source, output)) == []
    assert moved >= 2, "the subject was not at work while it was read"


@pytest.mark.parametrize("broken", ["outputs_first", "offsets_first"])
def test_one_that_dies_between_its_two_commits_is_found_by_what_it_did_last(
    cluster: Cluster, topics: Topics, pair: tuple[str, str], group: str, broken: str
) -> None:
    source, output = pair
    topics.write(source, *[payment(0, number) for number in range(30)])
    subject = Subject(cluster, group, source, output)
    try:
        while subject.done < 20:
            messages = [
                m for m in subject.consumer.consume(20 - subject.done, 1.0) if not m.error()
            ]
            if messages:
                subject.together(messages)
                subject.done += len(messages)
        while subject.done < 30:
            messages = [
                m for m in subject.consumer.consume(30 - subject.done, 1.0) if not m.error()
            ]
            if messages:
                getattr(subject, broken)(messages)
                subject.done += len(messages)
    finally:
        subject.consumer.close()
    code = Code.OFFSET_BEHIND if broken == "outputs_first" else Code.OFFSET_AHEAD
    assert found(audit(cluster, group, source, output)) == [(code, 0, [20, 29], 10)]


def test_control_records_and_aborted_ones_between_are_no_inputs(
    cluster: Cluster, topics: Topics, pair: tuple[str, str], group: str
) -> None:
    source, output = pair
    topics.commit(source, payment(0, 1))
    topics.abort(source, payment(0, 2), payment(0, 3))
    topics.commit(source, payment(0, 4))
    topics.abort(source, payment(0, 5))
    with ClusterView(cluster.client_config) as view:
        end = view.high_watermarks(source)[0]
    topics.commit(output, receipt(0, 1), receipt(0, 4))
    topics.commit_offsets(group, source, {0: end})
    assert found(audit(cluster, group, source, output)) == []
    topics.commit_offsets(group, source, {0: 1})
    ((code, _partition, _offsets, number),) = found(audit(cluster, group, source, output))
    assert (code, number) == (Code.OFFSET_BEHIND, 1)


def test_offsets_that_an_open_transaction_holds_are_waited_for(
    cluster: Cluster, topics: Topics, pair: tuple[str, str], group: str
) -> None:
    """Its outputs are committed with its offsets, while the audit waits for the stable ones."""
    source, output = pair
    topics.write(source, *[payment(0, number) for number in range(10)])
    topics.commit_offsets(group, source, {0: 0})
    consumer = Consumer({**cluster.client_config, "group.id": group})
    with topics.open(output, *[receipt(0, number) for number in range(10)]) as producer:
        producer.send_offsets_to_transaction(
            [TopicPartition(source, 0, 10)], consumer.consumer_group_metadata(), WAIT_S
        )
        timer = threading.Timer(0.5, producer.commit_transaction, (WAIT_S,))
        timer.start()
        checked = audit(cluster, group, source, output)
        timer.join()
    consumer.close()
    assert found(checked) == []
    assert checked.counts == {"claimed_without_output": 0, "to_be_reread": 0}
