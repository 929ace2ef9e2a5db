"""All checks over all shards: what one engine runs on one machine, and another could on many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from eoscheck.audit.capture import Captured, below
from eoscheck.audit.checks.identities import (
    check_acknowledged,
    check_duplicates,
    check_losses,
    check_phantoms,
    last_came_out,
)
from eoscheck.audit.checks.joined import Acknowledged, Joined, join
from eoscheck.audit.checks.order import (
    OrderCheck,
    out_of_order,
    steps_of_inputs,
    steps_of_numbers,
)
from eoscheck.audit.checks.outcome import Checked, Doubt, Found, merged
from eoscheck.audit.checks.results import check_final_state, check_running_sum
from eoscheck.audit.checks.rewritten import (
    Extent,
    Observed,
    Removable,
    Rows,
    check_acknowledged_places,
    check_observed,
)
from eoscheck.audit.checks.sequence import Bounds as Sure
from eoscheck.audit.checks.sequence import SequenceCheck
from eoscheck.audit.findings import Code
from eoscheck.audit.group.check import GroupCheck
from eoscheck.audit.judge import guarded
from eoscheck.audit.multiplicity import Bounds, Multiplicity, parse_multiplicity
from eoscheck.audit.readers.reading import Read
from eoscheck.audit.rows.columns import Digests, Flags, Integers, encode, first_rows, mixed
from eoscheck.audit.rows.numbered import NumberedStore
from eoscheck.audit.rows.records import Records
from eoscheck.audit.rows.shuffle import Budget, bucket_of
from eoscheck.audit.rows.store import Rearranged, Store
from eoscheck.audit.spec import AuditSpec


@dataclass(kw_only=True)
class Shards:
    """Both sides of a pipeline, shard by shard. `settled` is false while the subject may be at work
    on what it has not written yet."""

    spec: AuditSpec
    captured: Captured
    budget: Budget
    acknowledged: Acknowledged | None = None
    observed: Observed | None = None
    settled: bool = True
    _outputs: Multiplicity = field(init=False)
    _sent: list[Acknowledged | None] = field(init=False)

    def __post_init__(self) -> None:
        self._outputs = parse_multiplicity(self.spec.per_input, self.spec.input_filter)
        self._sent = _split(self.acknowledged, len(self.captured.output))

    def __len__(self) -> int:
        return len(self.captured.output)

    @property
    def most_of_one(self) -> int:
        """Outputs that an input may have of which nothing is known."""
        return self._outputs.most

    def joined(self, shard: int) -> Joined:
        captured = self.captured
        output = captured.output.records(shard)
        if captured.input is None or captured.input_read is None:
            return join(output, output_gaps=captured.output_read.gaps)
        inputs = captured.input.records(shard)
        due = below(inputs, captured.due_below)
        return join(
            output,
            inputs,
            due=due,
            pending=below(inputs, captured.begun_below) & ~due,
            settled=self.settled,
            bounds=self.bounds(inputs),
            partial=captured.partial,
            output_gaps=captured.output_read.gaps,
            input_gaps=captured.input_read.gaps,
            acknowledged=self._sent[shard],
        )

    def bounds(self, inputs: Records) -> Bounds | None:
        """How many outputs each input must and may have; None where it is one."""
        if self._outputs == Multiplicity():
            return None
        column = inputs.digests("filter")
        if column is not None:
            return self._outputs.of_column(column)
        numbers = inputs.numbers("bounds")
        if numbers is None:
            return self._outputs.of_any(len(inputs))
        least = (numbers.value >> 32).astype(np.int32)
        return Bounds(least, (numbers.value & 0x7FFFFFFF).astype(np.int32), numbers.known)


def check_shards(
    shards: Shards,
    *,
    moves: Callable[[float], bool],
    watch_s: float,
    group: GroupCheck | None = None,
) -> Iterator[Checked]:
    """Every check of identities, order and results, each over all shards.

    `moves(seconds)` tells whether the subject was at work since the cuts, or is within so many
    seconds. Without a group, a missing tail is watched for `watch_s` before it is called lost.
    """
    spec, limit = shards.spec, shards.spec.max_findings
    if spec.group is None:
        shards.settled = not moves(0)
    first = _FirstPass(shards=shards, group=group)
    yield merged(first.run(), limit=limit)
    losses = guarded(Code.LOST, first.losses)
    if spec.group is None and losses.counts.get("missing_tail"):
        shards.settled = not moves(watch_s)
        losses = guarded(Code.LOST, first.losses)
    yield losses
    if group is not None:
        yield guarded(Code.OFFSET_AHEAD, group.finish)
    yield from shards.captured.watched()
    yield from first.in_order()
    yield from first.by_key()


@dataclass(kw_only=True)
class _FirstPass:
    """One look at every shard: what it shows by itself, and what the later passes need."""

    shards: Shards
    group: GroupCheck | None = None
    came_out: dict[int, int] = field(default_factory=dict)
    incomplete: list[int] = field(default_factory=list)
    order: OrderCheck | None = None
    disordered: bool = False
    sequences: SequenceCheck | None = None
    inputs_by_key: Rearranged | None = None
    outputs_by_key: Rearranged | None = None

    def __post_init__(self) -> None:
        spec, captured, budget = self.shards.spec, self.shards.captured, self.shards.budget
        number = len(self.shards)
        # A sample shows no sequence: most of its numbers are left out.
        sampled = spec.input is None and spec.sample is not None
        if spec.input is None and not sampled:
            self.sequences = SequenceCheck(
                topic=spec.output,
                budget=budget,
                buckets=number,
                limit=spec.max_findings,
                gaps=captured.output_read.gaps,
                sure=self._sure(),
            )
        if spec.order != "none" and not sampled:
            self.order = OrderCheck(
                topic=spec.output,
                input_topic=spec.input,
                spans={
                    n: (end.span.start, end.span.cut)
                    for n, end in captured.output_read.partitions.items()
                },
                by_stream=spec.order == "key" or not _few_sources(captured.output),
                budget=budget,
                limit=spec.max_findings,
            )
        if spec.input is not None and (spec.running_sum or spec.final_state):
            self.inputs_by_key = Rearranged(spec.input, buckets=number, budget=budget)
            self.outputs_by_key = Rearranged(spec.output, buckets=number, budget=budget)

    def _sure(self) -> Sure | None:
        """Between which numbers every hole is one: everywhere, unless something moves or only a
        part was asked for."""
        spec, output = self.shards.spec, self.shards.captured.output
        everything = (spec.start, spec.stop, spec.partitions) == (None, None, None)
        if (everything and self.shards.settled) or not isinstance(output, NumberedStore):
            return None
        return output.whole()

    def run(self) -> Iterator[Checked]:
        limit = self.shards.spec.max_findings
        for shard in range(len(self.shards)):
            joined = self.shards.joined(shard)
            yield guarded(
                Code.DUPLICATE,
                partial(check_duplicates, joined, most_of_one=self.shards.most_of_one, limit=limit),
            )
            yield guarded(Code.PHANTOM, partial(check_phantoms, joined, limit=limit))
            yield guarded(Code.LOST, partial(check_acknowledged, joined, limit=limit))
            yield guarded(Code.LOST, partial(self._note_losses, joined, shard))
            yield guarded(Code.REORDERED, partial(self._note_order, joined))
            yield guarded(Code.GAP, partial(self._note_sequences, joined))
            yield guarded(Code.LOG_REWRITTEN, partial(self._observed, joined, shard))
            yield guarded(Code.LOG_REWRITTEN, partial(self._acknowledged, joined))
            if self.group is not None:
                yield guarded(Code.OFFSET_AHEAD, partial(self.group.add, joined))
            yield guarded(Code.WRONG_RESULT, partial(self._note_keys, joined))

    def losses(self) -> Checked:
        """What `run` could not tell yet: which losses are the tail of their partition."""
        limit = self.shards.spec.max_findings
        return merged(
            (
                check_losses(self.shards.joined(shard), came_out=self.came_out, limit=limit)
                for shard in self.incomplete
            ),
            limit=limit,
        )

    def in_order(self) -> Iterator[Checked]:
        unjudged: frozenset[int] | None = frozenset()
        if self.sequences is not None:
            sequences = self.sequences.finish()
            unjudged = sequences.unjudged
            yield sequences.checked
        if self.order is None:
            return
        if unjudged is None:
            reason = "too many sources to tell which of them are sequences"
            yield Checked(unknowns=[Doubt(subject=Code.REORDERED, reason=reason)])
        else:
            yield guarded(Code.REORDERED, partial(self._check_order, self.order, unjudged))

    def _check_order(self, order: OrderCheck, unjudged: frozenset[int]) -> Checked:
        """Without an input, most shards are in order as they were read: only where one is not, all
        of them are gone through again."""
        if self.sequences is not None:
            if not self.disordered:
                return Checked(found=[Found(code=Code.REORDERED, total=0, anomalies=[])])
            for shard in range(len(self.shards)):
                order.add(steps_of_numbers(self.shards.joined(shard)))
        return order.check(unjudged=unjudged)

    def by_key(self) -> Iterator[Checked]:
        spec, captured, limit = (
            self.shards.spec,
            self.shards.captured,
            self.shards.spec.max_findings,
        )
        if self.inputs_by_key is None or self.outputs_by_key is None:
            return
        parts = []
        for shard in range(len(self.shards)):
            joined = self._by_key(shard)
            if spec.running_sum is not None:
                check = partial(check_running_sum, joined, limit=limit)
                parts.append(guarded(Code.WRONG_RESULT, check))
            if captured.table is not None and captured.table_read is not None:
                table, gaps = captured.table.records(shard), captured.table_read.gaps
                check = partial(check_final_state, joined, table=table, gaps=gaps, limit=limit)
                parts.append(guarded(Code.WRONG_RESULT, check))
        yield merged(parts, limit=limit)

    def _by_key(self, shard: int) -> Joined:
        assert self.inputs_by_key is not None
        assert self.outputs_by_key is not None
        captured = self.shards.captured
        assert captured.input_read is not None
        inputs = self.inputs_by_key.records(shard)
        due = below(inputs, captured.due_below)
        return join(
            self.outputs_by_key.records(shard),
            inputs,
            due=due,
            pending=below(inputs, captured.begun_below) & ~due,
            settled=self.shards.settled,
            bounds=self.shards.bounds(inputs),
            partial=captured.partial,
            output_gaps=captured.output_read.gaps,
            input_gaps=captured.input_read.gaps,
        )

    def _note_losses(self, joined: Joined, shard: int) -> Checked:
        for partition, offset in last_came_out(joined).items():
            self.came_out[partition] = max(offset, self.came_out.get(partition, -1))
        if joined.input is None:
            return Checked()
        outputs = joined.output.copies(joined.identities)
        if (outputs < joined.expected(joined.due).least).any():
            self.incomplete.append(shard)
            return Checked()
        return check_losses(joined, came_out={}, limit=0)

    def _observed(self, joined: Joined, shard: int) -> Checked:
        """What a run's observer was given, against what is there now."""
        observed, read = self.shards.observed, self.shards.captured.output_read
        if observed is None:
            return Checked()
        records = joined.output.records
        rows = Rows(
            partition=records.partition,
            offset=records.offset,
            identity=records.identity,
            extent=_extent(read, to_the_end=self.shards.spec.stop is None),
        )
        chosen = partial(_of_shard, shard=shard, shards=len(self.shards))
        return check_observed(observed, rows, chosen=chosen, limit=self.shards.spec.max_findings)

    def _acknowledged(self, joined: Joined) -> Checked:
        """What a run's load was told, against what is there now."""
        spec, read = self.shards.spec, self.shards.captured.input_read
        if read is None or spec.sample is not None:
            return Checked()
        extent = _extent(read, to_the_end=spec.stop is None)
        return check_acknowledged_places(joined, extent, limit=spec.max_findings)

    def _note_order(self, joined: Joined) -> Checked:
        if self.order is not None and joined.input is not None:
            by_key = self.shards.spec.order == "key"
            self.order.add(steps_of_inputs(joined, by_key=by_key))
        elif self.order is not None and not self.disordered:
            self.disordered = out_of_order(joined)
        return Checked()

    def _note_sequences(self, joined: Joined) -> Checked:
        if self.sequences is not None:
            self.sequences.add(joined)
        return Checked()

    def _note_keys(self, joined: Joined) -> Checked:
        if self.inputs_by_key is None or self.outputs_by_key is None:
            return Checked()
        captured = self.shards.captured
        assert captured.input is not None
        assert joined.input is not None
        group = joined.input.records.group
        assert group is not None
        home = bucket_of(mixed(*group), len(self.shards)).astype(np.int64)
        self.inputs_by_key.add(joined.input.records, home, captured.input.specs)
        self.outputs_by_key.add(joined.output.records, _homes(joined, home), captured.output.specs)
        return Checked()


def _few_sources(store: Store) -> bool:
    return not isinstance(store, NumberedStore) or store.few_sources


def _extent(read: Read, *, to_the_end: bool) -> Extent:
    """What of a topic was read; `to_the_end`: up to where its log ended then."""
    ends = {n: end.span.cut for n, end in read.partitions.items()}
    return Extent(
        begin={n: end.span.start for n, end in read.partitions.items()},
        end={n: min(end.position, end.span.cut) for n, end in read.partitions.items()},
        log_end=ends if to_the_end else {},
        removable={
            n: Removable(below=end.lost_below or 0, compacted=read.compacted)
            for n, end in read.partitions.items()
        },
    )


def _of_shard(identity: Digests, *, shard: int, shards: int) -> Flags:
    return np.asarray(bucket_of(mixed(*identity), shards) == shard)


def _homes(joined: Joined, home: Integers) -> Integers:
    """By output row: where its input went; -1 where it has none, or several in different places,
    so that it is not known whose result it holds."""
    assert joined.input is not None
    first = first_rows(joined.input.code, joined.identities)
    there = first >= 0
    by_identity = np.where(there, home[first] if len(home) else -1, -1)
    astray = home != by_identity[joined.input.code]
    by_identity[joined.input.code[astray]] = -1
    return by_identity[joined.output.code]


def _split(acknowledged: Acknowledged | None, shards: int) -> list[Acknowledged | None]:
    if acknowledged is None:
        return [None] * shards
    digests, _known = encode(acknowledged.identities)
    bucket = bucket_of(mixed(*digests), shards)
    return [
        _part(acknowledged, np.flatnonzero(bucket == shard).tolist()) for shard in range(shards)
    ]


def _part(whole: Acknowledged, rows: Sequence[int]) -> Acknowledged:
    return Acknowledged(
        identities=[whole.identities[row] for row in rows],
        partitions=[whole.partitions[row] for row in rows],
        offsets=[whole.offsets[row] for row in rows],
    )
