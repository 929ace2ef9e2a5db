"""Reads a topic into a store, by whichever reader can, and says what of it may be missing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from confluent_kafka import Consumer

from eoscheck.audit.block import Block
from eoscheck.audit.evaluate import Evaluator
from eoscheck.audit.records import Misfits, Place
from eoscheck.audit.scan import Reached, Span, read_committed
from eoscheck.audit.store import Store
from eoscheck.cluster.configs import ConfigView
from eoscheck.errors import InfrastructureError


class Progress(Protocol):
    """Called often: `step` in words, `done` of `total` (offsets, or findings)."""

    def __call__(self, step: str, done: int, total: int) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Read:
    """One topic as it was read. `gaps` says in words why committed records may be missing;
    `records` counts those that were read, by partition, `last` is the offset of the last one."""

    topic: str
    partitions: Mapping[int, Reached]
    gaps: Sequence[str]
    misfits: Sequence[Misfits] = ()
    records: Mapping[int, int] = field(default_factory=dict)
    last: Mapping[int, int] = field(default_factory=dict)

    def last_places(self) -> list[Place]:
        """The last record of each partition."""
        return [Place(self.topic, number, offset) for number, offset in sorted(self.last.items())]


@dataclass(frozen=True, kw_only=True)
class Reader:
    """How topics are read. Waits at most `patience_s` for open transactions."""

    consumer: Consumer
    configs: ConfigView
    patience_s: float
    progress: Progress | None = None
    clock: Callable[[], float] = time.monotonic

    def read(self, spans: Mapping[int, Span], store: Store, *, last_values: bool = False) -> Read:
        """Everything committed in `spans`, into `store`. `last_values`: only those are asked for,
        so that a compacted topic is as good as a whole one.

        Raises InfrastructureError where the cluster does not answer.
        """
        topic, counted = store.topic, _Counted(store)
        evaluator = Evaluator(topic, store.wanted, sink=counted)

        def report(done: int, total: int) -> None:
            if self.progress is not None:
                self.progress(f"reading {topic}", done, total)

        reached = read_committed(
            topic,
            spans,
            consumer=self.consumer,
            sink=evaluator,
            with_headers=evaluator.with_headers,
            patience_s=self.patience_s,
            progress=report,
            clock=self.clock,
        )
        gaps = _gaps(topic, reached)
        if not last_values:
            gaps += self._compaction(topic)
        if evaluator.unidentified:
            gaps.append(f"{evaluator.unidentified} records of {topic} have no identity")
        return Read(
            topic=topic,
            partitions=reached,
            gaps=gaps,
            misfits=evaluator.misfits(),
            records=counted.records,
            last=counted.last,
        )

    def _compaction(self, topic: str) -> list[str]:
        try:
            return [f"{topic} is compacted"] if self.configs.compacted(topic) else []
        except InfrastructureError as error:
            return [f"{topic} may be compacted: {error}"]


class _Counted:
    """Counts what it hands on."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.records: Counter[int] = Counter()
        self.last: dict[int, int] = {}

    def add(self, block: Block) -> None:
        self.records[block.partition] += len(block)
        if len(block):
            self.last[block.partition] = int(block.offset[-1])
        self._store.add(block)


def _gaps(topic: str, reached: Mapping[int, Reached]) -> list[str]:
    gaps = []
    for number, end in reached.items():
        start = end.span.start if end.lost_below is None else end.lost_below
        if start > 0:
            gaps.append(f"records of {topic}-{number} below offset {start} were removed")
        if end.held:
            gaps.append(
                f"{topic}-{number} was readable up to offset {end.position} of {end.span.cut} only"
            )
    return gaps
