"""Makes the task of one partition: its stores, their changelogs, its processors."""

from __future__ import annotations

import time
from dataclasses import dataclass

from rocksdict import Cache

from reference_app.streams.changelog import Changelog, Send, Topics
from reference_app.streams.context import build_steps
from reference_app.streams.dead_letters import DeadLetters
from reference_app.streams.directory import StateDirectory
from reference_app.streams.parts import Parts
from reference_app.streams.store import StateStore
from reference_app.streams.task import LoggedStore, Task
from reference_app.streams.topology import AnyStore, Topology, WindowStore


@dataclass(frozen=True, kw_only=True)
class TaskBuilder:
    """`cache` is shared by all stores of the process."""

    topology: Topology
    topics: Topics
    directory: StateDirectory
    parts: Parts
    cache: Cache

    def open_stores(self, partition: int) -> list[LoggedStore]:
        """The stores of one partition, at their committed points, and their changelogs."""
        return [
            LoggedStore(
                spec.name,
                self._open(spec, partition),
                Changelog(self.topics.changelogs[spec.name], partition),
            )
            for spec in self.topology.stores
        ]

    def task(self, partition: int, send: Send, *, dead_letters: DeadLetters | None = None) -> Task:
        logged = self.open_stores(partition)
        stream_time = self.parts.stream_time()
        return Task(
            partition=partition,
            source=self.topology.source,
            steps=build_steps(
                self.topology,
                partition=partition,
                stores={each.name: each.store for each in logged},
                send=send,
                output_partitions=self.topics.outputs,
                stream_time=stream_time,
            ),
            stores=logged,
            wall_clock=time.time,
            stream_time=stream_time,
            dead_letters=dead_letters,
        )

    def _open(self, spec: AnyStore, partition: int) -> StateStore:
        path = self.directory.store_path(partition, spec.name)
        if isinstance(spec, WindowStore):
            return self.parts.window_store(
                path,
                key=spec.key,
                value=spec.value,
                retention_ms=spec.kept_ms,
                cache=self.cache,
            )
        return self.parts.store(path, key=spec.key, value=spec.value, cache=self.cache)
