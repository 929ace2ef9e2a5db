"""Reads a topic into a store, by whichever reader can, and says what of it may be missing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from confluent_kafka import Consumer
from numpy.typing import NDArray

from eoscheck.audit.atomic import AtomicCheck
from eoscheck.audit.batches.authors import Authors
from eoscheck.audit.batches.tail import follow_to_markers
from eoscheck.audit.batches.view import RawView
from eoscheck.audit.readers.evaluate import Evaluator
from eoscheck.audit.readers.fast import FastRead, read_fast, supported
from eoscheck.audit.readers.fast_decode import Decoder
from eoscheck.audit.readers.headers import read_headers
from eoscheck.audit.readers.scan import Reached, Span, read_committed
from eoscheck.audit.rows.block import Block, Wanted
from eoscheck.audit.rows.records import Content, Misfits
from eoscheck.audit.rows.store import Store
from eoscheck.cluster.configs import ConfigView
from eoscheck.cluster.raw_log import RawLog
from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.logformat import read_batches
from eoscheck.logformat.compiling import is_compiled

_TELL_EVERY_S = 0.5
_COMPILES_S = 30
"""About: it is only what the progress bar says."""


class Progress(Protocol):
    """Called often: `step` in words, `done` of `total` (offsets, or findings)."""

    def __call__(self, step: str, done: int, total: int) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Read:
    """One topic as it was read. `gaps` says in words why committed records may be missing;
    `records` counts those that were read, by partition. `raw` has followed its batches, None where
    no client could read them."""

    topic: str
    partitions: Mapping[int, Reached]
    gaps: Sequence[str]
    misfits: Sequence[Misfits] = ()
    records: Mapping[int, int] = field(default_factory=dict)
    raw: RawView | None = None
    compacted: bool = False

    @property
    def transactional(self) -> bool | None:
        """Whether all of it was written in transactions; None where that is not known."""
        if self.raw is None or not self.records:
            return None
        return self.raw.statistics().committed_records > 0 and not self.raw.outside_records


@dataclass(frozen=True, kw_only=True)
class Reader:
    """How topics are read: by the compiled reader where it can (`mode` auto), by one of the two
    otherwise. Waits at most `patience_s` for open transactions. Without a `log` there is no raw
    view."""

    consumer: Callable[[], Consumer]
    """Opened when it is first needed."""
    log: RawLog | None
    configs: ConfigView
    mode: Literal["auto", "fast", "client"]
    patience_s: float
    limit: int
    large: bool = True
    """Whether there is so much to read that loading compiled code pays."""
    progress: Progress | None = None
    clock: Callable[[], float] = time.monotonic

    def read(
        self,
        spans: Mapping[int, Span],
        store: Store,
        *,
        removed: Mapping[int, int] | None = None,
        last_values: bool = False,
        transactional: bool = False,
        authors: Authors | None = None,
        atomic: AtomicCheck | None = None,
    ) -> Read:
        """Everything committed in `spans`, into `store`.

        `removed`: where the log begins above what was asked for, by default above 0. `last_values`:
        only those are asked for, so that a compacted topic is as good as a whole one.
        `transactional`: whatever is written outside transactions is a hazard. `authors` are told
        who wrote every batch, `atomic` is shown the aborted records.
        Raises InfrastructureError where the cluster does not answer.
        """
        topic, counted = store.topic, _Counted(store)
        compacted = self._compaction(topic)
        view = RawView(
            topic,
            limit=self.limit,
            compacted=bool(compacted),
            transactions_expected=transactional,
            authors=authors,
        )
        if self._fast(store.wanted):
            read = self._read_fast(spans, counted, store.wanted, view, atomic)
        else:
            read = self._read_by_client(spans, counted, store.wanted, view)
        if self.log is not None:
            follow_to_markers(
                {number: end.span.cut for number, end in read.reached.items()},
                log=self.log,
                view=view,
            )
        if removed is None:
            removed = {n: span.start for n, span in spans.items() if span.start > 0}
        gaps = [*_gaps(topic, read.reached, removed), *(() if last_values else compacted)]
        if read.unidentified:
            gaps.append(f"{read.unidentified} records of {topic} have no identity")
        if read.unreadable:
            shown = ", ".join(map(str, read.first_unreadable[:3]))
            gaps.append(f"{read.unreadable} batches of {topic} could not be read ({shown})")
        return Read(
            topic=topic,
            partitions=read.reached,
            gaps=gaps,
            misfits=read.misfits,
            records=counted.records,
            raw=None if self.log is None else view,
            compacted=bool(compacted),
        )

    def _fast(self, wanted: Wanted) -> bool:
        if self.mode == "client":
            return False
        kinds = {spec.kind for spec in wanted.columns.values()}
        able = supported(wanted) and not kinds & {"bounds", "seal"}
        if self.mode == "auto":
            return able and self.log is not None and self.large
        if not able:
            raise UsageError(
                "--reader fast needs `pip install 'eoscheck[fast]'`, and expressions without "
                "python:, msgpack: and numbers in pointers: leave it out to have a reader chosen"
            )
        if self.log is None:
            raise InfrastructureError("--reader fast: no client can read raw batches here")
        return True

    def _read_fast(
        self,
        spans: Mapping[int, Span],
        counted: _Counted,
        wanted: Wanted,
        view: RawView,
        atomic: AtomicCheck | None,
    ) -> FastRead:
        assert self.log is not None
        if atomic is not None:
            atomic.shown = True
        if not is_compiled():
            self._compile(counted.topic, wanted)
        return read_fast(
            counted.topic,
            spans,
            log=self.log,
            wanted=wanted,
            sink=counted,
            view=view,
            withheld=None if atomic is None else atomic.withheld,
            patience_s=self.patience_s,
            progress=self._reporter(f"reading {counted.topic}"),
            clock=self.clock,
        )

    def _read_by_client(
        self,
        spans: Mapping[int, Span],
        counted: _Counted,
        wanted: Wanted,
        view: RawView,
    ) -> FastRead:
        """The client's records first; then the batches, which are held against them."""
        evaluator = Evaluator(view.topic, wanted, sink=counted)
        delivered = None if self.log is None else view.delivered
        reached = read_committed(
            view.topic,
            spans,
            consumer=self.consumer(),
            sink=evaluator if delivered is None else _Watched(evaluator, delivered),
            with_headers=evaluator.with_headers,
            patience_s=self.patience_s,
            progress=self._reporter(f"reading {view.topic}"),
            clock=self.clock,
        )
        if self.log is not None:
            for number, end in reached.items():
                start = end.span.start if end.lost_below is None else end.lost_below
                # It may have come further than its cut: what it gave from there on was dropped.
                stop = min(end.position, end.span.cut)
                view.read_by_client(number, start=start, stop=max(start, stop))
            read_headers(
                view.topic,
                {
                    number: Span(start=end.span.start, cut=min(end.position, end.span.cut))
                    for number, end in reached.items()
                },
                log=self.log,
                view=view,
                patience_s=self.patience_s,
                progress=self._reporter(f"reading the batches of {view.topic}"),
                clock=self.clock,
            )
        return FastRead(
            reached=reached,
            unidentified=evaluator.unidentified,
            misfits=evaluator.misfits(),
            unreadable=0,
            first_unreadable=[],
        )

    def _compile(self, topic: str, wanted: Wanted) -> None:
        """In a thread of its own, so that the user sees why nothing is read yet."""

        def compile_all() -> None:
            read_batches(b"", compiled=True)
            Decoder(topic, wanted).compile()

        with ThreadPoolExecutor(max_workers=1) as worker:
            compiling = worker.submit(compile_all)
            began = self.clock()
            while not wait([compiling], timeout=_TELL_EVERY_S).done:
                if self.progress is not None:
                    spent = int(self.clock() - began)
                    step = "compiling the reader, once for this version"
                    self.progress(step, spent, max(_COMPILES_S, spent + 1))
            compiling.result()

    def _reporter(self, step: str) -> Callable[[int, int], None]:
        def report(done: int, total: int) -> None:
            if self.progress is not None:
                self.progress(step, done, total)

        return report

    def _compaction(self, topic: str) -> list[str]:
        try:
            return [f"{topic} is compacted"] if self.configs.compacted(topic) else []
        except InfrastructureError as error:
            return [f"{topic} may be compacted: {error}"]


class _Watched:
    """Tells of the offsets that a client gave, before anything is made of them."""

    def __init__(
        self, evaluator: Evaluator, delivered: Callable[[int, NDArray[np.int64]], None]
    ) -> None:
        self._evaluator = evaluator
        self._delivered = delivered

    def add(
        self, partitions: Sequence[int], offsets: Sequence[int], contents: Sequence[Content]
    ) -> None:
        partition, offset = np.array(partitions), np.array(offsets, dtype=np.int64)
        for number in np.unique(partition).tolist():
            self._delivered(number, offset[partition == number])
        self._evaluator.add(partitions, offsets, contents)


class _Counted:
    """Counts what it hands on."""

    def __init__(self, store: Store) -> None:
        self.topic = store.topic
        self._store = store
        self.records: Counter[int] = Counter()

    def add(self, block: Block) -> None:
        self.records[block.partition] += len(block)
        self._store.add(block)


def _gaps(topic: str, reached: Mapping[int, Reached], removed: Mapping[int, int]) -> list[str]:
    gaps = []
    for number, end in reached.items():
        start = removed.get(number, 0) if end.lost_below is None else end.lost_below
        if start > 0:
            gaps.append(f"records of {topic}-{number} below offset {start} were removed")
        if end.held:
            gaps.append(
                f"{topic}-{number} was readable up to offset {end.position} of {end.span.cut} only"
            )
    return gaps
