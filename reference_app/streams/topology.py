"""What an app does, as plain data: one source, processors with their stores, sinks.

One partition of the source is one task, and a task's stores hold the keys of that partition only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from confluent_kafka import Message

from reference_app.streams.errors import ConfigurationError
from reference_app.streams.serde import Serde

K = TypeVar("K")
V = TypeVar("V")
KeyT = TypeVar("KeyT", contravariant=True)


@dataclass(frozen=True)
class Source(Generic[K, V]):
    topic: str
    key: Serde[K]
    value: Serde[V]


@dataclass(frozen=True)
class Sink(Generic[K, V]):
    """Records are partitioned by their key's murmur2 hash, as Kafka's own clients do."""

    topic: str
    key: Serde[K]
    value: Serde[V]


@dataclass(frozen=True)
class KeyValueStore(Generic[K, V]):
    """A durable map from keys to values, with a compacted changelog topic.

    Values must be treated as immutable: put a new one instead of changing the one that was got.
    """

    name: str
    key: Serde[K]
    value: Serde[V]


class KeyValues(Protocol[KeyT, V]):
    """What a processor sees of a store."""

    def get(self, key: KeyT) -> V | None: ...

    def put(self, key: KeyT, value: V) -> None: ...

    def delete(self, key: KeyT) -> None: ...


class Context(Protocol):
    """What a processor is given, once for each task."""

    @property
    def partition(self) -> int: ...

    def store(self, store: KeyValueStore[K, V]) -> KeyValues[K, V]: ...

    def sink(self, sink: Sink[K, V]) -> Callable[[K, V], None]: ...


Step: TypeAlias = Callable[[Any, Any, Message], None]
"""`step(key, value, message)` handles one record; the message tells partition and offset."""


@dataclass(frozen=True)
class Processor:
    """`build(context)` is called once for each task and returns the step for its records."""

    name: str
    build: Callable[[Context], Step]
    stores: tuple[KeyValueStore[Any, Any], ...] = ()
    sinks: tuple[Sink[Any, Any], ...] = ()


@dataclass(frozen=True)
class Topology:
    """Every record of `source` passes through all `processors`, in their order."""

    name: str
    source: Source[Any, Any]
    processors: tuple[Processor, ...]

    def __post_init__(self) -> None:
        if not self.processors:
            raise ConfigurationError(f"topology {self.name!r} has no processor: give it one")
        owners: dict[str, str] = {}
        for processor in self.processors:
            for store in processor.stores:
                owner = owners.setdefault(store.name, processor.name)
                if owner != processor.name:
                    raise ConfigurationError(
                        f"store {store.name!r} belongs to both {owner!r} and {processor.name!r}: "
                        "a store has one processor"
                    )

    @property
    def stores(self) -> tuple[KeyValueStore[Any, Any], ...]:
        return tuple(store for processor in self.processors for store in processor.stores)

    @property
    def output_topics(self) -> tuple[str, ...]:
        topics = (sink.topic for processor in self.processors for sink in processor.sinks)
        return tuple(dict.fromkeys(topics))

    def describe(self) -> str:
        """The topology in the form of Kafka Streams' `TopologyDescription`."""
        lines = [f"Topology: {self.name}", f"  Source: {self.source.topic}"]
        lines.append(f"    --> {', '.join(processor.name for processor in self.processors)}")
        for processor in self.processors:
            stores = ", ".join(store.name for store in processor.stores) or "none"
            sinks = ", ".join(sink.topic for sink in processor.sinks) or "none"
            lines.append(f"  Processor: {processor.name} (stores: [{stores}])")
            lines.append(f"    --> {sinks}")
            lines.append(f"    <-- {self.source.topic}")
        for topic in self.output_topics:
            feeders = [p.name for p in self.processors if topic in {s.topic for s in p.sinks}]
            lines.append(f"  Sink: {topic}")
            lines.append(f"    <-- {', '.join(feeders)}")
        return "\n".join(lines)
