"""Reads the committed view of a topic from raw batches: the client reader's work, compiled.

One thread fetches, another decodes; what a `read_committed` client is given is decided by the raw
view, batch by batch.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from eoscheck.audit.batches.parts import View, taken
from eoscheck.audit.readers.fast_decode import Decoder
from eoscheck.audit.readers.fast_plan import supported
from eoscheck.audit.readers.scan import Reached, Span
from eoscheck.audit.rows.block import BlockSink, Wanted
from eoscheck.audit.rows.records import Misfits, Place
from eoscheck.cluster.raw_log import FetchedPart, RawLog
from eoscheck.logformat import Batches

__all__ = ["FastRead", "read_fast", "supported"]


@dataclass(frozen=True, kw_only=True)
class FastRead:
    """What was read. `unreadable` counts batches that could not be decoded though they should
    have been given; `first_unreadable` are some of them. `unidentified` records are in no block."""

    reached: dict[int, Reached]
    unidentified: int
    misfits: list[Misfits]
    unreadable: int
    first_unreadable: list[Place]


def read_fast(
    topic: str,
    spans: Mapping[int, Span],
    *,
    log: RawLog,
    wanted: Wanted,
    sink: BlockSink,
    view: View,
    withheld: BlockSink | None = None,
    patience_s: float = 30.0,
    progress: Callable[[int, int], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> FastRead:
    """Hands every committed record below the cuts to `sink`, every aborted one to `withheld`; says
    how far each partition was read.

    For what is `supported(wanted)`. Waits at most `patience_s` for open transactions. `progress` is
    given (offsets read, to read). Raises InfrastructureError where the cluster refuses, or stays
    silent for a minute.
    """
    reader = _Reader(
        decoder=Decoder(topic, wanted),
        view=view,
        sink=sink,
        withheld=withheld,
        partitions={number: _Progress(span=span) for number, span in spans.items()},
    )
    total = sum(span.cut - span.start for span in spans.values())
    ranges = {number: (span.start, span.cut) for number, span in spans.items()}
    with log.read(topic, ranges, committed=True) as reading:
        for part in reading:
            partition = reader.partitions[part.partition]
            reader.take(part, partition)
            if partition.waited(clock()) > patience_s:
                reading.drop(part.partition)
            if progress is not None:
                progress(reader.done(), total)
    return reader.result()


@dataclass(kw_only=True)
class _Progress:
    """One partition while it is read. `held_since` is since when it has had nothing more."""

    span: Span
    position: int = -1
    held_since: float | None = None
    held: bool = False
    lost_below: int | None = None

    def __post_init__(self) -> None:
        self.position = self.span.start

    def waited(self, now: float) -> float:
        if not self.held:
            self.held_since = None
            return 0.0
        if self.held_since is None:
            self.held_since = now
        return now - self.held_since


@dataclass(kw_only=True)
class _Reader:
    decoder: Decoder
    view: View
    sink: BlockSink
    withheld: BlockSink | None
    partitions: dict[int, _Progress] = field(default_factory=dict)

    def take(self, part: FetchedPart, partition: _Progress) -> None:
        partition.held = part.next_offset == part.fetch_offset
        partition.position = max(partition.position, part.next_offset)
        if part.out_of_range:
            partition.lost_below = part.log_start_offset
            return
        batches, given = taken(part, self.view)
        self._decode(part, batches, given, self.sink, partition.span.cut)
        if self.withheld is not None:
            hidden = self.view.withheld(part.partition)
            self._decode(part, batches, hidden, self.withheld, partition.span.cut)

    def _decode(
        self,
        part: FetchedPart,
        batches: Batches,
        chosen: NDArray[np.bool_],
        sink: BlockSink,
        cut: int,
    ) -> None:
        for block in self.decoder.blocks(
            part.partition, part.records, batches, chosen, lowest=part.fetch_offset, cut=cut
        ):
            if len(block):
                sink.add(block)

    def done(self) -> int:
        return sum(min(p.position, p.span.cut) - p.span.start for p in self.partitions.values())

    def result(self) -> FastRead:
        unreadable = self.decoder.unreadable
        return FastRead(
            reached={
                number: Reached(span=p.span, position=p.position, lost_below=p.lost_below)
                for number, p in self.partitions.items()
            },
            unidentified=self.decoder.unidentified,
            misfits=self.decoder.misfits(),
            unreadable=unreadable.count,
            first_unreadable=unreadable.first,
        )
