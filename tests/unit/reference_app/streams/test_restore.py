"""Where a restore starts, and in which order its questions are asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import IsolationLevel, Message, TopicPartition
from confluent_kafka.admin import OffsetSpec

from reference_app.streams.changelog import Changelog
from reference_app.streams.errors import StreamsError
from reference_app.streams.replay import starting_point
from reference_app.streams.restore import Restored, Restorer
from reference_app.streams.serde import STRING
from reference_app.streams.store import Position, RocksStore
from reference_app.streams.stream_time import Committed
from reference_app.streams.task import LoggedStore, Task
from reference_app.streams.topology import Source
from tests.unit.reference_app.streams.fakes import CHANGELOG, TOPIC


@pytest.mark.parametrize(
    ("position", "offset", "wiped"),
    [
        (None, 5, None),
        (Position("topic-id", 20, 1000.0), 20, None),
        (Position("topic-id", 30, 1000.0), 30, None),
        (Position("another-id", 20, 1000.0), 5, "made anew"),
        (Position("topic-id", 4, 1000.0), 5, "starts at 5"),
        (Position("topic-id", 31, 1000.0), 5, "ends at 30"),
        (Position("topic-id", 20, 1000.0 - 3601), 5, "delete.retention.ms"),
    ],
)
def test_a_store_is_built_on_only_while_the_changelog_still_follows_it(
    position: Position | None, offset: int, wiped: str | None
) -> None:
    start = starting_point(position, CHANGELOG, log_start=5, end=30, now=1000.0)
    assert start.offset == offset
    if wiped is None:
        assert start.wipe is None
    else:
        assert wiped in str(start.wipe)


@dataclass
class _Offset:
    offset: int


class FakeAdmin:
    def __init__(self, *, start: int, end: int) -> None:
        self.answers = {"earliest": start, "latest": end}
        self.asked: list[IsolationLevel] = []

    def list_offsets(
        self, specs: dict[TopicPartition, Any], *, isolation_level: IsolationLevel, **_: Any
    ) -> dict[TopicPartition, Future[_Offset]]:
        self.asked.append(isolation_level)
        answers = {}
        for place, spec in specs.items():
            future: Future[_Offset] = Future()
            kind = "earliest" if spec._value == OffsetSpec.earliest()._value else "latest"
            future.set_result(_Offset(self.answers[kind]))
            answers[place] = future
        return answers


class FakeChangelog:
    """The restore consumer: `reached` is its position, which control records move as well."""

    def __init__(self) -> None:
        self.batches: list[list[Message]] = []
        self.reached = 0
        self.assigned: list[int] = []

    def incremental_assign(self, places: Iterable[TopicPartition]) -> None:
        self.assigned += [place.offset for place in places]

    def incremental_unassign(self, places: Iterable[TopicPartition]) -> None:
        pass

    def consume(self, count: int, timeout: float) -> list[Message]:
        return self.batches.pop(0) if self.batches else []

    def position(self, places: list[TopicPartition]) -> list[TopicPartition]:
        return [TopicPartition(p.topic, p.partition, self.reached) for p in places]

    def close(self) -> None:
        pass


class FakeOffset:
    def __init__(self) -> None:
        self.answer: Committed | None = None

    def poll(self, *, alone: bool) -> Committed | None:
        return self.answer


class Bench:
    def __init__(self, folder: Path) -> None:
        self.admin = FakeAdmin(start=0, end=3)
        self.changelog = FakeChangelog()
        self.offset = FakeOffset()
        self.restored: list[Restored] = []
        self.now = 0.0
        self.store = RocksStore(folder / "store", key=STRING, value=STRING)
        self.restorer = Restorer(
            admin=self.admin,  # type: ignore[arg-type]
            open_consumer=lambda: self.changelog,  # type: ignore[arg-type, return-value]
            stable_offset=lambda _: self.offset,  # type: ignore[arg-type, return-value]
            on_restored=self.restored.append,
            clock=lambda: self.now,
            wall_clock=lambda: 1000.0,
        )
        self.task = Task(
            partition=0,
            source=Source(TOPIC, STRING, STRING),
            steps=[],
            stores=[LoggedStore("store", self.store, Changelog(CHANGELOG, 0))],
            wall_clock=lambda: 1000.0,
        )
        self.restorer.add(self.task)

    def steps(self, until: Callable[[], object] = lambda: False) -> list[tuple[Task, Committed]]:
        for _ in range(10):
            finished = self.restorer.step(0.0)
            if finished or until():
                return finished
        return []


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def change(offset: int, key: str, value: str | None) -> Message:
    content = None if value is None else value.encode()
    return Message(topic="changelog", partition=0, offset=offset, key=key.encode(), value=content)


def test_the_end_is_not_asked_for_before_the_offset_is_stable(bench: Bench) -> None:
    assert bench.steps() == []
    assert bench.admin.asked == []
    bench.offset.answer = Committed(7)
    bench.steps(until=lambda: bench.admin.asked)
    assert bench.admin.asked == [IsolationLevel.READ_UNCOMMITTED] * 2


def test_a_restore_is_done_when_the_position_reaches_the_end(bench: Bench) -> None:
    bench.offset.answer = Committed(7)
    bench.changelog.batches = [[change(0, "a", "1"), change(1, "b", "1")]]
    bench.changelog.reached = 2
    assert bench.steps() == []
    bench.changelog.reached = 3  # the marker behind the last record
    assert bench.steps() == [(bench.task, Committed(7))]
    assert dict(bench.store.items()) == {"a": "1", "b": "1"}
    assert bench.store.position == Position("topic-id", 3, 1000.0)
    assert (bench.restored[0].records, bench.restored[0].bytes) == (2, 4)


def test_a_deletion_in_the_changelog_deletes(bench: Bench) -> None:
    bench.offset.answer = Committed(7)
    bench.changelog.batches = [[change(0, "a", "1"), change(1, "a", None)]]
    bench.changelog.reached = 3
    bench.steps()
    assert dict(bench.store.items()) == {}


def test_a_restore_that_is_interrupted_keeps_what_it_has(bench: Bench) -> None:
    bench.offset.answer = Committed(7)
    bench.changelog.batches = [[change(0, "a", "1")]]
    bench.steps()
    bench.restorer.remove(0)
    assert not bench.restorer.active
    assert bench.store.position == Position("topic-id", 1, 1000.0)


def test_a_store_at_the_end_is_not_read_at_all(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.store.commit(Position("topic-id", 3, 1000.0))
    bench.offset.answer = Committed(7)
    assert bench.steps() == [(bench.task, Committed(7))]
    assert bench.changelog.assigned == []


def test_a_restore_starts_at_the_stores_own_position(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.store.put("a", "1")
    bench.store.commit(Position("topic-id", 2, 1000.0))
    bench.offset.answer = Committed(7)
    bench.steps()
    assert bench.changelog.assigned == [2]
    assert bench.store.get("a") == "1"


def test_waiting_for_a_transaction_that_nobody_ends_has_a_bound(bench: Bench) -> None:
    bench.now = 21 * 60.0
    with pytest.raises(StreamsError, match="task 0 waited 1200 s for a transaction"):
        bench.steps()
