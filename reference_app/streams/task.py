"""A task: one partition of the input, its stores, and how far it has come.

A small state machine, after Kafka Streams' StreamTask:

    created -> restoring -> running -> suspended -> closed
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from confluent_kafka import KafkaException, Message

from reference_app.streams.changelog import Changelog, Send
from reference_app.streams.dead_letters import DeadLetters, RecordRefused, Refused
from reference_app.streams.errors import (
    PARTITION_EOF,
    ProcessingError,
    SessionLost,
    StreamsError,
    TransactionAborted,
    consumer_failure,
)
from reference_app.streams.store import Position, StateStore
from reference_app.streams.stream_time import Committed, StreamTime, to_metadata
from reference_app.streams.topology import Source, Step

NOTHING_COMMITTED = -1


class TaskState(StrEnum):
    CREATED = "created"
    RESTORING = "restoring"
    RUNNING = "running"
    SUSPENDED = "suspended"
    CLOSED = "closed"


_NEXT = {
    TaskState.CREATED: {TaskState.RESTORING, TaskState.SUSPENDED},
    TaskState.RESTORING: {TaskState.RUNNING, TaskState.SUSPENDED},
    TaskState.RUNNING: {TaskState.SUSPENDED},
    TaskState.SUSPENDED: {TaskState.CLOSED},
    TaskState.CLOSED: set[TaskState](),
}


@dataclass(frozen=True)
class LoggedStore:
    """A store and the changelog partition that can make it again."""

    name: str
    store: StateStore
    changelog: Changelog


class Task:
    """`position` is the next input offset to process; `committed` the group's committed offset."""

    def __init__(
        self,
        *,
        partition: int,
        source: Source[Any, Any],
        steps: Sequence[Step],
        stores: Sequence[LoggedStore],
        wall_clock: Callable[[], float],
        stream_time: StreamTime | None = None,
        dead_letters: DeadLetters | None = None,
    ) -> None:
        self.partition = partition
        self.stores = tuple(stores)
        self.state = TaskState.CREATED
        self.position = NOTHING_COMMITTED
        self.committed = NOTHING_COMMITTED
        self._source = source
        self._steps = tuple(steps)
        self._wall_clock = wall_clock
        self._dead_letters = dead_letters
        self._refused: Refused | None = None
        self._time = stream_time or StreamTime()
        for logged in self.stores:
            logged.store.follow(self._time)

    def start_restoring(self) -> None:
        self._become(TaskState.RESTORING)

    def run(self, committed: Committed) -> None:
        """The stores are restored; processing starts at the group's committed offset."""
        self._become(TaskState.RUNNING)
        self.position = self.committed = committed.offset
        self._time.resume(committed.stream_time)

    def process(self, run: Iterable[Message], begin: Callable[[], None]) -> int:
        """Passes the records of one partition, in order, through all processors.

        `begin` is called before the first of them.
        Returns how many there were. A record that cannot be decoded, or that a processor refuses,
        raises ProcessingError with its offset; where there are dead letters it goes there, the
        refused one after RecordRefused, when it comes again.
        """
        if self._refused is None:
            return self._process(run, begin)
        return sum(self._process_past(self._refused, message, begin) for message in run)

    def _process(self, run: Iterable[Message], begin: Callable[[], None]) -> int:
        decode_key, decode_value = self._source.key.decode, self._source.value.decode
        steps = self._steps
        position = self.position
        processed = 0
        for message in run:
            if message.error() is not None:
                position = self._position_after(message, position)
                continue
            offset: int = message.offset()  # type: ignore[assignment]
            if offset < position:
                continue  # fetched before a rebalance or a seek, and processed already
            if not processed:
                begin()
            try:
                key = decode_key(message.key())  # type: ignore[arg-type]
                value = decode_value(message.value())  # type: ignore[arg-type]
                for step in steps:
                    step(key, value, message)
            except (KafkaException, TransactionAborted, SessionLost, StreamsError):
                raise  # of clients or state: nothing is wrong with the record
            except Exception as error:  # noqa: BLE001 - whatever a processor raises
                self._put_aside(message, error)
            position = offset + 1
            processed += 1
        self.position = position
        return processed

    def _process_past(self, refused: Refused, message: Message, begin: Callable[[], None]) -> int:
        if message.error() is not None or not message.offset() == refused.offset >= self.position:
            return self._process([message], begin)
        begin()
        assert self._dead_letters is not None
        self._dead_letters.put(message, refused.error)
        self.position = refused.offset + 1
        return 1

    def _put_aside(self, message: Message, error: Exception) -> None:
        """Into the dead letters, if there are any and the record has had no effect yet."""
        where = f"{self._source.topic}-{self.partition} offset {message.offset()}"
        why = f"{type(error).__name__}: {error}"
        if self._dead_letters is None:
            raise ProcessingError(f"{where} cannot be processed: {why}") from error
        if self._decodes(message):
            self._refused = Refused(message.offset() or 0, error)
            raise RecordRefused(f"{where} was refused: {why}") from error
        self._dead_letters.put(message, error)

    def _decodes(self, message: Message) -> bool:
        try:
            self._source.key.decode(message.key())  # type: ignore[arg-type]
            self._source.value.decode(message.value())  # type: ignore[arg-type]
        except Exception:  # noqa: BLE001 - whatever a serde raises
            return False
        return True

    @property
    def is_wary(self) -> bool:
        """A refused record lies ahead, or is not committed yet: small steps lose little more."""
        return self._refused is not None

    @property
    def is_past_refused(self) -> bool:
        """To be committed at once: the next refused record would take this one back as well."""
        return self._refused is not None and self.position > self._refused.offset

    @property
    def needs_commit(self) -> bool:
        """True also where only control records were passed, so that no lag is left behind."""
        return self.state is TaskState.RUNNING and self.position != self.committed

    @property
    def offset_metadata(self) -> str:
        """What is committed beside `position`: the stream time, where one is kept."""
        return "" if self._source.timestamp is None else to_metadata(self._time.now)

    def log_changes(self, send: Send) -> None:
        """Writes what the stores' overlays hold to their changelogs."""
        for logged in self.stores:
            logged.changelog.append(send, logged.store.pending())

    def mark_committed(self, position: int) -> None:
        """The group's committed offset is `position` now, and the stream time with it."""
        self.committed = position
        self._time.commit()
        if self.is_past_refused:
            self._refused = None

    def apply_changes(self) -> None:
        """The changelog records are committed: makes the overlays durable, with their offsets."""
        for logged in self.stores:
            if not logged.store.has_changes:
                continue
            end = logged.changelog.end
            if end is None:
                # Not told: at least so many were written after the old position. Whatever else was,
                # markers or a zombie's records, makes this a lower bound, and a replay is harmless.
                before = logged.store.position
                end = (before.offset if before is not None else 0) + len(logged.store.pending())
            topic_id = logged.changelog.topic.topic_id
            logged.store.commit(Position(topic_id, end, self._wall_clock()))

    def checkpoint(self) -> None:
        """At a clean close: nothing was missed since the last commit, however long ago it was."""
        for logged in self.stores:
            position = logged.store.position
            if position is not None:
                written_at = self._wall_clock()
                logged.store.commit(Position(position.topic_id, position.offset, written_at))

    def rollback(self) -> None:
        """Back to the last commit; the caller seeks the consumer back to `committed`."""
        for logged in self.stores:
            logged.store.rollback()
        self.position = self.committed
        self._time.rollback()

    def close(self) -> None:
        """Drops what is uncommitted and frees the stores: each stays at its committed point."""
        if self.state is TaskState.CLOSED:
            return
        self._become(TaskState.SUSPENDED)
        for logged in self.stores:
            logged.store.close()
        self._become(TaskState.CLOSED)

    def _become(self, state: TaskState) -> None:
        if state not in _NEXT[self.state]:
            raise RuntimeError(f"task {self.partition} cannot go from {self.state} to {state}")
        self.state = state

    def _position_after(self, message: Message, position: int) -> int:
        """The consumer's events: at the end of a partition, markers have been passed as well."""
        error = message.error()
        assert error is not None
        if error.code() == PARTITION_EOF:
            return max(position, message.offset() or 0)
        if error.retriable():
            return position
        raise consumer_failure(error, f"{self._source.topic}-{self.partition}")
