"""Takes what an audit looks at off the cluster, in an order that a subject at work cannot spoil.

Group offsets A (stable ones) -> output cuts -> outputs -> input cuts -> inputs -> group offsets B.
Whatever the group had committed at A has its outputs below the output cuts; and whatever is below
those has its input below the input cuts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np

from eoscheck.audit.atomic import AtomicCheck
from eoscheck.audit.batches.authors import Authors
from eoscheck.audit.checks.content import Contents
from eoscheck.audit.checks.outcome import Checked
from eoscheck.audit.checks.partitioning import Partitioning
from eoscheck.audit.findings import Code, Guarantee, Unknown
from eoscheck.audit.judge import guarded
from eoscheck.audit.oracles.asked import with_oracles
from eoscheck.audit.oracles.oracles import Oracles
from eoscheck.audit.plan import topics_of, wanted_of_input, wanted_of_output, wanted_of_table
from eoscheck.audit.ranges import Ranges, output_starts, read_ranges, resolve, sampled
from eoscheck.audit.readers.reading import Progress, Read, Reader
from eoscheck.audit.readers.scan import Span
from eoscheck.audit.rows.block import Wanted
from eoscheck.audit.rows.columns import Flags
from eoscheck.audit.rows.numbered import NumberedStore
from eoscheck.audit.rows.records import Records
from eoscheck.audit.rows.shuffle import Budget
from eoscheck.audit.rows.store import Sample, Store, Watcher
from eoscheck.audit.spec import AuditSpec
from eoscheck.cluster.view import ClusterView, UnstableOffsetsError
from eoscheck.errors import UsageError
from eoscheck.history.events import Event

_MOTION_POLL_S = 0.2


@dataclass(frozen=True, kw_only=True)
class Captured:
    """Everything the checks look at. Offsets are by partition of the input.

    `due_below`: outputs of what lies below must be there. `begun_below`: the subject may have dealt
    with what lies below while the topics were read. `after`: the group's offsets then, None where
    they could not be told. `partial`: only a part of the input was asked for. `beside`: the topics
    that oracles needed.
    """

    output: Store
    output_read: Read
    input: Store | None = None
    input_read: Read | None = None
    due_below: Mapping[int, int] = field(default_factory=dict)
    begun_below: Mapping[int, int] = field(default_factory=dict)
    after: Mapping[int, int] | None = None
    partial: bool = False
    table: Store | None = None
    table_read: Read | None = None
    beside: Sequence[Read] = ()
    unknowns: Sequence[Unknown] = ()

    def watched(self) -> Iterator[Checked]:
        """What the checks say that saw the records go by."""
        for store in (each for each in (self.output, self.input) if each is not None):
            for watcher in store.watchers:
                yield guarded(store.topic, watcher.finish)

    def reads(self) -> list[Read]:
        every = (self.output_read, self.table_read, self.input_read)
        return [*(read for read in every if read is not None), *self.beside]

    def held(self) -> dict[tuple[str, int], int]:
        """The cuts that were not reached: an open transaction stood before them."""
        return {
            (read.topic, number): end.span.cut
            for read in self.reads()
            for number, end in read.partitions.items()
            if end.held
        }


def below(records: Records, offsets: Mapping[int, int]) -> Flags:
    """The rows below `offsets`, by partition."""
    limits = np.zeros(len(records), dtype=np.int64)
    for partition, offset in offsets.items():
        limits[records.partition == partition] = offset
    return np.asarray(records.offset < limits)


@dataclass(frozen=True, kw_only=True)
class Capture:
    """How to take it. `missing_group_is_unknown`: of a run's own subject, which may have died
    before it committed anything; a user's wrong name is refused instead. `sealed`: the load of a
    run has written the input."""

    spec: AuditSpec
    view: ClusterView
    reader: Reader
    budget: Budget
    rows: int | None = None
    """Of the largest topic; None where they are still to be asked for."""
    authors: Authors = field(default_factory=Authors)
    history: Sequence[Event] = ()
    missing_group_is_unknown: bool = False
    sealed: bool = False
    progress: Progress | None = None
    clock: Callable[[], float] = time.monotonic
    ends: dict[str, Mapping[int, int]] = field(default_factory=dict)
    """Of each topic, when its cut was taken."""

    @cached_property
    def oracles(self) -> Oracles:
        return Oracles(spec=self.spec, reader=self.reader, budget=self.budget, history=self.history)

    def take(self) -> Captured:
        """Raises UsageError where a topic or the group is not there, InfrastructureError where the
        cluster does not answer."""
        spec, state = self.spec, self.spec.final_state
        rows = most_offsets(self.view, topics_of(spec)) if self.rows is None else self.rows
        shards = self.budget.buckets(rows)
        self.oracles.begin(shards)
        due_below, unknowns = self._due_below()

        ranges = read_ranges(spec)
        if ranges.partitions is not None and spec.input is not None:
            self._require_alike(spec.output, spec.input)
        output_spans, removed = self._output_spans(ranges)
        table_spans = self._spans(state.topic) if state else {}
        atomic = self._atomic(shards)
        watchers = (*self._watchers(), *([] if atomic is None else [atomic]))
        wanted = with_oracles(wanted_of_output(spec), spec)
        output = self._store(spec.output, wanted, shards, watchers)
        output_read = self.reader.read(
            output_spans,
            output,
            removed=removed,
            transactional=spec.expect is Guarantee.EXACTLY_ONCE,
            authors=self.authors,
            atomic=atomic,
        )
        table, table_read = None, None
        if state is not None:
            table = self._store(state.topic, wanted_of_table(state.result), shards)
            table_read = self.reader.read(table_spans, table, last_values=True)
        self.oracles.read_tables(self._spans)
        if spec.input is None:
            return Captured(
                output=output,
                output_read=output_read,
                beside=self.oracles.reads,
                unknowns=unknowns,
            )

        seals = (Contents(spec.input, limit=spec.max_findings),)
        wanted = wanted_of_input(spec, sealed=self.sealed)
        inputs = self._store(spec.input, wanted, shards, seals if self.sealed else ())
        whole = self._spans(spec.input)
        input_spans, removed = self._range(ranges, spec.input)
        input_read = self.reader.read(input_spans, inputs, removed=removed)
        self.oracles.fold_input(input_spans, due_below=due_below)
        after = self._after()
        ends = {number: span.cut for number, span in input_spans.items()}
        if spec.group is not None and due_below and spec.offsets == "due":
            unknowns += _never_committed(spec.group, spec.input, due_below, input_read.records)
        return Captured(
            output=output,
            output_read=output_read,
            input=inputs,
            input_read=input_read,
            due_below=due_below,
            begun_below=ends if after is None else after,
            after=after,
            partial=any(
                span.start < input_spans[n].start or input_spans[n].cut < span.cut
                for n, span in whole.items()
                if n in input_spans
            ),
            table=table,
            table_read=table_read,
            beside=self.oracles.reads,
            unknowns=unknowns,
        )

    def _store(
        self, topic: str, wanted: Wanted, shards: int, watchers: tuple[Watcher, ...] = ()
    ) -> Store:
        numbered = self.spec.input is None and topic == self.spec.output
        kind = NumberedStore if numbered else Store
        return kind(
            topic,
            wanted,
            buckets=shards,
            budget=self.budget,
            kept=_sample(self.spec),
            watchers=watchers,
        )

    def _atomic(self, shards: int) -> AtomicCheck | None:
        spec = self.spec
        if spec.atomic is None:
            return None
        return AtomicCheck(spec.output, buckets=shards, budget=self.budget, limit=spec.max_findings)

    def _watchers(self) -> Iterator[Watcher]:
        """Checks that see the output go by."""
        spec, limit = self.spec, self.spec.max_findings
        if spec.partitioner is not None:
            yield Partitioning(
                spec.output,
                partitioner=spec.partitioner,
                partitions=len(self.view.partitions(spec.output)),
                limit=limit,
            )
        yield from self.oracles.watchers

    def _output_spans(self, ranges: Ranges) -> tuple[dict[int, Span], Mapping[int, int] | None]:
        topic = self.spec.output
        if self.spec.input is None:
            return self._range(ranges, topic)
        spans = self._spans(topic)
        if ranges.whole:
            return spans, None
        starts = output_starts(ranges, topic, self.view)
        return {
            number: Span(start=max(span.start, starts.get(number, 0)), cut=span.cut)
            for number, span in spans.items()
            if ranges.partitions is None or number in ranges.partitions
        }, {number: span.start for number, span in spans.items()}

    def _range(
        self, ranges: Ranges, topic: str
    ) -> tuple[dict[int, Span], Mapping[int, int] | None]:
        """What of a topic was asked for, and where its log begins above that."""
        everything = self._spans(topic)
        if ranges.whole:
            return everything, None
        found = resolve(ranges, topic, self.view)
        spans = {n: Span(start=found.start[n], cut=found.stop[n]) for n in found.start}
        return spans, found.removed

    def _require_alike(self, output: str, source: str) -> None:
        outputs, inputs = len(self.view.partitions(output)), len(self.view.partitions(source))
        if outputs != inputs:
            raise UsageError(
                f"--partitions needs topics that are partitioned alike: {source} has {inputs} "
                f"partitions, {output} has {outputs}"
            )

    def subject_moves(self, captured: Captured, *, within_s: float) -> bool:
        """Whether output or input grew since their cuts were taken, or grow within `within_s`."""
        until = self.clock() + within_s
        while True:
            for read in captured.reads():
                before = self.ends[read.topic]
                ends = self.view.high_watermarks(read.topic)
                # Also in a partition that was added since.
                if any(end > before.get(number, 0) for number, end in ends.items()):
                    return True
            if self.clock() >= until:
                return False
            time.sleep(_MOTION_POLL_S)

    def _due_below(self) -> tuple[Mapping[int, int], list[Unknown]]:
        """Group offsets A; without a group, everything that is there now."""
        spec = self.spec
        if spec.input is None:
            return {}, []
        if spec.group is None or spec.offsets == "informational":
            return self.view.high_watermarks(spec.input), []
        try:
            return self._committed(spec.group, spec.input), []
        except UnstableOffsetsError as error:
            return {}, [Unknown(subject=Code.LOST, reason=str(error))]
        except UsageError as error:
            if not self.missing_group_is_unknown:
                raise
            return {}, [Unknown(subject=Code.LOST, reason=str(error))]

    def _after(self) -> Mapping[int, int] | None:
        """Group offsets B; None where there is no group, or they cannot be told."""
        spec = self.spec
        assert spec.input is not None
        if spec.group is None:
            return None
        try:
            return self._committed(spec.group, spec.input)
        except (UnstableOffsetsError, UsageError):
            return None

    def _committed(self, group: str, topic: str) -> Mapping[int, int]:
        return self.view.committed(group, topic, timeout_s=max(self.spec.patience_s, 1.0))

    def _spans(self, topic: str) -> dict[int, Span]:
        """All of it that there is now."""
        starts, ends = self.view.log_starts(topic), self.view.high_watermarks(topic)
        self.ends[topic] = ends
        return {number: Span(start=starts.get(number, 0), cut=end) for number, end in ends.items()}


def most_offsets(view: ClusterView, topics: Sequence[str]) -> int:
    """Of the largest of some topics: offsets that there are now, no fewer than records."""

    def extent(topic: str) -> int:
        starts = view.log_starts(topic)
        return sum(end - starts.get(n, 0) for n, end in view.high_watermarks(topic).items())

    return max(map(extent, topics))


def _sample(spec: AuditSpec) -> Sample | None:
    one_in = read_ranges(spec).one_in
    return None if one_in == 1 else partial(sampled, one_in=one_in)


def _never_committed(
    group: str, topic: str, committed: Mapping[int, int], records: Mapping[int, int]
) -> list[Unknown]:
    """A partition with records for which the group has no offset may have been left out."""
    return [
        Unknown(
            subject=f"{topic}-{number}",
            reason=f"holds {count} records, and group {group!r} has committed no offset for it",
        )
        for number, count in sorted(records.items())
        if number not in committed and count
    ]
