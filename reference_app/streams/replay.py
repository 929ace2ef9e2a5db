"""Changelog records back into a store: where to begin, and one run of records applied."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from confluent_kafka import Message

from reference_app.streams.changelog import ChangelogTopic
from reference_app.streams.errors import PARTITION_EOF, SessionLost
from reference_app.streams.store import Position
from reference_app.streams.task import LoggedStore


@dataclass(frozen=True)
class StartingPoint:
    """`wipe` tells why what is on disk cannot be built on; None where it can."""

    offset: int
    wipe: str | None


def starting_point(
    position: Position | None, topic: ChangelogTopic, *, log_start: int, end: int, now: float
) -> StartingPoint:
    """Where to restore from: the store's own position, unless the changelog has moved on from it.

    Offsets of another topic mean nothing. Below the log's start, or longer ago than tombstones are
    kept, deletions may have been compacted away, and deleted keys would rise again. Above the end,
    the log has lost what the store holds.
    """
    if position is None:
        return StartingPoint(log_start, None)
    if position.topic_id != topic.topic_id:
        return StartingPoint(log_start, "the changelog was made anew")
    if position.offset < log_start:
        return StartingPoint(log_start, f"the changelog starts at {log_start} now")
    if position.offset > end:
        return StartingPoint(log_start, f"the changelog ends at {end} now")
    if now - position.written_at > topic.delete_retention_s:
        return StartingPoint(log_start, "older than delete.retention.ms")
    return StartingPoint(position.offset, None)


@dataclass(frozen=True)
class Replayed:
    """`next_offset`: the one after the last record, None where there was none; `bytes` of keys and
    values; `at_end`: the end of the partition came after them."""

    records: int
    bytes: int
    next_offset: int | None
    at_end: bool


def place(message: Message) -> tuple[str, int]:
    """Topic and partition: what consecutive messages are grouped by."""
    return message.topic() or "", message.partition() or 0


def replay(logged: LoggedStore, run: Iterable[Message], *, now: float) -> Replayed:
    """Applies consecutive messages of one changelog partition in one write batch.

    Raises SessionLost for an error that the client reports among them.
    """
    records: list[tuple[bytes, bytes | None]] = []
    offset: int | None = None
    size = 0
    at_end = False
    for message in run:
        error = message.error()
        at_end = error is not None and error.code() == PARTITION_EOF
        if error is not None:
            if at_end or error.retriable():
                continue
            raise SessionLost(f"changelog of {logged.name} cannot be read: {error.str()}")
        key, value = message.key(), message.value()
        records.append((key, value))  # type: ignore[arg-type]
        size += len(key or b"") + len(value or b"")
        offset = message.offset()
    if offset is None:
        return Replayed(0, 0, None, at_end)
    position = Position(logged.changelog.topic.topic_id, offset + 1, now)
    logged.store.restore(records, position)
    return Replayed(len(records), size, offset + 1, at_end)
