"""What processors are built with: their stores, and sinks bound to the task's producer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from confluent_kafka import Message

from reference_app.streams.changelog import Send
from reference_app.streams.stream_time import StreamTime
from reference_app.streams.topology import (
    AnyStore,
    KeyValues,
    KeyValueStore,
    Processor,
    Sink,
    Step,
    Topology,
    Windowed,
    WindowStore,
)
from reference_app.streams.windows import Windows

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, kw_only=True)
class TaskContext:
    """The `Context` of one processor in one task.

    `stores` by name, as they were opened; `output_partitions` by topic; `time`: None where the
    source tells none.
    """

    partition: int
    processor: Processor
    stores: Mapping[str, Any]
    send: Send
    output_partitions: Mapping[str, int]
    time: StreamTime | None

    def store(self, store: KeyValueStore[K, V]) -> KeyValues[K, V]:
        opened: KeyValues[K, V] = self._declared(store)
        return opened

    def windows(self, store: WindowStore[K, V]) -> Windowed[K, V]:
        return Windows(self._declared(store), store.windows, self._time())

    def stream_time(self) -> int:
        return self._time().now

    def sink(self, sink: Sink[K, V]) -> Callable[[K, V], None]:
        if sink not in self.processor.sinks:
            raise LookupError(f"processor {self.processor.name!r} does not declare {sink.topic!r}")
        send, topic = self.send, sink.topic
        encode_key, encode_value = sink.key.encode, sink.value.encode
        partitioner = sink.partitioner
        if partitioner is None:

            def forward(key: K, value: V) -> None:
                send(topic, encode_value(value), encode_key(key))

            return forward

        partitions = self.output_partitions[topic]

        def forward_to(key: K, value: V) -> None:
            partition = partitioner(key, value, partitions)
            if not 0 <= partition < partitions:
                raise ValueError(
                    f"partition {partition} of {topic!r}, which has {partitions}: "
                    "the sink's partitioner is wrong"
                )
            send(topic, encode_value(value), encode_key(key), partition)

        return forward_to

    def _declared(self, store: AnyStore) -> Any:
        if store not in self.processor.stores:
            raise LookupError(f"processor {self.processor.name!r} does not declare {store.name!r}")
        return self.stores[store.name]

    def _time(self) -> StreamTime:
        if self.time is None:
            raise LookupError(
                f"processor {self.processor.name!r} asks for stream time, and the source tells "
                "none: give Source a timestamp"
            )
        return self.time


def build_steps(
    topology: Topology,
    *,
    partition: int,
    stores: Mapping[str, Any],
    send: Send,
    output_partitions: Mapping[str, int] | None = None,
    stream_time: StreamTime | None = None,
) -> list[Step]:
    """The steps of one task, in the topology's order; stream time goes on before them all."""
    timestamp = topology.source.timestamp
    time = None if timestamp is None else stream_time or StreamTime()
    steps = [
        processor.build(
            TaskContext(
                partition=partition,
                processor=processor,
                stores=stores,
                send=send,
                output_partitions=output_partitions or {},
                time=time,
            )
        )
        for processor in topology.processors
    ]
    if time is None or timestamp is None:
        return steps
    return [_keep_time(timestamp, time), *steps]


def _keep_time(timestamp: Callable[[Any, Message], int], time: StreamTime) -> Step:
    def step(_: Any, value: Any, message: Message) -> None:
        at = timestamp(value, message)
        if at > time.now:
            time.now = at

    return step
