"""What a worker does when it is assigned, revoked, robbed, or has to roll back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from confluent_kafka import KafkaError, TopicPartition

from reference_app.streams.commit import ExactlyOnce
from reference_app.streams.errors import FencedError, ProcessingError, SessionLost
from reference_app.streams.stream_time import Committed
from reference_app.streams.task import Task
from reference_app.streams.worker import Worker
from tests.unit.reference_app.streams.fakes import (
    TOPIC,
    Calls,
    FakeConsumer,
    FakeProducer,
    event,
    failure,
    new_task,
    record,
)

COMMITTED = 10


class FakeRestorer:
    """Restores nothing: a task is ready in the next turn."""

    reading = False

    def __init__(self) -> None:
        self.tasks: list[Task] = []

    @property
    def active(self) -> bool:
        return bool(self.tasks)

    def add(self, task: Task) -> None:
        task.start_restoring()
        self.tasks.append(task)

    def remove(self, partition: int) -> None:
        self.tasks = [task for task in self.tasks if task.partition != partition]

    def step(self, timeout: float) -> list[tuple[Task, Committed]]:
        ready, self.tasks = self.tasks, []
        return [(task, Committed(COMMITTED)) for task in ready]

    def close(self) -> None:
        self.tasks = []


class Progress:
    def __init__(self) -> None:
        self.records = self.commits = self.aborts = 0

    def processed(self, records: int) -> None:
        self.records += records

    def committed(self) -> None:
        self.commits += 1

    def aborted(self) -> None:
        self.aborts += 1


class Bench:
    """A worker with two tasks at offset 10, and a clock that only the test moves."""

    def __init__(self, folder: Path) -> None:
        self.calls = Calls()
        self.producer = FakeProducer(self.calls)
        self.consumer = FakeConsumer(self.calls)
        self.progress = Progress()
        self.now = 0.0
        self.built: list[Task] = []

        def build(partition: int) -> Task:
            task = new_task(folder / str(len(self.built)), self.calls, partition=partition)
            self.built.append(task)
            return task

        self.worker = Worker(
            consumer=self.consumer,  # type: ignore[arg-type]
            committer=ExactlyOnce(
                lambda **_: self.producer,  # type: ignore[arg-type, return-value]
                self.consumer,  # type: ignore[arg-type]
                input_topic=TOPIC,
                timeout_s=0.2,
            ),
            restorer=FakeRestorer(),  # type: ignore[arg-type]
            build_task=build,
            progress=self.progress,
            input_topic=TOPIC,
            commit_interval_s=1.0,
            max_poll_records=100,
            patience_s=60.0,
            clock=lambda: self.now,
        )
        self.worker.start(Event())
        self.rebalance("on_assign", 0, 1)
        self.worker.step()
        self.calls.clear()

    def rebalance(self, callback: str, *partitions: int) -> None:
        places = [TopicPartition(TOPIC, partition) for partition in partitions]
        self.consumer.callbacks[callback](self.consumer, places)

    def during_poll(self, callback: str, *partitions: int) -> None:
        """The rebalance happens inside the next `consume`, as the client does it."""

        def run() -> None:
            self.consumer.before_batch = lambda: None
            self.rebalance(callback, *partitions)

        self.consumer.before_batch = run

    def turn(self, *messages: object, later: float = 0.0) -> None:
        self.consumer.batches.append(list(messages))  # type: ignore[arg-type]
        self.now += later
        self.worker.step()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    for task in made.built:
        task.close()


def test_the_group_is_joined_after_the_former_self_was_fenced(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    order = Calls()
    bench.producer.calls = bench.consumer.calls = order
    bench.worker.start(Event())
    assert order == ["init_transactions", "subscribe"]
    for task in bench.built:
        task.close()


def test_an_assigned_partition_is_fetched_only_when_its_task_is_restored(bench: Bench) -> None:
    bench.rebalance("on_assign", 2)
    assert bench.calls == ["assign "]
    bench.worker.step()
    assert bench.calls == ["assign ", "assign 2@10"]


def test_the_commit_interval_is_kept(bench: Bench) -> None:
    bench.turn(record(10), later=0.5)
    assert bench.progress.commits == 0
    bench.turn(record(11), later=0.6)
    assert bench.progress.commits == 1
    assert [p.offset for p in bench.producer.offsets] == [12]


def test_all_tasks_of_a_worker_share_one_transaction(bench: Bench) -> None:
    bench.turn(record(10), record(10, partition=1), later=2)
    assert bench.calls.count("begin_transaction") == 1
    assert {(p.partition, p.offset) for p in bench.producer.offsets} == {(0, 11), (1, 11)}


def test_nothing_is_committed_where_nothing_was_processed(bench: Bench) -> None:
    bench.turn(later=5)
    assert bench.calls == []


def test_passing_control_records_alone_is_committed(bench: Bench) -> None:
    bench.turn(event(KafkaError._PARTITION_EOF, offset=12), later=2)
    assert [p.offset for p in bench.producer.offsets] == [12]


def test_a_revocation_commits_before_the_partition_is_given_up(bench: Bench) -> None:
    bench.turn(record(10))
    bench.rebalance("on_revoke", 0)
    assert bench.calls.index("commit_transaction") < bench.calls.index("unassign 0")
    assert list(bench.worker.tasks) == [1]


def test_a_lost_partition_is_not_committed(bench: Bench) -> None:
    bench.turn(record(10), record(10, partition=1))
    bench.rebalance("on_lost", 0, 1)
    assert "commit_transaction" not in bench.calls
    assert "send_offsets_to_transaction" not in bench.calls
    assert "abort_transaction" in bench.calls
    assert "store durable" not in bench.calls
    assert not bench.worker.tasks


def test_an_abort_goes_back_to_the_committed_offset_and_processes_again(bench: Bench) -> None:
    bench.producer.failures["send_offsets_to_transaction"] = [failure(abort=True)]
    bench.turn(record(10), record(11), later=2)
    assert bench.calls[-3:] == ["abort_transaction", "unassign 0,1", "assign 0@10,1@10"]
    bench.turn(record(10), record(11), later=2)
    assert [p.offset for p in bench.producer.offsets] == [12]
    assert bench.progress.aborts == 1


def test_what_was_polled_while_a_revocation_rolled_back_is_not_processed(bench: Bench) -> None:
    """The batch that comes with the callback begins beyond the offset the consumer goes back to."""
    bench.turn(record(10))
    bench.producer.failures["send_offsets_to_transaction"] = [failure(abort=True)]
    bench.during_poll("on_revoke", 1)
    bench.turn(record(11), record(12))
    assert bench.worker.tasks[0].position == COMMITTED
    assert bench.calls[-2:] == ["unassign 0", "assign 0@10"]


def test_records_of_a_partition_that_was_just_revoked_are_dropped(bench: Bench) -> None:
    bench.during_poll("on_revoke", 1)
    bench.turn(record(10), record(10, partition=1))
    assert bench.progress.records == 1


def test_a_clean_close_commits_and_leaves(bench: Bench) -> None:
    bench.turn(record(10))
    bench.worker.close()
    assert bench.calls[-2:] == ["close consumer", "purge"]
    assert "commit_transaction" in bench.calls


def test_an_abandoned_worker_neither_commits_nor_aborts(bench: Bench) -> None:
    bench.turn(record(10))
    bench.calls.clear()
    bench.worker.abandon(abort=False)
    bench.rebalance("on_revoke", 0, 1)
    assert not {"commit_transaction", "abort_transaction", "flush"} & set(bench.calls)


def test_the_same_records_are_not_tried_for_ever(bench: Bench) -> None:
    bench.producer.failures["send_offsets_to_transaction"] = [failure(abort=True)] * 100
    with pytest.raises(ProcessingError, match="transactions in a row were aborted within 60 s"):
        for _ in range(50):
            bench.turn(record(10), later=2)
    assert bench.progress.aborts > 20


def test_a_fenced_static_member_leaves(bench: Bench) -> None:
    fenced = event(KafkaError.FENCED_INSTANCE_ID, partition=-1)
    with pytest.raises(FencedError):
        bench.turn(fenced)


def test_a_fence_that_is_told_while_a_loss_rolled_back_is_not_dropped_with_the_records(
    bench: Bench,
) -> None:
    """The client tells it once, and gives nothing any more."""
    bench.turn(record(10))
    bench.during_poll("on_lost", 0, 1)
    with pytest.raises(FencedError):
        bench.turn(record(11), event(KafkaError.FENCED_INSTANCE_ID, partition=-1))


def test_an_error_of_the_consumer_ends_the_session(bench: Bench) -> None:
    with pytest.raises(SessionLost):
        bench.turn(event(KafkaError.GROUP_AUTHORIZATION_FAILED, partition=-1))


def test_after_too_long_between_polls_the_worker_waits_to_be_told(bench: Bench) -> None:
    bench.turn(event(KafkaError._MAX_POLL_EXCEEDED, partition=-1))
    assert bench.calls == []
