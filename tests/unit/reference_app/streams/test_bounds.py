"""The bounds of a changelog are asked for until a broker that knows them answers."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import (
    OFFSET_INVALID,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import OffsetSpec

from reference_app.streams.bounds import LogBounds
from reference_app.streams.errors import SessionLost


class Answer:
    def __init__(self, offset: int) -> None:
        self.offset = offset


class FakeAdmin:
    """Fails with `failures` first, one for each pair of questions (a negative one is an answer that
    tells nothing); counts metadata refreshes."""

    def __init__(self, *failures: int) -> None:
        self.failures = list(failures)
        self.refreshed: list[str] = []

    def list_offsets(
        self, specs: dict[TopicPartition, OffsetSpec], **_: Any
    ) -> dict[TopicPartition, Future[Answer]]:
        ((place, spec),) = specs.items()
        future: Future[Answer] = Future()
        latest = spec._value == OffsetSpec.latest()._value
        if self.failures and latest and self.failures[0] == OFFSET_INVALID:
            future.set_result(Answer(self.failures.pop(0)))
        elif self.failures and latest:
            future.set_exception(KafkaException(KafkaError(self.failures.pop(0))))
        else:
            future.set_result(Answer(9 if latest else 2))
        return {place: future}

    def list_topics(self, topic: str, timeout: float) -> None:
        self.refreshed.append(topic)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        self.now += 0.06
        return self.now


def poll(admin: FakeAdmin) -> tuple[int, int] | None:
    bounds = LogBounds(
        admin,  # type: ignore[arg-type]
        TopicPartition("changelog", 0),
        end_isolation=IsolationLevel.READ_UNCOMMITTED,
        clock=Clock(),
    )
    return next((known for _ in range(30) if (known := bounds.poll()) is not None), None)


def test_start_and_end_are_told() -> None:
    admin = FakeAdmin()
    assert poll(admin) == (2, 9)
    assert admin.refreshed == []


def test_an_end_that_is_none_is_asked_for_again() -> None:
    """A task that took -1001 for the end of its changelog wiped its store, and began with nothing:
    found by a run of every family of faults."""
    admin = FakeAdmin(OFFSET_INVALID, OFFSET_INVALID)
    assert poll(admin) == (2, 9)
    assert admin.refreshed == ["changelog", "changelog"]


def test_a_leader_that_changed_is_learned_before_asking_again() -> None:
    """The admin client would repeat the epoch that it was refused with."""
    admin = FakeAdmin(KafkaError.FENCED_LEADER_EPOCH, KafkaError._NOENT)
    assert poll(admin) == (2, 9)
    assert admin.refreshed == ["changelog", "changelog"]


def test_what_does_not_pass_ends_the_session() -> None:
    with pytest.raises(SessionLost, match=r"bounds of .*changelog"):
        poll(FakeAdmin(KafkaError.TOPIC_AUTHORIZATION_FAILED))
