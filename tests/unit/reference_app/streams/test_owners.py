"""Partitions that nobody owns are noticed, and a rebalance in progress is not mistaken for them."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

from confluent_kafka import ConsumerGroupState, KafkaError, KafkaException, TopicPartition

from reference_app.streams.owners import OwnerWatch, process_name

STABLE, MOVING = ConsumerGroupState.STABLE, ConsumerGroupState.PREPARING_REBALANCING


def group(state: ConsumerGroupState, *owned: int) -> Any:
    places = [TopicPartition("in", partition) for partition in owned]
    member = SimpleNamespace(
        member_id="1",
        client_id="one",
        group_instance_id=None,
        assignment=SimpleNamespace(topic_partitions=places),
    )
    return SimpleNamespace(state=state, members=[member])


class FakeAdmin:
    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    def describe_consumer_groups(self, groups: list[str], **_: Any) -> dict[str, Future[Any]]:
        future: Future[Any] = Future()
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
        return {groups[0]: future}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def told(*answers: Any) -> list[bool]:
    """What is said after each of the answers."""
    admin = FakeAdmin(*answers)
    watch = OwnerWatch(admin, "g", "in", partitions=3, interval_s=2.0, clock=Clock())  # type: ignore[arg-type]
    said = []
    while admin.answers:
        before = len(admin.answers)
        while len(admin.answers) == before:
            assert not watch.poll()
        said.append(watch.poll())
    return said


def test_a_partition_without_an_owner_is_told_the_second_time() -> None:
    assert told(group(STABLE, 0, 1), group(STABLE, 0, 1), group(STABLE, 0, 1)) == [
        False,
        True,
        False,
    ]


def test_all_owned_is_nothing_to_tell() -> None:
    assert told(group(STABLE, 0, 1, 2), group(STABLE, 0, 1, 2)) == [False, False]


def test_a_rebalance_in_progress_is_waited_for() -> None:
    assert told(group(STABLE, 0), group(MOVING), group(STABLE, 0), group(STABLE, 0, 1)) == [
        False,
        False,
        False,
        False,
    ]


def test_no_answer_is_no_finding() -> None:
    failed = KafkaException(KafkaError(KafkaError.COORDINATOR_NOT_AVAILABLE))
    assert told(group(STABLE, 0), failed, group(STABLE, 0)) == [False, False, False]


def test_a_static_member_is_known_by_its_instance_id_whatever_client_id_it_came_with() -> None:
    """The broker keeps the one of its first self: a wiped successor would not know itself."""
    assert process_name("app-1st-consumer", "member-0-3") == "member-0"
    assert process_name("app-1st-consumer", None) == "app-1st-consumer"
