"""What a processor is given, and how far time has come when it is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from reference_app.streams.context import build_steps
from reference_app.streams.serde import STRING
from reference_app.streams.stream_time import StreamTime
from reference_app.streams.topology import (
    Context,
    Processor,
    Sink,
    Source,
    Step,
    TimeWindows,
    Topology,
    WindowStore,
)
from tests.unit.reference_app.streams.fakes import record

SOURCE = Source("in", STRING, STRING)
TIMED = Source("in", STRING, STRING, timestamp=lambda value, _: int(value))
SINK = Sink("out", STRING, STRING)


class Sent(list[tuple[str, bytes | None, bytes | None, int]]):
    def __call__(
        self, topic: str, value: bytes | None, key: bytes | None, partition: int = -1, *_: Any
    ) -> None:
        self.append((topic, value, key, partition))


def steps(
    source: Source[str, str], build: Callable[[Context], Step], *, sink: Any = SINK, **given: Any
) -> list[Step]:
    topology = Topology("app", source, (Processor("one", build, sinks=(sink,)),))
    return build_steps(
        topology, partition=0, stores={}, **{"send": Sent(), "output_partitions": {}, **given}
    )


def test_a_processor_gets_only_what_it_declares() -> None:
    undeclared = WindowStore("counts", STRING, STRING, TimeWindows(10))
    with pytest.raises(LookupError, match="'one' does not declare 'elsewhere'"):
        steps(SOURCE, lambda context: context.sink(Sink("elsewhere", STRING, STRING)))  # type: ignore[arg-type, return-value]
    with pytest.raises(LookupError, match="'one' does not declare 'counts'"):
        steps(TIMED, lambda context: context.windows(undeclared))  # type: ignore[arg-type, return-value]


def test_stream_time_includes_the_record_at_hand_and_never_goes_back() -> None:
    seen: list[int] = []

    def build(context: Context) -> Step:
        assert context.stream_time() == -1
        return lambda *_: seen.append(context.stream_time())

    run = steps(TIMED, build)
    for time in ("5", "3", "9"):
        for step in run:
            step("key", time, record(0))
    assert seen == [5, 5, 9]


def test_without_a_timestamp_no_step_is_spent_on_time() -> None:
    assert len(steps(SOURCE, lambda _: lambda *_: None, stream_time=StreamTime())) == 1


def test_stream_time_of_a_source_that_tells_none_is_an_error_at_the_build() -> None:
    with pytest.raises(LookupError, match="give Source a timestamp"):
        steps(SOURCE, lambda context: context.stream_time())  # type: ignore[arg-type, return-value]


def send_through(partitioner: Callable[[str, str, int], int] | None) -> Sent:
    sink = Sink("out", STRING, STRING, partitioner=partitioner)
    sent = Sent()

    def build(context: Context) -> Step:
        forward = context.sink(sink)
        return lambda key, value, _: forward(key, value)

    (step,) = steps(SOURCE, build, sink=sink, send=sent, output_partitions={"out": 6})
    step("key", "5", record(0))
    return sent


def test_a_partitioner_is_given_key_value_and_the_number_of_partitions() -> None:
    asked: list[tuple[str, str, int]] = []

    def partitioner(key: str, value: str, partitions: int) -> int:
        asked.append((key, value, partitions))
        return int(value) % partitions

    assert send_through(partitioner) == [("out", b"5", b"key", 5)]
    assert asked == [("key", "5", 6)]


def test_without_a_partitioner_the_producer_chooses() -> None:
    assert send_through(None) == [("out", b"5", b"key", -1)]


@pytest.mark.parametrize("wrong", [-1, 6])
def test_a_partition_that_is_not_there_is_the_partitioners_fault(wrong: int) -> None:
    """-1 would be the producer's choice: half of the records would go somewhere else unseen."""
    with pytest.raises(ValueError, match=f"partition {wrong} of 'out', which has 6"):
        send_through(lambda *_: wrong)
