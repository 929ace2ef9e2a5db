"""Reads the committed view of a topic up to a fixed cut, in bounded time.

A `read_committed` consumer is given neither control records nor aborted ones, so the last record it
sees may lie far below the cut: a partition is done when the client's *position* reaches it, which
librdkafka tells by its end-of-partition event (the offset it would fetch next). That event below
the cut means that an open transaction holds the partition back there.
"""

from __future__ import annotations

import gc
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from eoscheck.audit.rows.records import Content
from eoscheck.cluster.connection import QUIET
from eoscheck.errors import InfrastructureError

_BATCH = 20_000
_POLL_S = 0.05
_METADATA_S = 10.0
_SILENCE_S = 60.0
"""No record, no end and no error for so long from a partition: the cluster does not answer."""

# librdkafka names its own errors with a leading underscore.
_END = KafkaError._PARTITION_EOF  # noqa: SLF001
_NO_SUCH_OFFSET = (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE)  # noqa: SLF001


class Sink(Protocol):
    """Takes the records of one topic in batches: columns of equal length."""

    def add(
        self,
        partitions: Sequence[int],
        offsets: Sequence[int],
        contents: Sequence[Content],
    ) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Span:
    """What is to be read of a partition: from its log's start to the cut, exclusive."""

    start: int
    cut: int


@dataclass(frozen=True, kw_only=True)
class Reached:
    """How far a partition was read. `position` is below the cut where a transaction was still open
    there; `lost_below` is where the log began after records were deleted under the reader."""

    span: Span
    position: int
    lost_below: int | None = None

    @property
    def held(self) -> bool:
        return self.position < self.span.cut


@contextmanager
def committed_reader(client_config: Mapping[str, str], **settings: str | int) -> Iterator[Consumer]:
    """A consumer that joins no group and commits nothing: partitions are assigned by hand."""
    consumer = Consumer(
        {
            **client_config,
            **QUIET,
            "group.id": f"eoscheck-audit-{uuid.uuid4()}",  # the client wants one; it is never used
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "auto.offset.reset": "error",  # a deleted range is to be seen, not skipped
            "fetch.wait.max.ms": 20,
            "fetch.message.max.bytes": 4 * 1024 * 1024,
            "queued.min.messages": 200_000,  # fetch on while a batch is worked on
            **settings,
        }
    )
    try:
        yield consumer
    finally:
        consumer.close()


def read_committed(
    topic: str,
    spans: Mapping[int, Span],
    *,
    consumer: Consumer,
    sink: Sink,
    with_headers: bool = False,
    patience_s: float = 30.0,
    progress: Callable[[int, int], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> dict[int, Reached]:
    """Hands every committed record below the cuts to `sink`; says how far each partition was read.

    Waits at most `patience_s` for open transactions. `progress` is given (offsets read, to read).
    Raises InfrastructureError where the cluster refuses, or stays silent for a minute.
    """
    scan = _Scan(topic=topic, spans=spans, consumer=consumer, clock=clock)
    total = sum(span.cut - span.start for span in spans.values())
    enabled = gc.isenabled()
    gc.disable()  # a collection for every few thousand records would double the cost of the loop
    try:
        scan.begin()
        while scan.waits_for_records(patience_s):
            batch = scan.take(consumer.consume(num_messages=_BATCH, timeout=_POLL_S))
            if batch.messages:
                sink.add(batch.partitions, batch.offsets, batch.contents(with_headers=with_headers))
            if progress is not None:
                progress(scan.done(), total)
    finally:
        consumer.unassign()
        if enabled:
            gc.enable()
    return scan.reached()


class _Batch(NamedTuple):
    partitions: list[int]
    offsets: list[int]
    messages: list[Message]

    def contents(self, *, with_headers: bool) -> list[Content]:
        if with_headers:
            return [(m.key(), m.value(), m.headers()) for m in self.messages]  # type: ignore[misc]
        return [(m.key(), m.value(), None) for m in self.messages]


@dataclass(kw_only=True)
class _Progress:
    """One partition while it is read. `since` is when it last moved."""

    span: Span
    position: int
    since: float
    at_end: bool = False
    lost_below: int | None = None

    @property
    def done(self) -> bool:
        return self.position >= self.span.cut


@dataclass(kw_only=True)
class _Scan:
    topic: str
    spans: Mapping[int, Span]
    consumer: Consumer
    clock: Callable[[], float]
    partitions: dict[int, _Progress] = field(default_factory=dict)

    def begin(self) -> None:
        now = self.clock()
        self.partitions = {
            number: _Progress(span=span, position=span.start, since=now)
            for number, span in self.spans.items()
        }
        # Known leaders first: the client would look for those of a new topic only a second later.
        self.consumer.list_topics(self.topic, timeout=_METADATA_S)
        self.consumer.assign(
            [
                TopicPartition(self.topic, number, partition.position)
                for number, partition in self.partitions.items()
                if not partition.done
            ]
        )

    def waits_for_records(self, patience_s: float) -> bool:
        """False when everything was read, or what is left is held by transactions for too long."""
        now = self.clock()
        left = {n: p for n, p in self.partitions.items() if not p.done}
        for number, partition in left.items():
            if not partition.at_end and now - partition.since > _SILENCE_S:
                raise InfrastructureError(
                    f"{self.topic}-{number} gave nothing for {_SILENCE_S:g} s at offset "
                    f"{partition.position}, below its end {partition.span.cut}: is its leader up?"
                )
        return any(not p.at_end or now - p.since <= patience_s for p in left.values())

    def take(self, delivered: Sequence[Message]) -> _Batch:
        """The records below the cuts; errors and ends move the partitions."""
        messages = [message for message in delivered if message.error() is None]
        batch = _Batch(
            [message.partition() for message in messages],  # type: ignore[misc]
            [message.offset() for message in messages],  # type: ignore[misc]
            messages,
        )
        beyond = self._move(dict(zip(batch.partitions, batch.offsets, strict=True)))
        if len(messages) < len(delivered):
            for message in delivered:
                if message.error() is not None:
                    self._handle(message)
        return self._below_cuts(batch) if beyond else batch

    def done(self) -> int:
        return sum(min(p.position, p.span.cut) - p.span.start for p in self.partitions.values())

    def reached(self) -> dict[int, Reached]:
        return {
            number: Reached(span=p.span, position=p.position, lost_below=p.lost_below)
            for number, p in self.partitions.items()
        }

    def _move(self, last: Mapping[int, int]) -> bool:
        """Takes note of the last offsets that came; true where one is beyond its cut."""
        now = self.clock()
        beyond = False
        for number, offset in last.items():
            partition = self.partitions[number]
            partition.position = max(partition.position, offset + 1)
            partition.since, partition.at_end = now, False
            beyond = beyond or offset >= partition.span.cut
        return beyond

    def _below_cuts(self, batch: _Batch) -> _Batch:
        cuts = {number: partition.span.cut for number, partition in self.partitions.items()}
        kept = [row for row in zip(*batch, strict=True) if row[1] < cuts[row[0]]]
        return _Batch(*map(list, zip(*kept, strict=True))) if kept else _Batch([], [], [])

    def _handle(self, message: Message) -> None:
        error, number = message.error(), message.partition()
        assert error is not None
        if error.code() == _END and number is not None:
            self._at_end(self.partitions[number], message.offset())
        elif error.code() in _NO_SUCH_OFFSET and number is not None:
            self._restart_at_log_start(number)
        elif error.fatal() or not _passing(error):
            raise InfrastructureError(f"cannot read {self.topic}: {error.str()}")

    def _at_end(self, partition: _Progress, offset: int | None) -> None:
        if offset is None or offset < partition.position:
            return  # an end that newer records of the same batch have overtaken
        if offset > partition.position:
            partition.position = offset
            partition.since = self.clock()
        partition.at_end = True

    def _restart_at_log_start(self, number: int) -> None:
        """Retention or DeleteRecords overtook the reader: go on where the log begins now."""
        place = TopicPartition(self.topic, number)
        start, _end = self.consumer.get_watermark_offsets(place, timeout=_METADATA_S)
        partition = self.partitions[number]
        partition.lost_below = start
        partition.position = max(partition.position, start)
        self.consumer.incremental_unassign([place])
        if not partition.done:
            self.consumer.incremental_assign([TopicPartition(self.topic, number, start)])


def _passing(error: KafkaError) -> bool:
    """Errors that the client recovers from by itself: brokers come back, leaders move."""
    return error.retriable() or error.code() in (
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError._RESOLVE,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        # The client looks for the coordinator of the group that it never joins.
        KafkaError.GROUP_AUTHORIZATION_FAILED,
    )
