"""Stream time is committed and aborted with the offset it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition

from reference_app.streams.commit import AtLeastOnce, ExactlyOnce
from reference_app.streams.committed import StableOffset
from reference_app.streams.context import build_steps
from reference_app.streams.serde import STRING
from reference_app.streams.stream_time import Committed, StreamTime, from_metadata, to_metadata
from reference_app.streams.task import Task
from reference_app.streams.topology import Processor, Source, Topology
from tests.unit.reference_app.streams.fakes import (
    TOPIC,
    Calls,
    FakeConsumer,
    FakeProducer,
    make_task,
    record,
)


class Bench:
    """A running task whose records' values are their times."""

    def __init__(self) -> None:
        self.time = StreamTime()
        source = Source(TOPIC, STRING, STRING, timestamp=lambda value, _: int(value))
        topology = Topology("app", source, (Processor("idle", lambda _: lambda *_: None),))
        self.task = Task(
            partition=0,
            source=source,
            steps=build_steps(
                topology, partition=0, stores={}, send=lambda *_: None, stream_time=self.time
            ),
            stores=[],
            wall_clock=lambda: 1.0,
            stream_time=self.time,
        )
        self.task.start_restoring()
        self.task.run(Committed(10, stream_time=500))

    def process(self, *times: int) -> None:
        first = self.task.position
        run = [record(first + n, value=str(time)) for n, time in enumerate(times)]
        self.task.process(run, lambda: None)


@pytest.mark.parametrize("guarantee", [ExactlyOnce, AtLeastOnce])
def test_it_is_committed_in_the_metadata_of_the_offset(guarantee: Callable[..., Any]) -> None:
    bench, producer, consumer = Bench(), FakeProducer(Calls()), FakeConsumer(Calls())
    committer = guarantee(lambda **_: producer, consumer, input_topic=TOPIC, timeout_s=1.0)
    bench.process(700, 600)
    committer.commit([bench.task])
    (told,) = producer.offsets or consumer.committed_offsets
    assert (told.offset, from_metadata(told.metadata)) == (12, 700)
    bench.process(900)
    bench.task.rollback()
    assert bench.time.now == 700


def test_it_goes_on_from_what_was_committed() -> None:
    bench = Bench()
    bench.process(400)
    assert bench.time.now == 500


def test_an_abort_takes_it_back() -> None:
    bench = Bench()
    bench.process(700)
    bench.task.rollback()
    assert (bench.time.now, bench.task.position) == (500, 10)


def test_a_task_without_time_commits_no_metadata(tmp_path: Path) -> None:
    task = make_task(tmp_path, Calls())
    assert task.offset_metadata == ""
    task.close()


@pytest.mark.parametrize("text", [None, "", "somebody else's", "stream-time:", "stream-time:x"])
def test_metadata_of_others_is_no_time(text: str | None) -> None:
    assert from_metadata(text) == -1


def test_a_stable_offset_is_answered_with_its_stream_time() -> None:
    class Answers:
        def committed(self, partitions: list[TopicPartition], timeout: float) -> Any:
            return [TopicPartition(TOPIC, 0, 7, to_metadata(700))]

    asked = StableOffset(Answers(), TopicPartition(TOPIC, 0))  # type: ignore[arg-type]
    assert asked.poll(alone=True) == Committed(7, 700)
