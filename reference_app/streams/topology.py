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
    """`timestamp(value, message)`: a record's event time in Unix ms. Without it no stream time is
    kept, and there are no windows."""

    topic: str
    key: Serde[K]
    value: Serde[V]
    timestamp: Callable[[V, Message], int] | None = None


@dataclass(frozen=True)
class Sink(Generic[K, V]):
    """Records are partitioned by their key's murmur2 hash, as Kafka's own clients do.

    Or by `partitioner(key, value, number of partitions)`, after Kafka's `StreamPartitioner`. One
    whose topic has fewer than `least_partitions` is refused at start.
    """

    topic: str
    key: Serde[K]
    value: Serde[V]
    partitioner: Callable[[K, V, int], int] | None = None
    least_partitions: int = 1


@dataclass(frozen=True)
class KeyValueStore(Generic[K, V]):
    """A durable map from keys to values, with a compacted changelog topic.

    Values must be treated as immutable: put a new one instead of changing the one that was got.
    """

    name: str
    key: Serde[K]
    value: Serde[V]


@dataclass(frozen=True)
class TimeWindows:
    """Windows of `size_ms`, one every `advance_ms`: hopping, or tumbling where both are the same.

    Aligned to the epoch, as Kafka's `TimeWindows` are. A window holds its start and not its end,
    and takes late records for another `grace_ms` of stream time.
    """

    size_ms: int
    advance_ms: int | None = None
    grace_ms: int = 0

    def __post_init__(self) -> None:
        if self.size_ms <= 0:
            raise ConfigurationError(f"windows of {self.size_ms} ms: size_ms must be above 0")
        if self.advance_ms is not None and not 0 < self.advance_ms <= self.size_ms:
            raise ConfigurationError(
                f"windows that advance by {self.advance_ms} ms: advance_ms must be above 0 and at "
                f"most size_ms ({self.size_ms}), or some records would be in no window"
            )
        if self.grace_ms < 0:
            raise ConfigurationError(f"a grace of {self.grace_ms} ms: grace_ms must not be below 0")

    def starts(self, timestamp_ms: int) -> list[int]:
        """The starts of all windows that hold `timestamp_ms`, the oldest first."""
        size = self.size_ms
        advance = self.advance_ms or size
        first = max(timestamp_ms - size + advance, 0) // advance * advance
        return list(range(first, timestamp_ms + 1, advance))

    def closes_at(self, start: int) -> int:
        """The stream time from which the window takes no record any more."""
        return start + self.size_ms + self.grace_ms


@dataclass(frozen=True)
class WindowStore(Generic[K, V]):
    """A durable map from keys and window starts to values, of windows that are not too old.

    `retention_ms` of stream time after its start a window is gone, however it got there: None is as
    long as it takes records. Values must be treated as immutable, as a KeyValueStore's.
    """

    name: str
    key: Serde[K]
    value: Serde[V]
    windows: TimeWindows
    retention_ms: int | None = None

    def __post_init__(self) -> None:
        least = self.windows.closes_at(0)
        if self.retention_ms is not None and self.retention_ms < least:
            raise ConfigurationError(
                f"store {self.name!r} keeps windows for {self.retention_ms} ms: retention_ms must "
                f"be at least their size and grace together ({least})"
            )

    @property
    def kept_ms(self) -> int:
        """`retention_ms`, or its default."""
        return self.windows.closes_at(0) if self.retention_ms is None else self.retention_ms


AnyStore: TypeAlias = KeyValueStore[Any, Any] | WindowStore[Any, Any]


class KeyValues(Protocol[KeyT, V]):
    """What a processor sees of a store."""

    def get(self, key: KeyT) -> V | None: ...

    def put(self, key: KeyT, value: V) -> None: ...

    def delete(self, key: KeyT) -> None: ...


class Windowed(Protocol[KeyT, V]):
    """What a processor sees of a window store.

    A window past its retention cannot be read (`get` says None) or written (ignored, and counted).
    One that starts after the stream time has no record yet: writing it raises ValueError.
    """

    def get(self, key: KeyT, start: int) -> V | None: ...

    def put(self, key: KeyT, start: int, value: V) -> None: ...

    def delete(self, key: KeyT, start: int) -> None: ...

    def is_open(self, start: int) -> bool:
        """True while the window takes records: its size and grace have not passed."""


class Context(Protocol):
    """What a processor is given, once for each task."""

    @property
    def partition(self) -> int: ...

    def store(self, store: KeyValueStore[K, V]) -> KeyValues[K, V]: ...

    def windows(self, store: WindowStore[K, V]) -> Windowed[K, V]: ...

    def stream_time(self) -> int:
        """The highest event time so far, this record's included; -1 before the first record."""

    def sink(self, sink: Sink[K, V]) -> Callable[[K, V], None]: ...


Step: TypeAlias = Callable[[Any, Any, Message], None]
"""`step(key, value, message)` handles one record; the message tells partition and offset."""


@dataclass(frozen=True)
class Processor:
    """`build(context)` is called once for each task and returns the step for its records."""

    name: str
    build: Callable[[Context], Step]
    stores: tuple[AnyStore, ...] = ()
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
                if store.name not in owners:
                    owners[store.name] = processor.name
                elif owners[store.name] == processor.name:
                    raise ConfigurationError(
                        f"processor {processor.name!r} has two stores {store.name!r}: "
                        "give each its own name"
                    )
                else:
                    raise ConfigurationError(
                        f"store {store.name!r} belongs to both {owners[store.name]!r} and "
                        f"{processor.name!r}: a store has one processor"
                    )
                if isinstance(store, WindowStore) and self.source.timestamp is None:
                    raise ConfigurationError(
                        f"store {store.name!r} keeps windows, and source {self.source.topic!r} "
                        "tells no time: give Source a timestamp"
                    )

    @property
    def stores(self) -> tuple[AnyStore, ...]:
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
            stores = ", ".join(_described(store) for store in processor.stores) or "none"
            sinks = ", ".join(sink.topic for sink in processor.sinks) or "none"
            lines.append(f"  Processor: {processor.name} (stores: [{stores}])")
            lines.append(f"    --> {sinks}")
            lines.append(f"    <-- {self.source.topic}")
        for topic in self.output_topics:
            feeders = [p.name for p in self.processors if topic in {s.topic for s in p.sinks}]
            lines.append(f"  Sink: {topic}")
            lines.append(f"    <-- {', '.join(feeders)}")
        return "\n".join(lines)


def _described(store: AnyStore) -> str:
    if isinstance(store, KeyValueStore):
        return store.name
    windows = store.windows
    return (
        f"{store.name} (windows of {windows.size_ms} ms every "
        f"{windows.advance_ms or windows.size_ms} ms, grace {windows.grace_ms} ms, "
        f"kept {store.kept_ms} ms)"
    )
