"""Reads single records again, for the few that a finding shows."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from eoscheck.audit.forensics.neighbourhood import Neighbourhood
from eoscheck.audit.identity import Headers
from eoscheck.audit.readers.scan import committed_reader
from eoscheck.audit.rows.records import Content, Place
from eoscheck.closing import Closing
from eoscheck.logformat import Record

_PATIENCE_S = 5.0
_NEIGHBOURS = 1000


@dataclass(frozen=True, kw_only=True)
class StoredRecord:
    content: Content
    timestamp_ms: int


class Lookup(Closing):
    """A context manager. Records come from raw batches where those can be read (`neighbourhood`),
    aborted ones as well; else from a consumer of its own, which fetches little at a time."""

    def __init__(
        self,
        client_config: Mapping[str, str],
        *,
        neighbourhood: Neighbourhood | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader: AbstractContextManager[Consumer] = committed_reader(
            client_config,
            **{
                "fetch.message.max.bytes": 16_384,
                "fetch.wait.max.ms": 10,
                "queued.min.messages": 1_000,
            },
        )
        self._stack = ExitStack()
        self._opened: Consumer | None = None
        self._neighbourhood = neighbourhood
        self._clock = clock
        self._seen: dict[Place, StoredRecord | None] = {}
        self._topics: set[str] = set()

    def record(self, place: Place) -> StoredRecord | None:
        """None where it cannot be read any more, or not in time, or is no record's place."""
        if place.offset < 0:
            return None
        if self._neighbourhood is not None and self._neighbourhood.tells(place):
            raw = self._neighbourhood.record(place)
            return None if raw is None else _stored(raw)
        if place not in self._seen:
            try:
                self._fetch(place)
            except KafkaException:
                self._seen[place] = None
        return self._seen[place]

    def _fetch(self, place: Place) -> None:
        self._seen[place] = None
        if place.topic not in self._topics:
            self._topics.add(place.topic)  # the client would look for its leaders a second later
            self._consumer.list_topics(place.topic, timeout=_PATIENCE_S)
        self._consumer.assign([TopicPartition(*place)])
        until = self._clock() + _PATIENCE_S
        while self._clock() < until:
            message = self._consumer.poll(0.1)
            if message is None or (message.topic(), message.partition()) != place[:2]:
                continue  # nothing yet, or left over from the place before
            # What came in the same answer is kept too: findings are often neighbours.
            for each in (message, *self._consumer.consume(_NEIGHBOURS, timeout=0)):
                self._keep(each)
            return

    def _keep(self, message: Message) -> None:
        if message.error() is not None:
            return  # the end of the partition, or of what may be read
        _kind, timestamp_ms = message.timestamp()
        place = Place(message.topic(), message.partition(), message.offset())  # type: ignore[arg-type]
        self._seen[place] = StoredRecord(
            content=(message.key(), message.value(), message.headers()),  # type: ignore[arg-type]
            timestamp_ms=timestamp_ms,
        )

    @property
    def _consumer(self) -> Consumer:
        """Opened when it is first needed: where a cluster never had a group, a consumer's question
        for its coordinator makes Kafka create the topic of group offsets."""
        if self._opened is None:
            self._opened = self._stack.enter_context(self._reader)
        return self._opened

    def close(self) -> None:
        self._stack.close()


def _stored(raw: Record) -> StoredRecord:
    """With headers as confluent-kafka hands them out."""
    headers: Headers = [(name.decode(errors="replace"), content) for name, content in raw.headers]
    return StoredRecord(content=(raw.key, raw.value, headers or None), timestamp_ms=raw.timestamp)
