"""The thread that reads raw batches: requests to leaders, and what becomes of their answers."""

from __future__ import annotations

import selectors
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from kafka import errors as kafka_errors
from kafka.errors import KafkaError
from kafka.protocol.consumer import FetchRequest

from eoscheck.cluster.raw_client import BrokenConnectionError, Leaders, RawClient, RawConnection
from eoscheck.errors import InfrastructureError
from eoscheck.logformat.answer import (
    BY_ID,
    BY_NAME,
    Answer,
    BrokenAnswerError,
    PartitionAnswer,
    next_offset,
    read_answer,
)

_WAIT_MS = 100
"""How long a broker waits for new records where there are none."""
_PAUSE_S = 0.1
_NONE = memoryview(b"")

_OUT_OF_RANGE = kafka_errors.OffsetOutOfRangeError.errno
_UNAUTHORIZED = kafka_errors.TopicAuthorizationFailedError.errno
_UNKNOWN_TOPIC = (3, 100, 103)  # by name, by id, and by an id that has another name
_REFRESHED = (5, 6, 9, 56, 72, 74, 75, 76, 78)
"""A leader moves or comes back: not available, not leader, replica not available, storage error,
listener not found, fenced and unknown epochs, offset not available."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FetchedPart:
    """One partition of one answer.

    `records` are whole batches from `fetch_offset` on (the first may begin before it), and perhaps
    a part of one more; `next_offset` is where the next part begins, `fetch_offset` itself where no
    whole batch came. `aborted` are the broker's (producer id, first offset), of a committed read.
    `out_of_range`: the log no longer holds `fetch_offset`; it begins at `log_start_offset`, from
    where the reading goes on.
    """

    partition: int
    fetch_offset: int
    next_offset: int
    high_watermark: int
    last_stable_offset: int
    log_start_offset: int
    aborted: list[tuple[int, int]]
    records: memoryview
    out_of_range: bool = False


@dataclass(kw_only=True, slots=True)
class PartitionPlace:
    """Where a partition is read. `heard` is when its leader last said something good of it."""

    partition: int
    offset: int
    stop: int
    heard: float
    trouble: str = "no answer"


@dataclass(kw_only=True, slots=True)
class _Asked:
    """A request under way."""

    connection: RawConnection
    number: int
    version: int
    since: float
    places: dict[int, PartitionPlace]


@dataclass(kw_only=True)
class Fetcher:
    """The reading thread. `dropped` and `stopped` are set from outside."""

    client: RawClient
    topic: str
    committed: bool
    answer_bytes: int
    silence_s: float
    grace_s: float
    places: list[PartitionPlace]
    clock: Callable[[], float] = time.monotonic
    dropped: set[int] = field(default_factory=set)
    stopped: bool = False
    _leaders: Leaders | None = None
    _known: Leaders | None = None
    _unknown_since: float | None = None
    _pause_until: float = 0.0
    _connections: dict[int, RawConnection] = field(default_factory=dict)
    _asked: dict[int, _Asked] = field(default_factory=dict)
    _wakeup: threading.Event = field(default_factory=threading.Event)

    def run(self) -> Iterator[list[FetchedPart]]:
        """One list of parts for each answer, until every partition is read or dropped."""
        try:
            while self._waits():
                for leader in self._answering():
                    parts, now = self._take(leader), self.clock()
                    self._ask()  # the next answer comes while the caller works on this one
                    if parts:
                        yield parts
                        self._forgive(since=now)
        finally:
            for connection in self._connections.values():
                connection.close()
            for asked in self._asked.values():
                asked.connection.close()

    def _forgive(self, *, since: float) -> None:
        """The time for which the caller had enough to do is nobody's silence."""
        passed = self.clock() - since
        for place in self.places:
            place.heard += passed
        for asked in self._asked.values():
            asked.since += passed

    def _waits(self) -> bool:
        self.places = [place for place in self.places if self._open(place)]
        if self.stopped or not self.places:
            return False
        now = self.clock()
        for place in self.places:
            if now - place.heard > self.silence_s:
                raise InfrastructureError(
                    f"{self.topic}-{place.partition} gave nothing for {self.silence_s:g} s at "
                    f"offset {place.offset}, below its end {place.stop} ({place.trouble}): "
                    "is its leader up?"
                )
        if self._leaders is None and now >= self._pause_until:
            self._find_leaders()
        self._ask()
        return True

    def _open(self, place: PartitionPlace) -> bool:
        return place.offset < place.stop and place.partition not in self.dropped

    def _answering(self) -> list[int]:
        """The leaders whose answers are there; waits a moment for the first."""
        at_once = [leader for leader, asked in self._asked.items() if asked.connection.waits()]
        if at_once:
            return at_once
        if not self._asked:
            # Nobody to wait for: leaders are looked for again after the pause.
            self._wakeup.wait(_PAUSE_S)
            return []
        with selectors.DefaultSelector() as selector:
            for leader, asked in self._asked.items():
                selector.register(asked.connection, selectors.EVENT_READ, leader)
            ready: list[int] = [key.data for key, _events in selector.select(_PAUSE_S)]
        late = self.clock() - self.grace_s
        for leader, asked in list(self._asked.items()):
            if leader not in ready and asked.since < late:
                self._broken(leader, f"no answer in {self.grace_s:g} s")
        return ready

    def _ask(self) -> None:
        """A request to each leader that has none under way."""
        if self._leaders is None:
            return
        by_leader: dict[int, list[PartitionPlace]] = {}
        for place in self.places:
            if self._open(place):
                leader = self._leaders.leaders.get(place.partition, -1)
                by_leader.setdefault(leader, []).append(place)
        for leader, places in by_leader.items():
            if leader in self._asked:
                continue
            if leader < 0:
                self._look_again(places, "it has no leader")
                continue
            try:
                self._send(leader, places)
            except (KafkaError, OSError, BrokenConnectionError) as error:
                self._look_again(places, _text(error))

    def _send(self, leader: int, places: list[PartitionPlace]) -> None:
        assert self._leaders is not None
        connection = self._connections.pop(leader, None) or self.client.connect(leader)
        try:
            number, version = send_fetch(
                connection,
                self.topic,
                self._leaders.topic_id,
                {place.partition: place.offset for place in places},
                committed=self.committed,
                max_bytes=self.answer_bytes,
            )
        except BrokenConnectionError:
            connection.close()
            raise
        self._asked[leader] = _Asked(
            connection=connection,
            number=number,
            version=version,
            since=self.clock(),
            places={place.partition: place for place in places},
        )

    def _take(self, leader: int) -> list[FetchedPart]:
        asked, began = self._asked[leader], self.clock()
        try:
            answer = read_answer(asked.connection.receive(), version=asked.version)
            self._forgive(since=began)  # a slow network is no silence of the others
        except (BrokenConnectionError, BrokenAnswerError) as error:
            self._broken(leader, _text(error))
            return []
        if answer.correlation_id != asked.number:
            self._broken(leader, "the answer to another request")
            return []
        del self._asked[leader]
        self._connections[leader] = asked.connection
        if answer.error:
            self._refused(list(asked.places.values()), answer.error)
            return []
        return self._parts(leader, asked, answer)

    def _parts(self, leader: int, asked: _Asked, answer: Answer) -> list[FetchedPart]:
        now = self.clock()
        parts, served, starved = [], [], []
        first = next(iter(asked.places))
        for each in answer.partitions:
            place = asked.places.get(each.partition)
            if place is None:
                continue
            if each.error == _OUT_OF_RANGE:
                part = self._restart(leader, place)
                if part is not None:
                    parts.append(part)
                continue
            if each.error:
                self._refused([place], each.error)
                continue
            following = next_offset(each.records)
            if following is None or following <= place.offset:
                if each.partition == first and len(each.records):
                    raise InfrastructureError(
                        f"{self.topic}-{place.partition}: what its leader sent for offset "
                        f"{place.offset} is no whole batch"
                    )
                starved.append((place, each))
                continue
            parts.append(part_of(each, place.offset, following))
            place.offset, place.heard = following, now
            served.append(place)
        # Answers are filled in the order of the request: who got nothing comes first next time.
        if served and starved:
            last = {place.partition for place in served}
            self.places.sort(key=lambda place: place.partition in last)
        for place, each in starved:
            stable = each.last_stable_offset if self.committed else each.high_watermark
            if served or place.offset >= stable:
                place.heard = now  # others' records were in the way, or there are none
            else:
                place.trouble = "records, but none given"
            if place.offset >= stable:
                parts.append(part_of(each, place.offset, place.offset, empty=True))
        return parts

    def _restart(self, leader: int, place: PartitionPlace) -> FetchedPart | None:
        """The offset is gone: on from where the log begins now."""
        try:
            start = self.client.log_start(self.topic, place.partition, leader)
        except KafkaError as error:
            self._look_again([place], _text(error))
            return None
        fetched, place.heard = place.offset, self.clock()
        if start <= fetched:
            raise InfrastructureError(
                f"{self.topic}-{place.partition} no longer holds offset {fetched}, though it "
                f"begins at {start}: its end was cut off (an unclean leader election?)"
            )
        place.offset = start
        return part_out_of_range(place.partition, fetched, start)

    def _refused(self, places: list[PartitionPlace], code: int) -> None:
        error = kafka_errors.for_code(code)
        if code == _UNAUTHORIZED:
            raise InfrastructureError(
                f"{self.topic} may not be read: it takes the right READ on the topic"
            )
        if code not in _UNKNOWN_TOPIC and code not in _REFRESHED and not error.retriable:
            raise InfrastructureError(f"cannot read {self.topic}: {error.__name__}")
        self._look_again(places, error.__name__)

    def _broken(self, leader: int, why: str) -> None:
        asked = self._asked.pop(leader)
        asked.connection.close()
        self._look_again(list(asked.places.values()), why)

    def _look_again(self, places: list[PartitionPlace], why: str) -> None:
        for place in places:
            place.trouble = why
        self._leaders = None
        self._pause_until = self.clock() + _PAUSE_S

    def _find_leaders(self) -> None:
        before = self._known
        try:
            found = self.client.leaders(self.topic)
        except (KafkaError, OSError) as error:
            self._look_again(self.places, _text(error))
            return
        if found.error == _UNAUTHORIZED:
            raise InfrastructureError(
                f"{self.topic} may not be read: it takes the rights DESCRIBE and READ on the topic"
            )
        if found.error in _UNKNOWN_TOPIC:
            self._missing(before)
            return
        if found.error:
            self._look_again(self.places, kafka_errors.for_code(found.error).__name__)
            return
        if before is not None and before.topic_id != found.topic_id:
            raise InfrastructureError(
                f"{self.topic} was deleted and created again while it was read: run the audit again"
            )
        self._unknown_since = None
        self._leaders = self._known = found

    def _missing(self, before: Leaders | None) -> None:
        """A broker that has just come back may not know of the topic yet."""
        now = self.clock()
        if self._unknown_since is None:
            self._unknown_since = now
        if now - self._unknown_since > self.grace_s:
            what = "was deleted while it was read" if before else "does not exist"
            raise InfrastructureError(f"{self.topic} {what}")
        self._look_again(self.places, "unknown topic")


def part_of(
    each: PartitionAnswer, offset: int, following: int, *, empty: bool = False
) -> FetchedPart:
    return FetchedPart(
        partition=each.partition,
        fetch_offset=offset,
        next_offset=following,
        high_watermark=each.high_watermark,
        last_stable_offset=each.last_stable_offset,
        log_start_offset=each.log_start_offset,
        aborted=[] if empty else each.aborted,
        records=_NONE if empty else each.records,
    )


def part_out_of_range(partition: int, offset: int, start: int) -> FetchedPart:
    """The log does not hold `offset`: it begins at `start`."""
    return FetchedPart(
        partition=partition,
        fetch_offset=offset,
        next_offset=start,
        high_watermark=-1,
        last_stable_offset=-1,
        log_start_offset=start,
        aborted=[],
        records=_NONE,
        out_of_range=True,
    )


def send_fetch(
    connection: RawConnection,
    topic: str,
    topic_id: UUID | None,
    offsets: Mapping[int, int],
    *,
    committed: bool,
    max_bytes: int,
) -> tuple[int, int]:
    """Asks for what begins at `offsets`, by partition: the request's number and version. Raises
    BrokenConnectionError."""
    version = connection.version if topic_id is not None else BY_NAME
    request = _request(
        topic,
        topic_id if version >= BY_ID else None,
        offsets,
        committed=committed,
        max_bytes=max_bytes,
    )
    return connection.send(request, version=version), version


def _request(
    topic: str,
    topic_id: UUID | None,
    offsets: Mapping[int, int],
    *,
    committed: bool,
    max_bytes: int,
) -> Any:
    fetch = FetchRequest.FetchTopic
    partitions = [
        fetch.FetchPartition(
            partition=partition,
            current_leader_epoch=-1,
            fetch_offset=offset,
            last_fetched_epoch=-1,
            log_start_offset=-1,
            partition_max_bytes=max_bytes,
        )
        for partition, offset in offsets.items()
    ]
    named = {"topic_id": topic_id} if topic_id is not None else {"topic": topic}
    return FetchRequest(
        max_wait_ms=_WAIT_MS,
        min_bytes=1,
        max_bytes=max_bytes,
        isolation_level=int(committed),
        session_id=0,
        session_epoch=-1,
        topics=[fetch(partitions=partitions, **named)],
        forgotten_topics_data=[],
        rack_id="",
    )


def _text(error: BaseException) -> str:
    return str(error) or type(error).__name__
