"""Topics as their batches' bytes, and a cluster that serves them: what a whole audit is given, down
to the connections, without a broker."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self

import msgspec

from eoscheck.cluster.raw_log import FetchedPart
from eoscheck.history.events import Identity
from eoscheck.logformat.batches import Control
from tests.unit.audit.raw_logs import Batch, Log
from tests.unit.logformat import wire

_LEADER_CHANGE = struct.pack(">hh", 0, 2)
_NONE = memoryview(b"")


class Entry(NamedTuple):
    """One record; `identity` None where its value does not fit."""

    identity: Identity | None
    key: str | None = None

    def written(self, delta: int) -> wire.Written:
        value = b"{]" if self.identity is None else msgspec.json.encode({"id": self.identity})
        return wire.Written(
            key=None if self.key is None else self.key.encode(), value=value, delta=delta
        )


@dataclass(frozen=True)
class Stored:
    """A batch as it lies in the log: its header, and the records that a cleaner has left by their
    offsets."""

    header: Batch
    entries: Mapping[int, Entry] = field(default_factory=dict)
    codec: int = wire.NONE

    def encoded(self) -> bytes:
        header = self.header
        settings: dict[str, Any] = {
            "base": header.base,
            "producer": header.producer_id,
            "epoch": header.epoch,
            "first": header.time_ms,
            "latest": header.time_ms,
        }
        if header.is_marker:
            return wire.marker(commit=header.control is Control.COMMIT, **settings)
        if header.control is Control.OTHER:
            record = wire.Written(key=_LEADER_CHANGE)
            return wire.batch([record], control=True, **settings)
        return wire.batch(
            [entry.written(offset - header.base) for offset, entry in self.entries.items()],
            codec=self.codec,
            sequence=header.sequence,
            transactional=header.transactional,
            last_delta=header.last - header.base,
            **settings,
        )


@dataclass
class Partition:
    """What its leader holds and says. An answer has `pieces` batches, over and over; its list of
    aborted transactions leaves out those of the numbers in `untold`, and names those `invented`
    ((producer id, first offset))."""

    stored: list[Stored] = field(default_factory=list)
    log_start: int = 0
    cut: int = 0
    pieces: Sequence[int] = (1000,)
    untold: frozenset[int] = frozenset()
    invented: Sequence[tuple[int, int]] = ()
    served: list[tuple[list[Stored], list[tuple[int, int]]]] = field(default_factory=list)

    @property
    def end(self) -> int:
        return self.stored[-1].header.last + 1 if self.stored else 0

    @property
    def last_stable(self) -> int:
        """Where the first transaction begins that no marker has ended."""
        begun: dict[int, int] = {}
        for batch in (each.header for each in self.stored):
            if batch.is_marker:
                begun.pop(batch.producer_id, None)
            elif batch.transactional and batch.records:
                begun.setdefault(batch.producer_id, batch.base)
        return min(begun.values(), default=self.end)

    def aborted(self) -> list[tuple[int, int, int]]:
        """(producer id, first offset, offset of the marker), as a truthful broker has them."""
        begun: dict[int, int] = {}
        found = []
        for batch in (each.header for each in self.stored):
            if not batch.is_marker:
                if batch.transactional and batch.records:
                    begun.setdefault(batch.producer_id, batch.base)
                continue
            first = begun.pop(batch.producer_id, None)
            if first is not None and batch.control is Control.ABORT:
                found.append((batch.producer_id, first, batch.base))
        return found

    def told(self, first: int, last: int) -> list[tuple[int, int]]:
        """The list in an answer with these offsets: what was aborted among them, and the lies."""
        entries = [
            (producer, begin)
            for number, (producer, begin, marker) in enumerate(self.aborted())
            if number not in self.untold and begin <= last and marker >= first
        ]
        return entries + [(p, begin) for p, begin in self.invented if begin <= last]


class FakeLog:
    """As `RawLog`, of topics that are here; keeps what it has served."""

    def __init__(self, topics: Mapping[str, Mapping[int, Partition]]) -> None:
        self.topics = topics

    def read(self, topic: str, spans: Mapping[int, tuple[int, int]], **_: object) -> FakeReading:
        return FakeReading(self.topics[topic], spans)


class FakeReading(Iterator[FetchedPart]):
    """One answer after another from each partition in turn."""

    def __init__(
        self, partitions: Mapping[int, Partition], spans: Mapping[int, tuple[int, int]]
    ) -> None:
        self._partitions = partitions
        self._places = {number: span for number, span in spans.items() if span[0] < span[1]}
        self._sizes = {n: itertools.cycle(partitions[n].pieces) for n in spans}

    def __next__(self) -> FetchedPart:
        if not self._places:
            raise StopIteration
        number = next(iter(self._places))
        offset, stop = self._places.pop(number)
        partition = self._partitions[number]
        readable = [
            each
            for each in partition.stored
            if offset <= each.header.last and each.header.base < partition.last_stable
        ][: next(self._sizes[number])]
        aborted, following = [], offset
        if readable:
            following = readable[-1].header.last + 1
            aborted = partition.told(readable[0].header.base, following - 1)
            partition.served.append((readable, aborted))
        if following < stop:
            self._places[number] = following, stop
        return FetchedPart(
            partition=number,
            fetch_offset=offset,
            next_offset=following,
            high_watermark=partition.end,
            last_stable_offset=partition.last_stable,
            log_start_offset=partition.log_start,
            aborted=aborted,
            records=memoryview(b"".join(each.encoded() for each in readable)) or _NONE,
        )

    def drop(self, partition: int) -> None:
        self._places.pop(partition, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._places.clear()


@dataclass(frozen=True)
class FakeView:
    """As `ClusterView`: where the logs begin, and how far they went when the audit began."""

    topics: Mapping[str, Mapping[int, Partition]]

    def high_watermarks(self, topic: str) -> dict[int, int]:
        return {number: each.cut for number, each in self.topics[topic].items()}

    def log_starts(self, topic: str) -> dict[int, int]:
        return {number: each.log_start for number, each in self.topics[topic].items()}


@dataclass(frozen=True)
class FakeConfigs:
    """As `ConfigView`."""

    compacted_topics: frozenset[str]

    def compacted(self, topic: str) -> bool:
        return topic in self.compacted_topics


class Writer:
    """Appends to one partition as producers and their coordinator do, honest or not."""

    def __init__(self) -> None:
        self.log = Log()
        self._entries: list[Sequence[Entry]] = []
        self._codecs: list[int] = []

    def data(
        self,
        producer: int,
        epoch: int,
        entries: Sequence[Entry],
        *,
        transactional: bool,
        codec: int = wire.NONE,
    ) -> None:
        self.log.data(producer, epoch, records=len(entries), transactional=transactional)
        self._note(entries, codec)

    def marker(self, producer: int, epoch: int, *, commit: bool) -> None:
        (self.log.commit if commit else self.log.abort)(producer, epoch)
        self._note((), wire.NONE)

    def leader_change(self) -> None:
        self.log.other()
        self._note((), wire.NONE)

    def again(self) -> None:
        """The last batch once more, its sequence numbers too: a retry that was taken as new."""
        last = self.log.batches[-1]
        self.data(last.producer_id, last.epoch, self._entries[-1], transactional=last.transactional)
        self.log.batches[-1] = replace(self.log.batches[-1], sequence=last.sequence)

    def stored(self) -> list[Stored]:
        return [
            Stored(
                header=header,
                entries={header.base + at: entry for at, entry in enumerate(entries)},
                codec=codec,
            )
            for header, entries, codec in zip(
                self.log.batches, self._entries, self._codecs, strict=True
            )
        ]

    def _note(self, entries: Sequence[Entry], codec: int) -> None:
        self._entries.append(entries)
        self._codecs.append(codec)


def cleaned(stored: Sequence[Stored], *, last_stable: int, taken: Iterator[bool]) -> list[Stored]:
    """What a cleaner leaves: it takes records below the last stable offset, here any; a batch that
    lost all of them stays, empty, or goes as well. The last batch is not looked at."""
    left = []
    for each in stored[:-1]:
        if each.header.control is not Control.DATA or each.header.last >= last_stable:
            left.append(each)
            continue
        entries = {offset: entry for offset, entry in each.entries.items() if not next(taken)}
        if entries or not next(taken):
            header = replace(each.header, records=len(entries))
            left.append(replace(each, header=header, entries=entries))
    return [*left, *stored[-1:]]
