"""Poison records go aside in the transaction that passes them, and leave nothing else behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from confluent_kafka import Message, TopicPartition

from reference_app.streams.changelog import Changelog
from reference_app.streams.commit import AtLeastOnce, ExactlyOnce
from reference_app.streams.dead_letters import DeadLetters
from reference_app.streams.errors import StateError
from reference_app.streams.serde import STRING
from reference_app.streams.store import RocksStore
from reference_app.streams.task import LoggedStore, Task
from reference_app.streams.topology import Source
from reference_app.streams.worker import Worker
from tests.unit.reference_app.streams.fakes import (
    CHANGELOG,
    TOPIC,
    Calls,
    FakeConsumer,
    FakeProducer,
    failure,
    record,
)
from tests.unit.reference_app.streams.test_worker import COMMITTED, FakeRestorer, Progress

BAD = "refuse me"


class Bench:
    """A worker with one task whose processor stores and sends each record, and then refuses BAD."""

    def __init__(self, folder: Path, guarantee: Callable[..., Any] = ExactlyOnce) -> None:
        self.calls = Calls()
        self.producer = FakeProducer(self.calls)
        self.consumer = FakeConsumer(self.calls)
        self.counted = 0
        self.now = 0.0
        self.seen: list[int] = []
        self.store = RocksStore(folder / "store", key=STRING, value=STRING)
        self.refuse: Callable[[str], bool] = lambda value: value == BAD
        committer = guarantee(
            lambda **_: self.producer, self.consumer, input_topic=TOPIC, timeout_s=0.2
        )
        dead_letters = DeadLetters("dead", committer.send, self._count)

        def step(key: str, value: str, message: Message) -> None:
            self.store.put(key, value)
            committer.send("out", value.encode(), key.encode())
            self.seen.append(message.offset() or 0)
            if self.refuse(value):
                raise ValueError("no such currency")

        self.task = Task(
            partition=0,
            source=Source(TOPIC, STRING, STRING),
            steps=[step],
            stores=[LoggedStore("store", self.store, Changelog(CHANGELOG, 0))],
            wall_clock=lambda: 1.0,
            dead_letters=dead_letters,
        )
        self.worker = Worker(
            consumer=self.consumer,  # type: ignore[arg-type]
            committer=committer,
            restorer=FakeRestorer(),  # type: ignore[arg-type]
            build_task=lambda _: self.task,
            progress=Progress(),
            input_topic=TOPIC,
            commit_interval_s=1.0,
            max_poll_records=100,
            patience_s=60.0,
            clock=lambda: self.now,
        )
        self.worker.start(Event())
        self.consumer.callbacks["on_assign"](self.consumer, [TopicPartition(TOPIC, 0)])
        self.worker.step()
        self.calls.clear()

    def _count(self) -> None:
        self.counted += 1

    def turn(self, *messages: Message, later: float = 0.0) -> None:
        self.consumer.batches.append(list(messages))
        self.now += later
        self.worker.step()

    def committed_calls(self) -> list[str]:
        """What was produced since the last abort or commit but one, and how it ended."""
        last = len(self.calls) - 1 - self.calls[::-1].index("begin_transaction")
        return [call for call in self.calls[last:] if not call.startswith(("assign", "unassign"))]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.task.close()


def undecodable(offset: int) -> Message:
    message = record(offset)
    message.set_value(b"\xff")
    return message


def test_a_record_that_cannot_be_decoded_is_put_aside_in_the_same_transaction(
    bench: Bench,
) -> None:
    bench.turn(record(10), undecodable(11), record(12), later=2)
    assert bench.calls == [
        "begin_transaction",
        "produce out",
        "produce dead",
        "produce out",
        "produce changelog",
        "flush",
        "send_offsets_to_transaction",
        "commit_transaction",
    ]
    assert [p.offset for p in bench.producer.offsets] == [13]
    assert bench.counted == 1


def test_a_dead_letter_says_where_it_came_from_and_why(bench: Bench) -> None:
    poison = undecodable(11)
    poison.set_headers([("own", b"kept")])
    bench.turn(poison)
    ((topic, key, value, headers),) = bench.producer.headers
    assert (topic, key, value) == ("dead", b"k", b"\xff")
    assert headers.pop("__streams.errors.message").startswith(b"'utf-8' codec")
    assert headers == {
        "own": b"kept",
        "__streams.errors.exception": b"UnicodeDecodeError",
        "__streams.errors.topic": TOPIC.encode(),
        "__streams.errors.partition": b"0",
        "__streams.errors.offset": b"11",
    }


def test_the_half_effects_of_a_refused_record_are_undone_before_it_is_put_aside(
    bench: Bench,
) -> None:
    bench.turn(record(10), record(11, value=BAD))
    assert bench.calls[-3:] == ["abort_transaction", "unassign 0", "assign 0@10"]
    assert (bench.store.get("k"), bench.task.position) == (None, COMMITTED)
    bench.turn(record(10), record(11, value=BAD), record(12, key="other"), later=2)
    assert bench.committed_calls()[:4] == [
        "begin_transaction",
        "produce out",
        "produce dead",
        "produce out",
    ]
    assert bench.committed_calls()[-1] == "commit_transaction"
    assert [p.offset for p in bench.producer.offsets] == [13]
    assert dict(bench.store.items()) == {"k": "v10", "other": "v12"}


def test_a_dead_letter_is_committed_at_once_and_in_small_steps(bench: Bench) -> None:
    """Else each refused record of a run would take all those before it back again."""
    asked: list[int] = []
    consume = bench.consumer.consume

    def watched(count: int, timeout: float) -> list[Message]:
        asked.append(count)
        return consume(count, timeout)

    bench.consumer.consume = watched  # type: ignore[method-assign]
    bench.turn(record(10, value=BAD))
    bench.turn(record(10, value=BAD))
    assert asked == [100, 1]
    assert bench.calls[-1] == "commit_transaction", "no interval is waited for"
    bench.turn(record(11))
    assert asked == [100, 1, 100]


def test_an_abort_after_a_dead_letter_puts_it_aside_again(bench: Bench) -> None:
    bench.turn(record(10, value=BAD))
    bench.producer.failures["send_offsets_to_transaction"] = [failure(abort=True)]
    bench.turn(record(10, value=BAD))
    assert "commit_transaction" not in bench.calls
    bench.turn(record(10, value=BAD))
    assert bench.committed_calls() == [
        "begin_transaction",
        "produce dead",
        "flush",
        "send_offsets_to_transaction",
        "commit_transaction",
    ]
    assert bench.seen == [10], "it passed its processor once only"


def test_refused_records_are_no_reason_to_give_up(bench: Bench) -> None:
    """However long a run of them is: each one is behind us once it is committed."""
    for offset in range(10, 60):
        bench.turn(record(offset, value=BAD), later=2)
        bench.turn(record(offset, value=BAD), later=2)
    assert bench.counted == 50
    assert [p.offset for p in bench.producer.offsets] == [60]


def test_at_least_once_takes_the_state_back_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path, AtLeastOnce)
    bench.turn(record(10, value=BAD))
    assert bench.store.get("k") is None
    bench.turn(record(10, value=BAD))
    assert [p.offset for p in bench.consumer.committed_offsets] == [11]
    assert dict(bench.store.items()) == {}
    assert bench.counted == 1
    bench.task.close()


def test_a_store_that_cannot_be_read_is_no_fault_of_the_record(bench: Bench) -> None:
    def refuse(_: str) -> bool:
        raise StateError("disk gone")

    bench.refuse = refuse
    with pytest.raises(StateError, match="disk gone"):
        bench.turn(record(10))
    assert bench.counted == 0
