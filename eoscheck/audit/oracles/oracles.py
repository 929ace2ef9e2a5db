"""The oracles of one audit: they watch the output, read what they need beside it, and check."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from eoscheck.audit.checks.golden import check_golden, check_golden_run
from eoscheck.audit.checks.invariants import (
    GroupedRows,
    ZeroSum,
    check_monotonic,
    check_zero_by_group,
)
from eoscheck.audit.checks.outcome import Checked, merged
from eoscheck.audit.checks.restore import Restores
from eoscheck.audit.checks.retention import check_retention
from eoscheck.audit.checks.state import check_tables
from eoscheck.audit.checks.tables import TableRows
from eoscheck.audit.findings import Code, Unknown
from eoscheck.audit.judge import guarded
from eoscheck.audit.oracles.asked import PREFIX, oracle_columns
from eoscheck.audit.oracles.dumps import Dump
from eoscheck.audit.oracles.folding import FoldFunctions, Folding, load_fold
from eoscheck.audit.oracles.rows import (
    Offsets,
    Summing,
    Timing,
    Together,
    as_block,
    contents_of,
    entries_of,
    table_of,
)
from eoscheck.audit.oracles.windows import Retention, StreamTimes, window_expression
from eoscheck.audit.readers.reading import Read, Reader
from eoscheck.audit.readers.scan import Span, read_committed
from eoscheck.audit.rows.block import ColumnSpec, Wanted
from eoscheck.audit.rows.columns import mixed
from eoscheck.audit.rows.shuffle import Budget, bucket_of
from eoscheck.audit.rows.store import Store, Watcher
from eoscheck.audit.spec import AuditSpec, Changelog
from eoscheck.history.events import Event
from eoscheck.history.restores import RestoreEnded

_TOGETHER = {"content": (), "atomic": ("amount",), "key": ("value", "found", "rising")}
"""By what outputs are brought together, and the columns that are compared there."""

Spans = Mapping[int, Span]


@dataclass(kw_only=True)
class _Log:
    """One changelog, and what it is compared with."""

    spec: Changelog
    store: Store
    read: Read | None = None
    second: Store | None = None
    second_read: Read | None = None
    dump: Dump | None = None
    dumped: Store | None = None
    fold: Folding | None = None
    restores: Restores | None = None
    times: StreamTimes
    dump_times: StreamTimes

    @property
    def retention(self) -> Retention | None:
        ms = self.spec.retention_ms
        return None if ms is None else Retention(retention_ms=ms)


@dataclass(kw_only=True)
class Oracles:
    """Watches the output while it is read, reads what else it needs, and checks it at the end.

    In this order: `begin`, the output through `watchers`, `read_tables`, `fold_input`, `checks`.
    """

    spec: AuditSpec
    reader: Reader
    budget: Budget
    history: Sequence[Event] = ()
    _shards: int = 1
    _zero: ZeroSum | None = None
    _by: dict[str, Store] = field(default_factory=dict)
    _golden: Store | None = None
    _golden_read: Read | None = None
    _fold: Folding | None = None
    _logs: list[_Log] = field(default_factory=list)
    _folded: dict[int, TableRows | str] = field(default_factory=dict)

    @property
    def reads(self) -> list[Read]:
        logs = [read for each in self._logs for read in (each.read, each.second_read)]
        return [read for read in (self._golden_read, *logs) if read is not None]

    def begin(self, shards: int) -> None:
        """Reads the dumps. Raises UsageError for one that cannot be."""
        spec = self.spec
        self._shards = shards
        if spec.sum_is_zero:
            self._zero = ZeroSum(topic=spec.output)
        wanted = oracle_columns(spec)
        for by, beside in _TOGETHER.items():
            if PREFIX + by in wanted:
                names = [PREFIX + each for each in (by, *beside)]
                columns = {name: wanted[name] for name in names if name in wanted}
                self._by[by] = self._store(
                    spec.output, Wanted(identity=spec.id, columns=columns), by=PREFIX + by
                )
        for log in spec.changelogs:
            self._logs.append(self._begin(log))

    @property
    def watchers(self) -> tuple[Watcher, ...]:
        """They are to be given each block of the output. What they say is said by `checks`."""
        sums = [] if self._zero is None else [Summing(self._zero, PREFIX + "amount")]
        return (*sums, *map(Together, self._by.values()))

    def read_tables(self, spans: Callable[[str], dict[int, Span]]) -> None:
        """The golden run and the changelogs, to their ends as they are now."""
        if self.spec.golden is not None:
            last = self.spec.golden_by == "last"
            columns = {
                "content": ColumnSpec(kind="content"),
                **({"value": ColumnSpec(kind="value")} if last else {}),
            }
            self._golden = self._store(
                self.spec.golden,
                Wanted(identity="key" if last else self.spec.id, columns=columns),
                by=None if last else "content",
            )
            self._golden_read = self.reader.read(
                spans(self.spec.golden), self._golden, last_values=last
            )
        for log in self._logs:
            log.read = self._read(log.store, log, spans)
            if log.second is not None:
                log.second_read = self._read(log.second, log, spans)

    def fold_input(self, spans: Spans, *, due_below: Mapping[int, int]) -> None:
        """Reads the input once more, for the folds alone: they take records as they are."""
        for fold, functions in self._folds():
            folding = Folding(str(self.spec.input), functions, due_below=due_below)
            read_committed(
                folding.topic,
                spans,
                consumer=self.reader.consumer(),
                sink=folding,
                with_headers=True,
                patience_s=self.reader.patience_s,
                clock=self.reader.clock,
            )
            fold(folding)

    def checks(
        self,
        *,
        output_gaps: Sequence[str],
        input_gaps: Sequence[str],
        begun_below: Mapping[int, int],
        settled: bool,
    ) -> Iterator[Checked]:
        """`input_gaps` say why folds of the input cannot be made."""
        limit = self.spec.max_findings
        if self._zero is not None:
            zero = self._zero
            yield guarded(Code.WRONG_RESULT, lambda: zero.check(gaps=output_gaps))
        if "atomic" in self._by:
            yield self._over_shards(
                Code.WRONG_RESULT,
                lambda shard: check_zero_by_group(
                    self._grouped("atomic", shard, number="amount"), gaps=output_gaps, limit=limit
                ),
            )
        if self.spec.monotonic:
            yield self._over_shards(
                Code.WRONG_RESULT,
                lambda shard: check_monotonic(
                    self._grouped("key", shard, number="rising"), limit=limit
                ),
            )
        yield from self._check_golden(output_gaps)

        def table(fold: Folding) -> TableRows | str:
            if input_gaps:
                return f"{fold.topic} is not complete: {'; '.join(input_gaps)}"
            return fold.table(begun_below=begun_below, settled=settled)

        if self._fold is not None:
            yield from self._check_fold(table(self._fold), output_gaps)
        for log in self._logs:
            yield from self._check_log(log, None if log.fold is None else table(log.fold))

    # -- what is compared

    def _check_golden(self, output_gaps: Sequence[str]) -> Iterator[Checked]:
        golden, read = self._golden, self._golden_read
        if golden is None or read is None:
            return
        last = self.spec.golden_by == "last"
        unknowns = check_golden_run(
            golden=golden.topic,
            records=golden.rows,
            compacted=read.compacted and not last,
            gaps=read.gaps,
        )
        if unknowns:
            yield Checked(unknowns=unknowns)
            return
        limit = self.spec.max_findings

        def check(shard: int) -> Checked:
            right = golden.records(shard)
            if last:
                return self._check_outputs(shard, table_of(right), output_gaps)
            output = self._by["content"].records(shard)
            return check_golden(
                contents_of(output, PREFIX + "content"),
                contents_of(right, "content"),
                output_gaps=output_gaps,
                limit=limit,
            )

        yield self._over_shards(Code.WRONG_RESULT, check)

    def _check_fold(self, folded: TableRows | str, output_gaps: Sequence[str]) -> Iterator[Checked]:
        if isinstance(folded, str):
            yield Checked(unknowns=[Unknown(subject=Code.WRONG_RESULT, reason=folded)])
            return
        yield self._over_shards(
            Code.WRONG_RESULT,
            lambda shard: self._check_outputs(
                shard, self._part(folded, shard), output_gaps, found_by=PREFIX + "found"
            ),
        )

    def _check_outputs(
        self, shard: int, right: TableRows, gaps: Sequence[str], *, found_by: str | None = None
    ) -> Checked:
        output = self._by["key"].records(shard)
        key = output.digests(PREFIX + "key")
        assert key is not None
        # Last values are all that a compacted topic keeps, and all that is asked for.
        gaps = [each for each in gaps if each != f"{output.topic} is compacted"]
        table = table_of(output, key=key, value=PREFIX + "value", found_by=found_by, gaps=gaps)
        limit = self.spec.max_findings
        return check_tables(table, [right], code=Code.WRONG_RESULT, by_partition=False, limit=limit)

    def _check_log(self, log: _Log, folded: TableRows | str | None) -> Iterator[Checked]:
        limit, retention = self.spec.max_findings, log.retention
        assert log.read is not None
        if isinstance(folded, str):
            yield Checked(unknowns=[Unknown(subject=Code.STATE_DIVERGED, reason=folded)])
            folded = None
        compacted, gaps = log.read.compacted, log.read.gaps

        def tables(shard: int) -> tuple[TableRows, list[TableRows], TableRows | None]:
            subject = table_of(log.store.records(shard), found_by="found", gaps=gaps)
            others = []
            dumped = None
            if log.dump is not None and log.dumped is not None:
                dumped = log.dump.table(
                    entries_of(log.dumped.records(shard)),
                    newest=log.dump_times.newest if retention is not None else None,
                )
                others.append(dumped)
            if log.second is not None and log.second_read is not None:
                others.append(
                    table_of(
                        log.second.records(shard),
                        found_by="found",
                        gaps=log.second_read.gaps,
                        times=log.times,
                    )
                )
            if folded is not None:
                others.append(replace(self._part(folded, shard), times=log.times))
            return subject, others, dumped

        def diverged(shard: int) -> Checked:
            subject, others, _dumped = tables(shard)
            return check_tables(
                subject, others, compacted=compacted, retention=retention, limit=limit
            )

        def breached(shard: int) -> Checked:
            subject, _others, dumped = tables(shard)
            assert dumped is not None
            assert retention is not None
            return check_retention(dumped, subject, retention=retention, limit=limit)

        if log.dump is not None or log.second is not None or folded is not None:
            yield self._over_shards(Code.STATE_DIVERGED, diverged)
        if log.restores is not None:
            restores = log.restores
            yield guarded(Code.RESTORE_SHORT, lambda: restores.check(gaps=gaps, limit=limit))
        if log.dump is not None and retention is not None:
            yield self._over_shards(Code.RETENTION_BREACH, breached)

    def _over_shards(self, code: Code, check: Callable[[int], Checked]) -> Checked:
        parts = (guarded(code, partial(check, shard)) for shard in range(self._shards))
        return merged(parts, limit=self.spec.max_findings)

    # -- what is read

    def _begin(self, log: Changelog) -> _Log:
        columns = {"value": ColumnSpec(kind="value")}
        if log.window is not None:
            columns["window"] = ColumnSpec(kind="number", expression=window_expression(log.window))
        found = load_fold(log.fold).found if log.fold else None
        if found is not None:
            columns["found"] = ColumnSpec(kind="identity", expression=found, optional=True)
        wanted = Wanted(identity="key", columns=columns)
        dump = None if log.dump is None else Dump(path=Path(log.dump), window=log.window)
        dumped = None if dump is None else self._dumped(dump, wanted)
        restores = None
        if any(isinstance(event, RestoreEnded) for event in self.history):
            restores = Restores(self.history, topic=log.name)
        times, dump_times = StreamTimes(exact=True), StreamTimes()
        timing: tuple[Watcher, ...] = ()
        watchers: tuple[Watcher, ...] = ()
        if log.window is not None:
            timing = (Timing(times),)
            watchers = (*timing, Timing(dump_times, below=dump.below if dump else None))
        if restores is not None and restores.needs_records:
            watchers = (*watchers, Offsets(restores))
        second = None if log.topic is None else self._store(log.topic, wanted, watchers=timing)
        return _Log(
            spec=log,
            store=self._store(log.name, wanted, watchers=watchers),
            second=second,
            dump=dump,
            dumped=dumped,
            restores=restores,
            times=times,
            dump_times=dump_times,
        )

    def _dumped(self, dump: Dump, wanted: Wanted) -> Store:
        columns = {n: c for n, c in wanted.columns.items() if n in ("value", "window")}
        store = self._store(dump.name, Wanted(identity="key", columns=columns))
        for block in dump.blocks():
            for partition in np.unique(block.partition).tolist():
                store.add(as_block(block, partition))
        return store

    def _read(self, store: Store, log: _Log, spans: Callable[[str], dict[int, Span]]) -> Read:
        """Old windows leave a changelog by time: what is left is all there is to compare."""
        removed: dict[int, int] | None = {} if log.spec.window is not None else None
        return self.reader.read(spans(store.topic), store, removed=removed, last_values=True)

    def _folds(self) -> Iterator[tuple[Callable[[Folding], None], FoldFunctions]]:
        if self.spec.fold is not None:
            yield partial(setattr, self, "_fold"), load_fold(self.spec.fold)
        for log in self._logs:
            if log.spec.fold is not None:
                yield partial(setattr, log, "fold"), load_fold(log.spec.fold)

    def _store(
        self,
        topic: str,
        wanted: Wanted,
        *,
        by: str | None = None,
        watchers: tuple[Watcher, ...] = (),
    ) -> Store:
        return Store(
            topic, wanted, buckets=self._shards, budget=self.budget, by=by, watchers=watchers
        )

    def _grouped(self, by: str, shard: int, *, number: str) -> GroupedRows:
        found = self._by[by].records(shard)
        group, numbers = found.digests(PREFIX + by), found.numbers(PREFIX + number)
        assert group is not None
        assert numbers is not None
        return GroupedRows(
            topic=found.topic,
            partition=found.partition,
            offset=found.offset,
            identity=found.identity,
            group=group,
            number=numbers,
        )

    def _part(self, table: TableRows, shard: int) -> TableRows:
        bucket = bucket_of(mixed(*table.key), self._shards)
        return table.take(np.flatnonzero(bucket == shard))
