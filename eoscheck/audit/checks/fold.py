"""The right results: a fold of the input, and why a result may differ under a weaker guarantee."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from eoscheck.audit.checks.joined import Joined
from eoscheck.audit.checks.outcome import Cause, Doubt
from eoscheck.audit.findings import Code
from eoscheck.audit.rows.columns import Flags, Integers, enumerate_identities


@dataclass(frozen=True, kw_only=True)
class Fold:
    """Sums of the input's amounts. Columns by input row: `key` numbers its key, `stream` its key
    within its partition, `running` is the sum of its stream up to and with it."""

    key: Integers
    keys: int
    stream: Integers
    streams: int
    amount: Integers
    running: Integers


def fold(joined: Joined) -> Fold | Doubt:
    """The fold, or in words why it cannot be made."""
    assert joined.input is not None
    records = joined.input.records
    assert records.group is not None
    assert records.number is not None
    assert records.number_known is not None
    if joined.input.gaps:
        return _doubt(f"{records.topic} is not complete: {'; '.join(joined.input.gaps)}")
    unfit = int((~(records.number_known & records.group.known())).sum())
    if unfit:
        return _doubt(f"{{count}} records of {records.topic} have no key or no amount", unfit)
    (key,), keys = enumerate_identities(records.group)
    _partitions, partition = np.unique(records.partition, return_inverse=True)
    width = int(partition.max()) + 1 if len(partition) else 1
    _pairs, stream = np.unique(key * width + partition, return_inverse=True)
    streams = int(stream.max()) + 1 if len(stream) else 0
    magnitude = np.bincount(key, weights=np.abs(records.number.astype(float)), minlength=keys)
    if len(magnitude) and magnitude.max() >= 2.0**62:
        return _doubt("the sums of its amounts do not fit in 64 bits")
    return Fold(
        key=key,
        keys=keys,
        stream=stream,
        streams=streams,
        amount=records.number,
        running=_running(stream, records.number),
    )


def _doubt(reason: str, count: int = 1) -> Doubt:
    return Doubt(subject=Code.WRONG_RESULT, reason=reason, count=count)


def _running(stream: Integers, amount: Integers) -> Integers:
    """Sums within each stream, in row order. The sum over all may wrap around: differences of it
    are exact as long as each stream's own sums fit."""
    order = np.argsort(stream, kind="stable")
    with np.errstate(over="ignore"):
        total = np.cumsum(amount[order])
        starts = np.flatnonzero(np.diff(stream[order], prepend=-1))
        before = np.append(0, total)[starts]
        lengths = np.diff(np.append(starts, len(order)))
        running = np.empty_like(amount)
        running[order] = total - np.repeat(before, lengths)
    return running


@dataclass(frozen=True, kw_only=True)
class Causes:
    """Which streams have inputs with too many outputs, and which with too few: flags."""

    reprocessed: Flags
    lost: Flags

    def of(self, chosen: Flags | Integers, *, repeats: bool) -> frozenset[Cause]:
        """Of one stream, or of several together. `repeats`: the error itself looks like inputs
        that were counted again."""
        causes = set()
        if repeats or self.reprocessed[chosen].any():
            causes.add(Cause.REPROCESSED)
        if self.lost[chosen].any():
            causes.add(Cause.LOST)
        return frozenset(causes)


def causes_by(numbers: Integers, total: int, joined: Joined) -> Causes:
    """Flags by stream or key: `numbers` gives that of each input row."""
    assert joined.input is not None
    outputs = joined.output.copies(joined.identities)[joined.input.code]
    inputs = joined.input.copies(joined.identities)[joined.input.code]
    reprocessed = np.zeros(total, dtype=np.bool_)
    reprocessed[numbers[outputs > inputs]] = True
    lost = np.zeros(total, dtype=np.bool_)
    lost[numbers[(outputs < inputs) & joined.due]] = True
    return Causes(reprocessed=reprocessed, lost=lost)


class Repeats:
    """Tells an error that is what a run of inputs adds up to: a state that survived a crash while
    its inputs were read again counts them twice, and their first outputs may never have been
    written, so that no duplicate shows it."""

    def __init__(self, numbers: Integers, amount: Integers) -> None:
        self._order = np.argsort(numbers, kind="stable")
        self._sorted = numbers[self._order]
        self._amount = amount
        self._sums: dict[int, _Sums] = {}

    def from_row(self, number: int, row: int, error: int) -> bool:
        """A run of this stream's inputs that begins with `row` adds up to `error`."""
        if number not in self._sums:
            rows = self._rows(number)
            self._sums[number] = _Sums(rows, list(accumulate(self._amount[rows].tolist())))
        return self._sums[number].run_from(row, error)

    def anywhere(self, number: int, error: int) -> bool:
        """Some run of inputs adds up to `error`."""
        sums = {0}
        for total in accumulate(self._amount[self._rows(number)].tolist()):
            if total - error in sums:
                return True
            sums.add(total)
        return False

    def _rows(self, number: int) -> Integers:
        start, end = np.searchsorted(self._sorted, [number, number + 1])
        return self._order[start:end]


class _Sums:
    """Sums up to each row, and where each sum comes last: one look answers for a run."""

    def __init__(self, rows: Integers, sums: list[int]) -> None:
        self._rows = rows
        self._sums = sums
        self._last = {total: index for index, total in enumerate(sums)}

    def run_from(self, row: int, error: int) -> bool:
        index = int(np.searchsorted(self._rows, row))
        before = self._sums[index - 1] if index else 0
        return self._last.get(before + error, -1) >= index


def by_cause(causes: list[frozenset[Cause]]) -> Iterator[tuple[frozenset[Cause], list[int]]]:
    """Indices grouped by their causes."""
    for kind in sorted(set(causes), key=sorted):
        yield kind, [index for index, each in enumerate(causes) if each == kind]
