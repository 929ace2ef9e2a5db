"""Raw batches of a topic, as its leaders hold them: one request to each is always under way."""

from __future__ import annotations

import queue
import selectors
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

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

ANSWER_BYTES = 8 * 1024 * 1024
"""Asked for at once. A broker returns the first batch whole, however large it is."""
_AHEAD = 1
"""Answers that wait for the caller: with the one it has and the one under way, three are held."""
_SILENCE_S = 60.0
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


class RawLog:
    """Reads raw batches through connections of a kept client; a context manager.

    Raises InfrastructureError where no broker answers within `timeout_s`.
    """

    def __init__(self, client_config: Mapping[str, str], *, timeout_s: float = 10.0) -> None:
        self._client = RawClient(client_config, timeout_s=timeout_s)
        self._timeout_s = timeout_s

    def read(
        self,
        topic: str,
        spans: Mapping[int, tuple[int, int]],
        *,
        committed: bool,
        answer_bytes: int = ANSWER_BYTES,
        silence_s: float = _SILENCE_S,
    ) -> Reading:
        """Reads each partition from its first offset until a part reaches its second.

        A partition that has nothing more for now gives empty parts about ten times a second, until
        it is dropped. Close the reading, or use it in a `with`.
        """
        return Reading(
            self._client,
            topic,
            spans,
            committed=committed,
            answer_bytes=answer_bytes,
            silence_s=silence_s,
            grace_s=self._timeout_s,
        )

    def fetch(
        self,
        topic: str,
        partition: int,
        offset: int,
        *,
        committed: bool,
        max_bytes: int = 1024 * 1024,
    ) -> FetchedPart:
        """What one request gives. Raises InfrastructureError as reading does."""
        span = {partition: (offset, offset + 1)}
        with self.read(
            topic, span, committed=committed, answer_bytes=max_bytes, silence_s=2 * self._timeout_s
        ) as reading:
            return next(reading)

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Reading(Iterator[FetchedPart]):
    """Parts of a topic's partitions, each partition's in the order of its log.

    They are fetched in a thread while the caller works on those before. Raises InfrastructureError,
    one line: a topic deleted or created again meanwhile, one that may not be read, and a partition
    whose leader says nothing for `silence_s`.
    """

    def __init__(
        self,
        client: RawClient,
        topic: str,
        spans: Mapping[int, tuple[int, int]],
        *,
        committed: bool,
        answer_bytes: int,
        silence_s: float,
        grace_s: float,
    ) -> None:
        self._fetcher = _Fetcher(
            client=client,
            topic=topic,
            committed=committed,
            answer_bytes=answer_bytes,
            silence_s=silence_s,
            grace_s=grace_s,
            places=[
                _Place(partition=number, offset=start, stop=stop, heard=time.monotonic())
                for number, (start, stop) in spans.items()
                if start < stop
            ],
        )
        self._ready: queue.Queue[list[FetchedPart] | BaseException | None] = queue.Queue(_AHEAD)
        self._parts: list[FetchedPart] = []
        self._over = False
        self._thread = threading.Thread(target=self._run, name=f"fetch {topic}", daemon=True)
        self._thread.start()

    def __next__(self) -> FetchedPart:
        while not self._parts:
            if self._over:
                raise StopIteration
            got = self._ready.get()
            if isinstance(got, list):
                self._parts = got[::-1]
                continue
            self._over = True
            if got is not None:
                raise got
        return self._parts.pop()

    def drop(self, partition: int) -> None:
        """No more of that partition, but for parts that have already come."""
        self._fetcher.dropped.add(partition)

    def close(self) -> None:
        """Waits for the request under way."""
        self._fetcher.stopped = True
        self._over, self._parts = True, []
        while self._thread.is_alive():
            try:
                self._ready.get(timeout=0.05)  # room for what the thread wants to hand on
            except queue.Empty:
                continue
        self._thread.join()

    def _run(self) -> None:
        try:
            for parts in self._fetcher.run():
                self._ready.put(parts)
            self._ready.put(None)
        except BaseException as error:  # noqa: BLE001 - raised where the caller waits
            self._ready.put(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@dataclass(kw_only=True, slots=True)
class _Place:
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
    places: dict[int, _Place]


@dataclass(kw_only=True)
class _Fetcher:
    """The reading thread. `dropped` and `stopped` are set from outside."""

    client: RawClient
    topic: str
    committed: bool
    answer_bytes: int
    silence_s: float
    grace_s: float
    places: list[_Place]
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

    def _open(self, place: _Place) -> bool:
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
        by_leader: dict[int, list[_Place]] = {}
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

    def _send(self, leader: int, places: list[_Place]) -> None:
        assert self._leaders is not None
        connection = self._connections.pop(leader, None) or self.client.connect(leader)
        topic_id = self._leaders.topic_id
        version = connection.version if topic_id is not None else BY_NAME
        request = fetch_request(
            self.topic,
            topic_id if version >= BY_ID else None,
            {place.partition: place.offset for place in places},
            committed=self.committed,
            max_bytes=self.answer_bytes,
        )
        try:
            number = connection.send(request, version=version)
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
            parts.append(_part(each, place.offset, following))
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
                parts.append(_part(each, place.offset, place.offset, empty=True))
        return parts

    def _restart(self, leader: int, place: _Place) -> FetchedPart | None:
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
        return FetchedPart(
            partition=place.partition,
            fetch_offset=fetched,
            next_offset=start,
            high_watermark=-1,
            last_stable_offset=-1,
            log_start_offset=start,
            aborted=[],
            records=_NONE,
            out_of_range=True,
        )

    def _refused(self, places: list[_Place], code: int) -> None:
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

    def _look_again(self, places: list[_Place], why: str) -> None:
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


def _part(
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


def fetch_request(
    topic: str,
    topic_id: Any,
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
