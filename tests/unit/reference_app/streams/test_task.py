"""A task's states, positions and errors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaError

from reference_app.streams.changelog import Changelog
from reference_app.streams.errors import FencedError, ProcessingError, SessionLost
from reference_app.streams.task import Task, TaskState
from tests.unit.reference_app.streams.fakes import CHANGELOG, Calls, event, make_task, record


@pytest.fixture
def task(tmp_path: Path) -> Iterator[Task]:
    made = make_task(tmp_path, Calls(), committed=10)
    yield made
    made.close()


def nothing() -> None:
    pass


def test_records_that_were_fetched_before_a_rebalance_are_not_processed_twice(task: Task) -> None:
    assert task.process([record(8), record(9), record(10)], nothing) == 1
    assert task.position == 11


def test_holes_in_the_offsets_are_no_records(task: Task) -> None:
    assert task.process([record(10), record(14)], nothing) == 2
    assert task.position == 15


def test_the_end_of_a_partition_moves_the_position_past_control_records(task: Task) -> None:
    task.process([record(10), event(KafkaError._PARTITION_EOF, offset=12)], nothing)
    assert task.position == 12
    assert task.needs_commit


def test_a_passing_error_changes_nothing(task: Task) -> None:
    error = event(KafkaError._TRANSPORT)
    error.set_error(KafkaError(KafkaError._TRANSPORT, retriable=True))
    assert task.process([error, record(10)], nothing) == 1


def test_an_error_of_the_partition_ends_the_session(task: Task) -> None:
    with pytest.raises(SessionLost, match="input-0"):
        task.process([event(KafkaError.TOPIC_AUTHORIZATION_FAILED)], nothing)


def test_a_fenced_static_member_leaves(task: Task) -> None:
    with pytest.raises(FencedError, match="--group-instance-id"):
        task.process([event(KafkaError._FATAL)], nothing)


def test_a_record_that_cannot_be_decoded_is_named(task: Task) -> None:
    poison = record(11)
    poison.set_value(b"\xff")
    with pytest.raises(ProcessingError, match="input-0 offset 11 cannot be processed: Unicode"):
        task.process([record(10), poison], nothing)
    assert task.position == 10, "nothing of the batch counts as processed"


def test_a_rollback_takes_the_position_back_too(task: Task) -> None:
    task.process([record(10)], nothing)
    task.rollback()
    assert task.position == 10
    assert task.stores[0].store.pending() == []


def test_a_task_goes_through_its_states_in_order(tmp_path: Path) -> None:
    task = make_task(tmp_path, Calls())
    assert task.state is TaskState.RUNNING
    with pytest.raises(RuntimeError, match="cannot go from running to restoring"):
        task.start_restoring()
    task.close()
    assert task.state is TaskState.CLOSED
    task.close()  # once more changes nothing


def test_changelog_records_go_to_the_tasks_own_partition() -> None:
    sent: list[tuple[str, bytes, int, bool]] = []

    def send(topic, value, key, partition=-1, on_delivery=None) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        sent.append((topic, key, partition, on_delivery is not None))

    Changelog(CHANGELOG, 3).append(send, [(b"a", b"1"), (b"b", None)])
    assert sent == [("changelog", b"a", 3, False), ("changelog", b"b", 3, True)]
