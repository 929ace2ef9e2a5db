"""Warm copies of stores whose tasks run elsewhere, after Kafka Streams' standby tasks.

A standby reads the changelog under `read_committed` into the same directory its task would use, and
so is never ahead of what is committed. When the task comes here the standby is closed, and the
task's own restore reads on from the standby's position: that is all of a promotion.

Which process keeps which standby is agreed on without a word: every process ranks the group's
members by the same hash. A client-side assignor that would prefer them is not to be had in
librdkafka, so a task is sure to come to a standby only where every other process keeps one
(`--num-standby-replicas` of processes - 1).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import groupby
from threading import Event, Lock

from confluent_kafka import Consumer, IsolationLevel, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient

from reference_app.streams.bounds import LogBounds
from reference_app.streams.errors import SessionLost, StreamsError, reason
from reference_app.streams.logs import event
from reference_app.streams.owners import GroupWatch, Owners
from reference_app.streams.replay import place, replay, starting_point
from reference_app.streams.store import Position
from reference_app.streams.task import LoggedStore

_LOG = logging.getLogger(__name__)
_BATCH = 5_000
_IDLE_S = 0.05
_YIELD_S = 0.001
_PAUSE_S = 1.0

OpenStores = Callable[[int], Sequence[LoggedStore]]


def standby_partitions(owners: Owners, *, member: str, replicas: int) -> frozenset[int]:
    """The partitions that `member` keeps a standby of: each has the `replicas` members that come
    first in its own order of all but its owner (rendezvous hashing: few move when one comes)."""

    def rank(partition: int, other: str) -> bytes:
        return blake2b(f"{partition}/{other}".encode()).digest()

    kept = set()
    for partition, owner in owners.by_partition.items():
        others = sorted(owners.members - {owner}, key=lambda other: rank(partition, other))
        if member in others[:replicas]:
            kept.add(partition)
    return frozenset(kept)


@dataclass(frozen=True)
class StandbyOffsets:
    """`offsets`, by store: the changelog offset up to which the copy has come."""

    partition: int
    offsets: dict[str, int]


@dataclass
class _Copy:
    """One store of one standby. `at_end`: nothing was left to read when it was last looked at."""

    logged: LoggedStore
    bounds: LogBounds
    started: bool = False
    at_end: bool = False

    @property
    def place(self) -> tuple[str, int]:
        changelog = self.logged.changelog
        return changelog.topic.name, changelog.partition


@dataclass
class StandbyReader:
    """Keeps the standbys of one process up to date, as long as nothing fails. One thread only."""

    admin: AdminClient
    consumer: Consumer
    watch: GroupWatch
    open_stores: OpenStores
    member: str
    replicas: int
    clock: Callable[[], float] = time.monotonic
    wall_clock: Callable[[], float] = time.time
    _wanted: frozenset[int] = frozenset()
    _copies: dict[int, list[_Copy]] = field(default_factory=dict)

    def step(self, claimed: Iterable[int]) -> bool:
        """Goes on for a moment; True where there was something to do. `claimed`: tasks run here."""
        owners = self.watch.poll()
        if owners is not None and owners.stable:
            self._wanted = standby_partitions(owners, member=self.member, replicas=self.replicas)
        wanted = self._wanted.difference(claimed)
        for partition in self._copies.keys() - wanted:
            self.drop(partition)
        for partition in sorted(wanted - self._copies.keys()):
            self._add(partition)
        for copies in self._copies.values():
            for copy in copies:
                if not copy.started:
                    self._start(copy)
        return self._read()

    def drop(self, partition: int) -> None:
        """Closes the stores of a standby, as far as they have come; then a task may open them."""
        copies = self._copies.pop(partition, [])
        offsets = ",".join(f"{copy.logged.name}:{_offset(copy)}" for copy in copies)
        for copy in copies:
            store = copy.logged.store
            position = store.position
            if copy.started:
                self.consumer.incremental_unassign([TopicPartition(*copy.place)])
            if copy.at_end and position is not None:
                # Up to date until now, however long ago the last record was.
                store.finish_restore(
                    Position(position.topic_id, position.offset, self.wall_clock())
                )
            store.close()
        if copies:
            event(_LOG, "standby_closed", task=partition, offsets=offsets)

    def offsets(self) -> list[StandbyOffsets]:
        return [
            StandbyOffsets(partition, {copy.logged.name: _offset(copy) for copy in copies})
            for partition, copies in sorted(self._copies.items())
        ]

    def close(self) -> None:
        for partition in list(self._copies):
            self.drop(partition)
        self.consumer.close()

    def _add(self, partition: int) -> None:
        self._copies[partition] = [
            _Copy(
                logged,
                LogBounds(
                    self.admin,
                    TopicPartition(logged.changelog.topic.name, partition),
                    end_isolation=IsolationLevel.READ_UNCOMMITTED,
                    clock=self.clock,
                ),
            )
            for logged in self.open_stores(partition)
        ]
        event(_LOG, "standby_opened", task=partition)

    def _start(self, copy: _Copy) -> None:
        known = copy.bounds.poll()
        if known is None:
            return
        store = copy.logged.store
        start = starting_point(
            store.position,
            copy.logged.changelog.topic,
            log_start=known[0],
            end=known[1],
            now=self.wall_clock(),
        )
        if start.wipe is not None:
            store.wipe()
        self.consumer.incremental_assign([TopicPartition(*copy.place, start.offset)])
        copy.started = True

    def _read(self) -> bool:
        messages = self.consumer.consume(_BATCH, 0)
        by_place = {copy.place: copy for copies in self._copies.values() for copy in copies}
        applied = False
        for where, run in groupby(messages, key=place):
            copy = by_place.get(where)
            if copy is None:
                _raise_error(run)
                continue
            replayed = replay(copy.logged, run, now=self.wall_clock())
            copy.at_end = replayed.at_end
            applied = applied or replayed.records > 0
        return applied


class Standbys:
    """The standbys of one process, in a thread of their own; tasks claim partitions from them.

    Nothing that fails here ends the app: a standby only saves time.
    """

    def __init__(self, open_reader: Callable[[], StandbyReader], stopping: Event) -> None:
        self._open_reader = open_reader
        self._stopping = stopping
        self._lock = Lock()
        self._claimed: set[int] = set()
        self._reader: StandbyReader | None = None

    def claim(self, partition: int) -> None:
        """Before a task opens its stores: afterwards nobody else in this process has them open."""
        with self._lock:
            self._claimed.add(partition)
            if self._reader is not None:
                self._reader.drop(partition)

    def unclaim(self, partition: int) -> None:
        """After a task has closed its stores."""
        with self._lock:
            self._claimed.discard(partition)

    def offsets(self) -> list[StandbyOffsets]:
        with self._lock:
            return self._reader.offsets() if self._reader is not None else []

    def run(self) -> None:
        """Blocks until the process stops."""
        while not self._stopping.is_set():
            try:
                self._read_until_stopped()
            except (SessionLost, StreamsError, KafkaException) as error:
                event(_LOG, "standbys_lost", level=logging.WARNING, reason=reason(error))
                self._stopping.wait(_PAUSE_S)

    def _read_until_stopped(self) -> None:
        reader = self._open_reader()
        with self._lock:
            self._reader = reader
        try:
            while not self._stopping.is_set():
                with self._lock:
                    busy = reader.step(self._claimed)
                # Also when busy: a task that claims its partition must get its turn.
                self._stopping.wait(_YIELD_S if busy else _IDLE_S)
        finally:
            with self._lock:
                self._reader = None
                reader.close()


def _offset(copy: _Copy) -> int:
    position = copy.logged.store.position
    return position.offset if position is not None else 0


def _raise_error(messages: Iterable[Message]) -> None:
    """Records of a standby that was dropped since are nobody's; errors of the client are told."""
    for message in messages:
        error = message.error()
        if error is not None and not message.topic():
            raise SessionLost(f"changelogs cannot be read: {error.str()}")
