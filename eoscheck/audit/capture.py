"""Takes what an audit looks at off the cluster, in an order that a subject at work cannot spoil.

Group offsets A (stable ones) -> output cuts -> outputs -> input cuts -> inputs -> group offsets B.
Whatever the group had committed at A has its outputs below the output cuts; and whatever is below
those has its input below the input cuts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from confluent_kafka import Consumer

from eoscheck.audit.checks.results import TableEntry
from eoscheck.audit.columns import Flags
from eoscheck.audit.findings import Code, Unknown
from eoscheck.audit.identity import reads_headers
from eoscheck.audit.plan import wanted_of_input, wanted_of_output
from eoscheck.audit.records import Misfits, Records, RecordsBuilder
from eoscheck.audit.scan import Reached, Span, read_committed
from eoscheck.audit.spec import AuditSpec
from eoscheck.audit.table import TableBuilder
from eoscheck.cluster.configs import ConfigView
from eoscheck.cluster.view import ClusterView, UnstableOffsetsError
from eoscheck.errors import InfrastructureError, UsageError

_MOTION_POLL_S = 0.2


class Progress(Protocol):
    """Called often: `step` in words, `done` of `total` (offsets, or findings)."""

    def __call__(self, step: str, done: int, total: int) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Read:
    """One topic as it was read. `gaps` says in words why committed records may be missing."""

    topic: str
    partitions: Mapping[int, Reached]
    gaps: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class Captured:
    """Everything the checks look at. Offsets are by partition of the input.

    `due_below`: outputs of what lies below must be there. `begun_below`: the subject may have dealt
    with what lies below while the topics were read.
    """

    output: Records
    output_read: Read
    input: Records | None = None
    input_read: Read | None = None
    due_below: Mapping[int, int] = field(default_factory=dict)
    begun_below: Mapping[int, int] = field(default_factory=dict)
    table: Sequence[TableEntry] = ()
    table_read: Read | None = None
    misfits: Sequence[Misfits] = ()
    unknowns: Sequence[Unknown] = ()

    def reads(self) -> list[Read]:
        every = (self.output_read, self.table_read, self.input_read)
        return [read for read in every if read is not None]

    def held(self) -> dict[tuple[str, int], int]:
        """The cuts that were not reached: an open transaction stood before them."""
        return {
            (read.topic, number): end.span.cut
            for read in self.reads()
            for number, end in read.partitions.items()
            if end.held
        }

    def input_below(self, offsets: Mapping[int, int]) -> Flags:
        """The input rows below `offsets`."""
        assert self.input is not None
        limits = np.zeros(len(self.input), dtype=np.int64)
        for partition, offset in offsets.items():
            limits[self.input.partition == partition] = offset
        return np.asarray(self.input.offset < limits)


@dataclass(frozen=True, kw_only=True)
class Capture:
    """How to take it. `missing_group_is_unknown`: of a run's own subject, which may have died
    before it committed anything; a user's wrong name is refused instead."""

    spec: AuditSpec
    view: ClusterView
    configs: ConfigView
    consumer: Consumer
    missing_group_is_unknown: bool = False
    progress: Progress | None = None
    clock: Callable[[], float] = time.monotonic

    def take(self) -> Captured:
        """Raises UsageError where a topic or the group is not there, InfrastructureError where the
        cluster does not answer."""
        spec, state = self.spec, self.spec.final_state
        for topic in (spec.output, spec.input, state.topic if state else None):
            if topic is not None:
                self.view.partitions(topic)  # a wrong name is told before anything is read
        due_below, unknowns = self._due_below()

        output = RecordsBuilder(spec.output, wanted_of_output(spec))
        output_spans = self._spans(spec.output)
        table_spans = self._spans(state.topic) if state else {}
        output_read = self._read(output_spans, output)
        misfits = output.misfits()
        table, table_read = None, None
        if state is not None:
            table = TableBuilder(state.topic, result=state.result)
            table_read = self._read(table_spans, table)
            misfits += table.misfits()
        if spec.input is None:
            return Captured(
                output=output.finish(), output_read=output_read, misfits=misfits, unknowns=unknowns
            )

        builder = RecordsBuilder(spec.input, wanted_of_input(spec))
        input_spans = self._spans(spec.input)
        input_read = self._read(input_spans, builder)
        begun_below = self._begun_below(input_spans)
        inputs = builder.finish()
        if spec.group is not None and due_below:
            unknowns += _never_committed(spec.group, due_below, inputs)
        return Captured(
            output=output.finish(),
            output_read=output_read,
            input=inputs,
            input_read=input_read,
            due_below=due_below,
            begun_below=begun_below,
            table=table.entries() if table else (),
            table_read=table_read,
            misfits=misfits + builder.misfits(),
            unknowns=unknowns,
        )

    def subject_moves(self, captured: Captured, *, within_s: float) -> bool:
        """Whether output or input grew since their cuts, or grow within `within_s`."""
        until = self.clock() + within_s
        while True:
            for read in captured.reads():
                ends = self.view.high_watermarks(read.topic)
                if any(ends[number] > end.span.cut for number, end in read.partitions.items()):
                    return True
            if self.clock() >= until:
                return False
            time.sleep(_MOTION_POLL_S)

    def _due_below(self) -> tuple[Mapping[int, int], list[Unknown]]:
        """Group offsets A; without a group, everything that is there now."""
        spec = self.spec
        if spec.input is None:
            return {}, []
        if spec.group is None:
            return self.view.high_watermarks(spec.input), []
        try:
            return self._committed(spec.group, spec.input), []
        except UnstableOffsetsError as error:
            return {}, [Unknown(subject=Code.LOST, reason=str(error))]
        except UsageError as error:
            if not self.missing_group_is_unknown:
                raise
            return {}, [Unknown(subject=Code.LOST, reason=str(error))]

    def _begun_below(self, input_spans: Mapping[int, Span]) -> Mapping[int, int]:
        """Group offsets B; where they cannot be told, all that was read."""
        spec = self.spec
        assert spec.input is not None
        ends = {number: span.cut for number, span in input_spans.items()}
        if spec.group is None:
            return ends
        try:
            return self._committed(spec.group, spec.input)
        except (UnstableOffsetsError, UsageError):
            return ends

    def _committed(self, group: str, topic: str) -> Mapping[int, int]:
        return self.view.committed(group, topic, timeout_s=max(self.spec.patience_s, 1.0))

    def _spans(self, topic: str) -> dict[int, Span]:
        starts, ends = self.view.log_starts(topic), self.view.high_watermarks(topic)
        return {number: Span(start=starts.get(number, 0), cut=end) for number, end in ends.items()}

    def _read(self, spans: Mapping[int, Span], builder: RecordsBuilder | TableBuilder) -> Read:
        topic = builder.topic

        def report(done: int, total: int) -> None:
            if self.progress is not None:
                self.progress(f"reading {topic}", done, total)

        reached = read_committed(
            topic,
            spans,
            consumer=self.consumer,
            sink=builder,
            with_headers=any(reads_headers(each) for each in builder.expressions),
            patience_s=self.spec.patience_s,
            progress=report,
            clock=self.clock,
        )
        gaps = _gaps(topic, reached)
        if isinstance(builder, RecordsBuilder):  # a table's last values survive compaction
            gaps += self._compaction(topic)
        if builder.unidentified:
            gaps.append(f"{builder.unidentified} records of {topic} have no identity")
        return Read(topic=topic, partitions=reached, gaps=gaps)

    def _compaction(self, topic: str) -> list[str]:
        try:
            return [f"{topic} is compacted"] if self.configs.compacted(topic) else []
        except InfrastructureError as error:
            return [f"{topic} may be compacted: {error}"]


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


def _never_committed(group: str, committed: Mapping[int, int], inputs: Records) -> list[Unknown]:
    """A partition with records for which the group has no offset may have been left out."""
    numbers, counts = np.unique(inputs.partition, return_counts=True)
    return [
        Unknown(
            subject=f"{inputs.topic}-{number}",
            reason=f"holds {count} records, and group {group!r} has committed no offset for it",
        )
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True)
        if number not in committed
    ]
