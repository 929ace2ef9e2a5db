"""One task of an app without Kafka: real stores, and what was sent remembered."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from confluent_kafka import TIMESTAMP_CREATE_TIME, Message

from reference_app.streams.context import build_steps
from reference_app.streams.store import RocksStore
from reference_app.streams.stream_time import StreamTime
from reference_app.streams.topology import Topology, WindowStore
from reference_app.streams.windows import WindowedStore

PARTITIONS = 4
"""Of each output topic."""


class Sent(NamedTuple):
    """`partition` -1: by the key's hash."""

    topic: str
    key: str
    value: dict[str, Any]
    partition: int


class Driven:
    """The task of partition 0."""

    def __init__(self, topology: Topology, folder: Path) -> None:
        self.sent: list[Sent] = []
        self._source = topology.source
        self._offset = 0
        stream_time = StreamTime()
        self.stores: dict[str, Any] = {}
        for spec in topology.stores:
            path = folder / spec.name
            store: RocksStore[Any, Any]
            if isinstance(spec, WindowStore):
                store = WindowedStore(
                    path, key=spec.key, value=spec.value, retention_ms=spec.kept_ms
                )
            else:
                store = RocksStore(path, key=spec.key, value=spec.value)
            store.follow(stream_time)
            self.stores[spec.name] = store
        self._steps = build_steps(
            topology,
            partition=0,
            stores=self.stores,
            send=self._send,
            output_partitions=dict.fromkeys(topology.output_topics, PARTITIONS),
            stream_time=stream_time,
        )

    def process(self, key: str, value: dict[str, Any], *, timestamp: int = 0) -> None:
        """One record of the input, as bytes are decoded to what the app sees."""
        decoded = self._source.value.decode(json.dumps(value).encode())
        message = Message(offset=self._offset, timestamp=(TIMESTAMP_CREATE_TIME, timestamp))
        for step in self._steps:
            step(key, decoded, message)
        self._offset += 1

    def to(self, topic: str) -> list[Sent]:
        return [each for each in self.sent if each.topic == topic]

    def _send(
        self, topic: str, value: bytes | None, key: bytes, partition: int = -1, _: Any = None
    ) -> None:
        self.sent.append(Sent(topic, key.decode(), json.loads(value or b"null"), partition))


@contextmanager
def driven(topology: Topology) -> Iterator[Driven]:
    with TemporaryDirectory() as folder:
        task = Driven(topology, Path(folder))
        yield task
        for store in task.stores.values():
            store.close()
