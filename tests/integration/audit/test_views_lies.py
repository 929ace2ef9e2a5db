"""A reader between two views: what a broker refuses to do, a proxy does, and each lie is found
out; the same topic read honestly is silent."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from confluent_kafka import Producer

from eoscheck.audit.batches.tail import follow_to_markers
from eoscheck.audit.batches.view import RawView
from eoscheck.audit.checks.outcome import Checked
from eoscheck.audit.findings import Code
from eoscheck.audit.forensics.explain import explain
from eoscheck.audit.readers.headers import read_headers
from eoscheck.audit.readers.scan import Span
from eoscheck.cluster import Cluster, ClusterView
from eoscheck.cluster.raw_log import RawLog
from eoscheck.logformat import Control
from tests.integration.audit.fetch_proxy import (
    Answer,
    FetchProxy,
    Lie,
    base_offset,
    fetch_proxy,
    flipped,
    header,
    with_epoch,
    with_marker,
    without,
)
from tests.integration.audit.stray import write_stray_batch
from tests.integration.audit.test_audit_unknown import delete_below
from tests.integration.audit.writing import WAIT_S, Out, Topics, receipt


@dataclass(frozen=True)
class Written:
    """Offsets of the topic's records by what became of them."""

    topic: str
    committed: list[int]
    aborted: list[int]
    more: list[int]
    plain: list[int]


@pytest.fixture
def written(topics: Topics, fresh_name: Callable[[str], str]) -> Written:
    topic = topics.create(fresh_name("receipts"))
    committed = topics.commit(topic, *(receipt(0, number) for number in range(3)))
    aborted = topics.abort(topic, *(receipt(0, number) for number in range(3, 6)))
    more = topics.commit(topic, *(receipt(0, number) for number in range(6, 9)))
    plain = topics.write(topic, receipt(0, 9))
    return Written(topic, committed, aborted, more, plain)


def honest(answer: Answer) -> Answer:
    return answer


def view_of(
    topics: Topics, topic: str, lie: Lie = honest, *, partitions: Sequence[int] = (0,)
) -> tuple[RawView, FetchProxy]:
    """Reads through the proxy with the auditor's own fetcher."""
    with ClusterView(topics.client_config) as cluster:
        ends = cluster.high_watermarks(topic)
        starts = cluster.log_starts(topic)
    view = RawView(topic, limit=10)
    with fetch_proxy(topics.client_config["bootstrap.servers"], lie) as proxy:
        config = {**topics.client_config, "bootstrap.servers": f"127.0.0.1:{proxy.port}"}
        with RawLog(config) as log:
            read(
                topic,
                {number: Span(start=starts[number], cut=ends[number]) for number in partitions},
                log=log,
                view=view,
            )
    return view, proxy


def read(topic: str, spans: dict[int, Span], *, log: RawLog, view: RawView) -> None:
    """As an audit does it where another reader reads the records."""
    read_headers(topic, spans, log=log, view=view, patience_s=1.0)
    follow_to_markers({n: span.cut for n, span in spans.items()}, log=log, view=view)


def found(checked: Checked) -> list[tuple[str, list[int]]]:
    return [
        (each.code.value, anomaly.offsets) for each in checked.found for anomaly in each.anomalies
    ]


def lied(topics: Topics, topic: str, lie: Lie) -> Checked:
    view, proxy = view_of(topics, topic, lie)
    assert proxy.lies > 0, "the proxy changed nothing"
    return view.checked()


def edge(offsets: list[int]) -> list[int]:
    return [offsets[0], offsets[-1]]


def test_an_honest_broker_is_believed_through_the_proxy(topics: Topics, written: Written) -> None:
    view, proxy = view_of(topics, written.topic)
    assert proxy.lies == 0
    checked = view.checked()
    assert (checked.found, checked.unknowns) == ([], [])
    figures = view.statistics()
    assert (figures.committed, figures.aborted, figures.open) == (2, 1, 0)
    assert (figures.committed_records, figures.aborted_records, figures.lso_lag) == (6, 3, 0)


def test_a_list_that_leaves_an_aborted_transaction_out_is_found_out(
    topics: Topics, written: Written
) -> None:
    checked = lied(topics, written.topic, lambda answer: Answer(answer.batches, []))
    assert found(checked) == [("ABORTED_VISIBLE", edge(written.aborted))]


def producer_of(answer: Answer, offset: int) -> int:
    return next(
        int(header(batch).producer_id[0])
        for batch in answer.batches
        if header(batch).base_offset[0] <= offset <= header(batch).last_offset[0]
    )


def test_a_list_that_names_a_committed_transaction_is_found_out(
    topics: Topics, written: Written
) -> None:
    def lie(answer: Answer) -> Answer:
        if not answer.batches:
            return answer
        entry = producer_of(answer, written.more[0]), written.more[0]
        return Answer(answer.batches, [*answer.aborted, entry])

    assert found(lied(topics, written.topic, lie)) == [("LOST_COMMIT", edge(written.more))]


@pytest.mark.parametrize(
    ("kind", "code"), [(Control.ABORT, "ABORTED_VISIBLE"), (Control.COMMIT, "LOST_COMMIT")]
)
def test_a_marker_of_the_other_kind_contradicts_the_list(
    topics: Topics, written: Written, kind: Control, code: str
) -> None:
    transaction = written.more if kind is Control.ABORT else written.aborted
    marker = transaction[-1] + 1

    def lie(answer: Answer) -> Answer:
        batches = [
            with_marker(batch, kind) if base_offset(batch) == marker else batch
            for batch in answer.batches
        ]
        return Answer(batches, answer.aborted)

    assert found(lied(topics, written.topic, lie)) == [(code, edge(transaction))]


def test_a_committed_batch_of_a_fenced_epoch_is_a_zombie_s(
    topics: Topics, fresh_name: Callable[[str], str]
) -> None:
    topic = topics.create(fresh_name("out"))
    first, second = two_transactions(topics, topic)

    def lie(answer: Answer) -> Answer:
        """The second transaction with the epoch of before: no broker takes that."""
        batches = [
            with_epoch(batch, 0) if base_offset(batch) == second else with_epoch(batch, 5)
            for batch in answer.batches
        ]
        return Answer(batches, answer.aborted)

    assert found(lied(topics, topic, lie)) == [("ZOMBIE_WRITE", [second])]
    view, _proxy = view_of(topics, topic)
    assert view.checked() == Checked()
    assert first < second


def two_transactions(topics: Topics, topic: str) -> tuple[int, int]:
    """Of one producer."""
    places: list[int] = []
    producer = Producer(
        {
            **topics.client_config,
            "transactional.id": topic,
            "log_level": 0,
        }
    )
    producer.init_transactions(WAIT_S)
    for number in range(2):
        producer.begin_transaction()
        producer.produce(
            topic,
            value=str(number).encode(),
            partition=0,
            on_delivery=lambda _error, message: places.append(message.offset() or 0),
        )
        producer.commit_transaction(WAIT_S)
    first, second = places
    return first, second


def test_a_flipped_bit_is_corrupt(topics: Topics, written: Written) -> None:
    place = written.committed[0]

    def lie(answer: Answer) -> Answer:
        batches = [
            flipped(batch) if base_offset(batch) == place else batch for batch in answer.batches
        ]
        return Answer(batches, answer.aborted)

    checked = lied(topics, written.topic, lie)
    assert found(checked)[0][0] == "CORRUPTED"
    assert [each.code for each in checked.found] == [Code.CORRUPTED]
    assert len(checked.unknowns) == 1


def test_a_batch_dropped_out_of_a_committed_transaction_is_lost(
    topics: Topics, fresh_name: Callable[[str], str]
) -> None:
    topic = topics.create(fresh_name("out"))
    with topics.transaction(topic) as producer:
        for number in range(3):
            producer.produce(topic, value=str(number).encode(), partition=0)
            producer.flush(WAIT_S)
        producer.commit_transaction(WAIT_S)

    def lie(answer: Answer) -> Answer:
        return Answer(without(answer.batches, 1), answer.aborted)

    assert found(lied(topics, topic, lie)) == [("LOST_COMMIT", [1])]


def test_a_dropped_batch_that_nothing_proves_is_unknown(topics: Topics, written: Written) -> None:
    # Everything of one transaction: no batch of its producer is left to miss it.
    gone = [*written.more, written.more[-1] + 1]
    checked = lied(
        topics, written.topic, lambda answer: Answer(without(answer.batches, *gone), answer.aborted)
    )
    assert checked.found == []
    assert "hold nothing" in checked.unknowns[0].reason


def test_a_dropped_marker_makes_its_transaction_unknown(topics: Topics, written: Written) -> None:
    marker = written.aborted[-1] + 1
    checked = lied(
        topics,
        written.topic,
        lambda answer: Answer(without(answer.batches, marker), answer.aborted),
    )
    assert checked.found == []
    assert len(checked.unknowns) == 1


def test_the_story_of_an_offset_says_that_list_and_marker_disagree(
    topics: Topics, written: Written
) -> None:
    broker = topics.client_config["bootstrap.servers"]
    with fetch_proxy(broker, lambda answer: Answer(answer.batches, [])) as proxy:
        config = {**topics.client_config, "bootstrap.servers": f"127.0.0.1:{proxy.port}"}
        story = explain(written.topic, 0, written.aborted[1], client_config=config)
    assert story.visible is False
    assert story.contradiction is not None
    assert "does not name it: a client is given this record" in story.contradiction
    told = explain(written.topic, 0, written.aborted[1], client_config=topics.client_config)
    assert told.contradiction is None


# ---------------------------------------------------------------- honest look-alikes


def test_an_ordinary_life_is_silent(topics: Topics, fresh_name: Callable[[str], str]) -> None:
    """Fencing, a restart with the same id, empty transactions, an idle partition, deleted records,
    and a transaction whose marker comes after the cut."""
    topic = topics.create(fresh_name("out"), 2)
    for _ in range(3):
        two_transactions(topics, topic)
        with topics.transaction(topic) as producer:
            producer.abort_transaction(WAIT_S)
        topics.write(topic, Out(0, b"plain"))
    fenced = Producer(
        {**topics.client_config, "transactional.id": topic, "log_level": 0, "linger.ms": 0}
    )
    fenced.init_transactions(WAIT_S)
    fenced.begin_transaction()
    fenced.produce(topic, value=b"fenced", partition=0)
    fenced.flush(WAIT_S)
    two_transactions(topics, topic)  # aborts what the one before left open
    delete_below(topics, topic, 0, 3)
    view, _proxy = view_of(topics, topic, partitions=(0, 1))
    checked = view.checked()
    assert (checked.found, checked.unknowns) == ([], [])
    assert view.statistics().aborted >= 1
    assert view.statistics().open == 0


def test_a_transaction_is_followed_past_the_cut_to_its_marker(
    topics: Topics, fresh_name: Callable[[str], str]
) -> None:
    topic = topics.create(fresh_name("out"))
    with topics.open(topic, receipt(0, 1)) as producer:
        view = RawView(topic, limit=10)
        commit = threading.Timer(0.5, producer.commit_transaction)
        commit.start()
        with RawLog(topics.client_config) as log:
            read(topic, {0: Span(start=0, cut=1)}, log=log, view=view)
        commit.join()
    assert (view.statistics().committed, view.statistics().open) == (1, 0)


def test_a_marker_many_answers_behind_the_cut_is_reached(
    topics: Topics, fresh_name: Callable[[str], str]
) -> None:
    topic = topics.create(fresh_name("out"))
    with topics.open(topic, receipt(0, 1)) as producer:
        for _ in range(12):
            topics.write(topic, Out(0, b"x" * 900_000))
        producer.commit_transaction(WAIT_S)
    view = RawView(topic, limit=10)
    with RawLog(topics.client_config) as log:
        read_headers(topic, {0: Span(start=0, cut=1)}, log=log, view=view)
        assert view.waits_for_marker(0, below=1)
        follow_to_markers({0: 1}, log=log, view=view)
    assert not view.waits_for_marker(0, below=1)
    assert view.statistics().committed == 1


def _wait_stable(topic: str, offset: int, client_config: Mapping[str, str]) -> None:
    give_up_at = time.monotonic() + WAIT_S
    with ClusterView(client_config) as cluster:
        while (stable := cluster.last_stable_offsets(topic)[0]) < offset:
            assert time.monotonic() < give_up_at, f"stable to {stable}, not {offset}"
            time.sleep(0.02)


def test_an_open_transaction_holds_a_partition_back_for_the_patience(
    lenient_cluster: Cluster, fresh_name: Callable[[str], str]
) -> None:
    topics = Topics(lenient_cluster.client_config)
    topic = topics.create(fresh_name("out"))
    topics.commit(topic, receipt(0, 1))
    _wait_stable(topic, 2, topics.client_config)  # its marker comes after the answer
    write_stray_batch(topics.client_config, topic, 0, b"stray")
    view = RawView(topic, limit=10)
    with RawLog(topics.client_config) as log:
        read(topic, {0: Span(start=0, cut=3)}, log=log, view=view)
    assert view.statistics().lso_lag == 1
    assert view.checked() == Checked()


def test_a_topic_that_was_compacted_has_holes_and_no_findings(
    lenient_cluster: Cluster, fresh_name: Callable[[str], str]
) -> None:
    topics = Topics(lenient_cluster.client_config)
    topic = topics.create(
        fresh_name("table"),
        cleanup_policy="compact",
        min_cleanable_dirty_ratio="0.001",
        segment_bytes="1048576",
        segment_ms="100",
        delete_retention_ms="0",
    )
    for number in range(4):
        topics.commit(topic, *(Out(0, {"n": number}, key=key) for key in "abc"))
        topics.abort(topic, Out(0, {"n": -1}, key="d"))

    def viewed(**options: Any) -> RawView:
        view = RawView(topic, limit=10, **options)
        with RawLog(topics.client_config) as log:
            read(topic, {0: Span(start=0, cut=end())}, log=log, view=view)
        return view

    def end() -> int:
        with ClusterView(topics.client_config) as cluster:
            return cluster.high_watermarks(topic)[0]

    until = time.monotonic() + WAIT_S
    while not viewed()._partitions[0].was_compacted:
        assert time.monotonic() < until, "the cleaner did not run"
        time.sleep(0.2)
        topics.commit(topic, Out(0, {"n": 9}, key="z"))  # rolls the segment
    view = viewed(compacted=True)
    assert (view.checked().found, view.checked().unknowns) == ([], [])
