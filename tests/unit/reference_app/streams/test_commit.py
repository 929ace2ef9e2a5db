"""The order of commit, and what each kind of error leads to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from confluent_kafka import KafkaError

from reference_app.streams.commit import AtLeastOnce, ExactlyOnce
from reference_app.streams.errors import SessionLost, TransactionAborted
from reference_app.streams.store import Position
from reference_app.streams.task import Task
from tests.unit.reference_app.streams.fakes import (
    TOPIC,
    Calls,
    FakeConsumer,
    FakeProducer,
    failure,
    kinds,
    make_task,
    record,
)


class Bench:
    def __init__(self, folder: Path) -> None:
        self.calls = Calls()
        self.producer = FakeProducer(self.calls)
        self.consumer = FakeConsumer(self.calls)
        self.task: Task = make_task(folder, self.calls, committed=10)

    def committer(self, kind: Any, *, timeout_s: float = 1.0) -> Any:
        return kind(
            lambda **_: self.producer,
            self.consumer,
            input_topic=TOPIC,
            timeout_s=timeout_s,
        )

    def work(self, committer: Any) -> None:
        self.task.process([record(10), record(11)], committer.begin)
        committer.send("out", b"value", b"key")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.task.close()


def test_exactly_once_makes_the_store_durable_last(bench: Bench) -> None:
    committer = bench.committer(ExactlyOnce)
    bench.work(committer)
    committer.commit([bench.task])
    assert bench.calls == [
        "begin_transaction",
        "produce out",
        "produce changelog",
        "flush",
        "send_offsets_to_transaction",
        "commit_transaction",
        "store durable",
    ]
    assert [p.offset for p in bench.producer.offsets] == [12], "the next record to process"
    assert bench.task.committed == 12
    assert not committer.in_transaction


def test_at_least_once_commits_offsets_last(bench: Bench) -> None:
    committer = bench.committer(AtLeastOnce)
    bench.work(committer)
    committer.commit([bench.task])
    assert bench.calls == [
        "produce out",
        "produce changelog",
        "flush",
        "store durable",
        "commit offsets",
    ]
    assert [p.offset for p in bench.consumer.committed_offsets] == [12]


def test_the_store_knows_the_changelog_offset_it_was_committed_with(bench: Bench) -> None:
    committer = bench.committer(ExactlyOnce)
    bench.work(committer)
    committer.commit([bench.task])
    # out is offset 0 of the fake's only log, the changelog's record offset 1.
    assert bench.task.stores[0].store.position == Position("topic-id", 2, 1.0)


def test_without_a_report_the_store_is_as_far_as_it_has_written_and_never_further(
    bench: Bench,
) -> None:
    """At-least-once hears of failures only. Markers and records of others make the true offset a
    higher one: then some records are replayed, which changes nothing."""
    committer = bench.committer(AtLeastOnce)
    bench.task.stores[0].store.finish_restore(Position("topic-id", 40, 1.0))
    bench.work(committer)
    committer.commit([bench.task])
    assert bench.task.stores[0].store.position == Position("topic-id", 41, 1.0)


def test_group_metadata_is_fresh_for_each_commit(bench: Bench) -> None:
    committer = bench.committer(ExactlyOnce)
    bench.work(committer)
    bench.consumer.generation = 7
    committer.commit([bench.task])
    assert bench.producer.member == "generation 7"


def test_a_transaction_begins_once_and_only_at_a_record(bench: Bench) -> None:
    committer = bench.committer(ExactlyOnce)
    bench.task.process([], committer.begin)
    assert bench.calls == []
    bench.task.process([record(10)], committer.begin)
    bench.task.process([record(11)], committer.begin)
    assert bench.calls == ["begin_transaction"]


@pytest.mark.parametrize("call", ["send_offsets_to_transaction", "commit_transaction"])
def test_a_retriable_error_makes_the_same_call_again(bench: Bench, call: str) -> None:
    bench.producer.failures[call] = [failure(retriable=True), failure(retriable=True)]
    committer = bench.committer(ExactlyOnce)
    bench.work(committer)
    committer.commit([bench.task])
    assert bench.calls.count(call) == 3
    assert "abort_transaction" not in bench.calls
    assert bench.task.committed == 12


@pytest.mark.parametrize("call", ["produce", "send_offsets_to_transaction", "commit_transaction"])
def test_an_abortable_error_asks_for_a_rollback(bench: Bench, call: str) -> None:
    bench.producer.failures[call] = [failure(abort=True)]
    committer = bench.committer(ExactlyOnce)
    with pytest.raises(TransactionAborted):
        bench.work(committer)
        committer.commit([bench.task])
    committer.abort()
    assert bench.calls[-1] == "abort_transaction"
    assert "store durable" not in bench.calls
    assert bench.task.committed == 10


@pytest.mark.parametrize(
    "call", ["produce", "flush", "send_offsets_to_transaction", "commit_transaction"]
)
def test_a_fatal_error_ends_the_session(bench: Bench, call: str) -> None:
    bench.producer.failures[call] = [failure(KafkaError._FENCED, fatal=True)]
    committer = bench.committer(ExactlyOnce)
    with pytest.raises(SessionLost):
        bench.work(committer)
        committer.commit([bench.task])
    assert "abort_transaction" not in bench.calls
    assert "store durable" not in bench.calls


def test_a_flush_that_stalls_asks_whether_the_transaction_has_failed(bench: Bench) -> None:
    """The client sends nothing more then, and does not say so by itself."""
    bench.producer.stalled = True
    bench.producer.failures["send_offsets_to_transaction"] = [failure(abort=True)]
    committer = bench.committer(ExactlyOnce, timeout_s=60)
    bench.work(committer)
    with pytest.raises(TransactionAborted):
        committer.commit([bench.task])
    assert bench.calls.count("flush") == 1


def test_a_fatal_error_in_the_midst_of_delivery_reports_is_told_apart(bench: Bench) -> None:
    mixed = SystemError("a report returned a result with an exception set")
    mixed.__cause__ = failure(KafkaError._FENCED, fatal=True)
    bench.producer.failures["flush"] = [mixed]
    committer = bench.committer(ExactlyOnce)
    bench.work(committer)
    with pytest.raises(SessionLost, match="_FENCED"):
        committer.commit([bench.task])


def test_a_flush_is_not_waited_for_for_ever(bench: Bench) -> None:
    bench.producer.stalled = True
    committer = bench.committer(ExactlyOnce, timeout_s=0.05)
    bench.work(committer)
    with pytest.raises(SessionLost, match=r"1 records not delivered in 0\.05 s"):
        committer.commit([bench.task])


def test_a_commit_of_unknown_outcome_is_never_aborted(bench: Bench) -> None:
    """It may have happened: only the broker's own offsets and changelog can tell."""
    bench.producer.failures["commit_transaction"] = [failure(retriable=True)] * 1000
    committer = bench.committer(ExactlyOnce, timeout_s=0.2)
    bench.work(committer)
    with pytest.raises(SessionLost, match="outcome of the commit unknown"):
        committer.commit([bench.task])
    commits = bench.calls[bench.calls.index("commit_transaction") :]
    assert len(commits) > 1
    assert kinds(commits) == ["commit_transaction"]


def test_at_least_once_does_not_commit_past_a_failed_delivery(bench: Bench) -> None:
    bench.producer.undelivered = True
    committer = bench.committer(AtLeastOnce)
    bench.work(committer)
    with pytest.raises(SessionLost, match="not delivered"):
        committer.commit([bench.task])
    assert "commit offsets" not in bench.calls
    assert "store durable" not in bench.calls


def test_at_least_once_says_a_refused_commit_again_after_the_rebalance(bench: Bench) -> None:
    bench.consumer.commit_failures = [failure(KafkaError.ILLEGAL_GENERATION)]
    committer = bench.committer(AtLeastOnce)
    bench.work(committer)
    committer.commit([bench.task])
    assert bench.task.needs_commit
    committer.commit([bench.task])
    assert not bench.task.needs_commit


def test_initialising_is_given_up_when_the_app_is_stopped(bench: Bench) -> None:
    bench.producer.failures["init_transactions"] = [failure(retriable=True)] * 1000
    stopping = Event()
    stopping.set()
    with pytest.raises(SessionLost):
        bench.committer(ExactlyOnce, timeout_s=60).open(stopping)
    assert bench.calls == ["init_transactions"]
