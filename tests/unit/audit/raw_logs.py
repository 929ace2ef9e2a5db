"""Logs of one partition, batch by batch, and what a reader that looks at one batch at a time says
of them: slow, and so plain that it can be checked by eye."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from eoscheck.logformat.batches import Batches, Control

SECOND = 1000


@dataclass(frozen=True, kw_only=True)
class Batch:
    base: int
    last: int
    records: int
    producer_id: int = -1
    epoch: int = -1
    sequence: int = -1
    transactional: bool = False
    control: Control = Control.DATA
    time_ms: int = 0
    intact: bool = True

    @property
    def is_marker(self) -> bool:
        return self.control in (Control.ABORT, Control.COMMIT)


def columns(log: Sequence[Batch]) -> Batches:
    def column(values: Iterable[int], kind: type) -> np.ndarray:
        return np.array(list(values), dtype=kind)

    return Batches(
        start=np.arange(len(log), dtype=np.int64) * 100,
        end=np.arange(1, len(log) + 1, dtype=np.int64) * 100,
        base_offset=column((b.base for b in log), np.int64),
        last_offset=column((b.last for b in log), np.int64),
        records=column((b.records for b in log), np.int32),
        producer_id=column((b.producer_id for b in log), np.int64),
        epoch=column((b.epoch for b in log), np.int16),
        base_sequence=column((b.sequence for b in log), np.int32),
        transactional=column((b.transactional for b in log), np.bool_),
        control=column((b.control for b in log), np.int8),
        codec=np.zeros(len(log), dtype=np.int8),
        first_timestamp=column((b.time_ms for b in log), np.int64),
        max_timestamp=column((b.time_ms for b in log), np.int64),
        coordinator_epoch=column((0 if b.is_marker else -1 for b in log), np.int32),
        intact=column((b.intact for b in log), np.bool_),
    )


@dataclass
class Log:
    """What a broker would have: appends, and keeps the list of aborted transactions."""

    batches: list[Batch] = field(default_factory=list)
    aborted: list[tuple[int, int]] = field(default_factory=list)
    now_ms: int = 1_000_000
    _end: int = 0
    _open: dict[int, int] = field(default_factory=dict)
    _sequences: dict[tuple[int, int], int] = field(default_factory=dict)

    def data(
        self, producer_id: int, epoch: int = 0, *, records: int = 1, transactional: bool = True
    ) -> int:
        key = (producer_id, epoch)
        sequence = self._sequences.get(key, 0) if producer_id >= 0 else -1
        self._sequences[key] = sequence + records
        base = self._append(
            Batch(
                base=0,
                last=records - 1,
                records=records,
                producer_id=producer_id,
                epoch=epoch if producer_id >= 0 else -1,
                sequence=sequence,
                transactional=transactional,
            )
        )
        if transactional:
            self._open.setdefault(producer_id, base)
        return base

    def plain(self, *, records: int = 1) -> int:
        return self.data(-1, records=records, transactional=False)

    def commit(self, producer_id: int, epoch: int = 0) -> int:
        self._open.pop(producer_id, None)
        return self._marker(producer_id, epoch, Control.COMMIT)

    def abort(self, producer_id: int, epoch: int = 0) -> int:
        first = self._open.pop(producer_id, None)
        if first is not None:
            self.aborted.append((producer_id, first))
        return self._marker(producer_id, epoch, Control.ABORT)

    def other(self) -> int:
        return self._append(Batch(base=0, last=0, records=1, control=Control.OTHER))

    def _marker(self, producer_id: int, epoch: int, control: Control) -> int:
        return self._append(
            Batch(
                base=0,
                last=0,
                records=1,
                producer_id=producer_id,
                epoch=epoch,
                transactional=True,
                control=control,
            )
        )

    def _append(self, batch: Batch) -> int:
        base = self._end
        self.now_ms += SECOND
        placed = replace(batch, base=base, last=base + batch.last, time_ms=self.now_ms)
        self.batches.append(placed)
        self._end = placed.last + 1
        return base


def given_one_by_one(log: Sequence[Batch], aborted: Sequence[tuple[int, int]]) -> list[bool]:
    """Java's CompletedFetch, in its own steps."""
    waiting = sorted(aborted, key=lambda entry: entry[1])
    aborting: set[int] = set()
    given = []
    for batch in log:
        while waiting and waiting[0][1] <= batch.last:
            aborting.add(waiting.pop(0)[0])
        if batch.control is Control.ABORT:
            aborting.discard(batch.producer_id)
        skipped = batch.transactional and batch.producer_id in aborting
        given.append(batch.control is Control.DATA and not skipped)
    return given


@dataclass
class Judged:
    """What there is to find; places are first offsets."""

    aborted_visible: list[int] = field(default_factory=list)
    lost_commit: list[int] = field(default_factory=list)
    zombies: list[int] = field(default_factory=list)
    committed: int = 0
    aborted: int = 0
    open: int = 0
    committed_records: int = 0
    aborted_records: int = 0


@dataclass
class _Open:
    shown: list[Batch] = field(default_factory=list)
    hidden: list[Batch] = field(default_factory=list)
    zombies: list[Batch] = field(default_factory=list)


def judged_one_by_one(log: Sequence[Batch], given: Sequence[bool]) -> Judged:
    judged = Judged()
    transactions: dict[int, _Open] = {}
    highest: dict[int, int] = {}
    for batch, shown in zip(log, given, strict=True):
        if batch.producer_id < 0 or batch.control is Control.OTHER:
            continue
        stale = batch.epoch < highest.get(batch.producer_id, -1)
        highest[batch.producer_id] = max(batch.epoch, highest.get(batch.producer_id, -1))
        if batch.is_marker:
            ended = transactions.pop(batch.producer_id, None)
            if ended is not None:
                _end(judged, ended, committed=batch.control is Control.COMMIT)
        elif batch.transactional:
            mine = transactions.setdefault(batch.producer_id, _Open())
            (mine.shown if shown else mine.hidden).append(batch)
            if stale:
                mine.zombies.append(batch)
        elif stale:
            judged.zombies.append(batch.base)
    judged.open = len(transactions)
    return judged


def _end(judged: Judged, ended: _Open, *, committed: bool) -> None:
    records = sum(batch.records for batch in (*ended.shown, *ended.hidden))
    if committed:
        judged.committed += 1
        judged.committed_records += records
        if ended.hidden:
            judged.lost_commit.append(ended.hidden[0].base)
        if ended.zombies:
            judged.zombies.append(ended.zombies[0].base)
    else:
        judged.aborted += 1
        judged.aborted_records += records
        if ended.shown:
            judged.aborted_visible.append(ended.shown[0].base)
