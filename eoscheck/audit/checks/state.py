"""STATE_DIVERGED: what a state is said to be, in three places that should agree.

The last committed value of each key in a changelog, a store's dump, and a fold of the input. The
same comparison serves any table: an output's last values against a golden run or a fold are
WRONG_RESULT.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eoscheck.audit.checks.fold import by_cause
from eoscheck.audit.checks.outcome import Anomaly, Cause, Checked, Doubt, Found
from eoscheck.audit.checks.retention import dropped, known_of
from eoscheck.audit.checks.tables import (
    NOBODY,
    Groups,
    Lasts,
    TableRows,
    group,
    knows_partitions,
    last_values,
)
from eoscheck.audit.findings import Code, Unknown
from eoscheck.audit.oracles.windows import Retention
from eoscheck.audit.rows.columns import Digests, Flags, Integers, enumerate_identities
from eoscheck.audit.rows.records import Place


@dataclass(frozen=True, kw_only=True)
class Suspects:
    """Keys whose inputs were processed more than once, or lost: what a weaker guarantee allows may
    have made their values wrong."""

    reprocessed: Digests
    lost: Digests


def check_tables(
    subject: TableRows,
    others: Sequence[TableRows],
    *,
    code: Code = Code.STATE_DIVERGED,
    by_partition: bool | None = None,
    compacted: bool = True,
    retention: Retention | None = None,
    suspects: Suspects | None = None,
    limit: int,
) -> Checked:
    """The last value of each key in `subject` (a changelog, an output) against those in `others`.

    A store is its partition's: the same key in two partitions is two entries, and one in the wrong
    partition is missing in one and too much in the other. Where a table knows no partitions, or
    with `by_partition` false, keys count alone; one that is alive in several is not judged then.
    A tombstone and a key that was never there are the same.

    With `TableRows.below` the subject counts up to those offsets; a key that was written later is
    not judged where it differs, if the subject is `compacted`: its earlier value may be gone. With
    `retention`, windows that have expired by stream time count on no side, and those about to go
    may be anywhere.
    """
    incomplete = [
        _unknown(code, f"{table.name} is not complete: {'; '.join(table.gaps)}")
        for table in (subject, *others)
        if table.gaps
    ]
    if incomplete:
        return Checked(unknowns=incomplete)
    if by_partition is None:
        by_partition = knows_partitions(subject, *others)
    groups = group(subject, *others, by_partition=by_partition)
    pairs = [
        _compare(
            subject,
            other,
            groups=groups,
            number=number,
            compacted=compacted,
            retention=retention,
        )
        for number, other in enumerate(others, start=1)
    ]
    differs = np.any([pair.differs for pair in pairs], axis=0)
    wrong = np.flatnonzero(differs)
    causes = _causes(wrong, subject, others, groups=groups, suspects=suspects)
    found = []
    for kind, members in by_cause(causes):
        anomalies = [
            _anomaly(subject, others, pairs, key=int(wrong[member]), causes=kind)
            for member in members[:limit]
        ]
        found.append(Found(code=code, total=len(members), anomalies=anomalies, causes=kind))
    judged = int(np.any([pair.judged for pair in pairs], axis=0).sum())
    return Checked(
        found=found,
        unknowns=_unjudged(subject, others, pairs, code=code),
        counts={"judged_keys": judged},
    )


@dataclass(frozen=True, kw_only=True)
class _Pair:
    """The subject and one other, by group. Why some are not judged: `unclear`, `moved_on`, `open`,
    `doubtful` (windows that may have expired)."""

    subject: Integers
    other: Integers
    differs: Flags
    judged: Flags
    unclear: Flags
    moved_on: Flags
    open: Flags
    doubtful: Flags


def _compare(
    subject: TableRows,
    other: TableRows,
    *,
    groups: Groups,
    number: int,
    compacted: bool,
    retention: Retention | None,
) -> _Pair:
    count = groups.count
    here = last_values(subject, groups, 0, below=other.below)
    there = last_values(other, groups, number)
    there_alive, here_alive = _alive(other, there), _alive(subject, here)
    same = _same_values(subject, here, other, there)
    differs = (here_alive != there_alive) | (here_alive & there_alive & ~same)
    unclear = here.unclear | there.unclear
    held = np.zeros(count, dtype=np.bool_)
    if other.open is not None:
        held[groups.of[number][other.open]] = True
    outside = _outside(subject, other, groups.of[0], count)
    doubtful = np.zeros(count, dtype=np.bool_)
    if retention is not None:
        expired, doubtful = _expired(
            subject, here, other, there, here_alive, there_alive, retention=retention
        )
        outside |= expired
    moved_on = here.moved_on & differs if compacted else np.zeros(count, dtype=np.bool_)
    aside = outside | unclear | held | doubtful | moved_on
    return _Pair(
        subject=here.row,
        other=there.row,
        differs=differs & ~aside,
        judged=(here_alive | there_alive) & ~aside,
        unclear=unclear & ~outside,
        moved_on=moved_on & ~outside,
        open=held & ~outside,
        doubtful=doubtful & ~outside,
    )


def _outside(subject: TableRows, other: TableRows, groups: Integers, count: int) -> Flags:
    """Groups in partitions of the subject that a partial dump says nothing about."""
    outside = np.zeros(count, dtype=np.bool_)
    if other.below is not None:
        outside[groups] = True
        outside[groups[np.isin(subject.partition, list(other.below))]] = False
    return outside


def _alive(table: TableRows, lasts: Lasts) -> Flags:
    there = lasts.row != NOBODY
    alive = np.zeros(len(there), dtype=np.bool_)
    alive[there] = table.alive()[lasts.row[there]]
    return alive


def _same_values(subject: TableRows, here: Lasts, other: TableRows, there: Lasts) -> Flags:
    both = np.flatnonzero((here.row != NOBODY) & (there.row != NOBODY))
    same = np.zeros(len(here.row), dtype=np.bool_)
    ours, theirs = here.row[both], there.row[both]
    same[both] = (subject.value.low[ours] == other.value.low[theirs]) & (
        subject.value.high[ours] == other.value.high[theirs]
    )
    return same


def _expired(
    subject: TableRows,
    here: Lasts,
    other: TableRows,
    there: Lasts,
    here_alive: Flags,
    there_alive: Flags,
    *,
    retention: Retention,
) -> tuple[Flags, Flags]:
    """Groups whose windows do not count any more, and those that may be past their retention."""
    assert other.times is not None
    start, partition, known = _windows(subject, here, other, there)
    least, some = other.times.at_least(partition)
    most, bounded = other.times.at_most(partition)
    gone = some & retention.must_be_gone(start, least)
    going = some & ~retention.must_be_there(start, least)
    staying = bounded & retention.must_be_there(start, most)
    only_here, only_there = here_alive & ~there_alive, there_alive & ~here_alive
    expired = gone | (only_there & going) | (only_here & going)
    if other.oldest is not None:
        # All that is as old is gone from the dump: RETENTION_BREACH says whether it was too early.
        expired |= only_here & dropped(start, partition, other.oldest)
    doubtful = only_here & ~expired & ~staying
    return expired & known, doubtful & known


def _windows(
    subject: TableRows, here: Lasts, other: TableRows, there: Lasts
) -> tuple[Integers, Integers, Flags]:
    """By group: its window's start, its partition, and whether there is a start at all."""
    count = len(here.row)
    start, partition = np.zeros(count, dtype=np.int64), np.full(count, NOBODY, dtype=np.int64)
    known = np.zeros(count, dtype=np.bool_)
    for table, lasts in ((other, there), (subject, here)):
        if table.window is None:
            continue
        at = np.flatnonzero(lasts.row != NOBODY)
        rows = lasts.row[at]
        start[at], partition[at] = table.window.value[rows], table.partition[rows]
        known[at] = known_of(table.window)[rows]
    return start, partition, known


def _causes(
    wrong: Integers,
    subject: TableRows,
    others: Sequence[TableRows],
    *,
    groups: Groups,
    suspects: Suspects | None,
) -> list[frozenset[Cause]]:
    if suspects is None or len(wrong) == 0:
        return [frozenset()] * len(wrong)
    tables = (subject, *others)
    codes, count = enumerate_identities(
        suspects.reprocessed, suspects.lost, *(table.key for table in tables)
    )
    key_of = np.zeros(groups.count, dtype=np.int64)
    for members, code in zip(groups.of, codes[2:], strict=True):
        key_of[members] = code
    flags = np.zeros((2, count), dtype=np.bool_)
    flags[0, codes[0]] = True
    flags[1, codes[1]] = True
    named = (Cause.REPROCESSED, Cause.LOST)
    return [
        frozenset(cause for cause, flag in zip(named, flags[:, code], strict=True) if flag)
        for code in key_of[wrong]
    ]


def _anomaly(
    subject: TableRows,
    others: Sequence[TableRows],
    pairs: Sequence[_Pair],
    *,
    key: int,
    causes: frozenset[Cause],
) -> Anomaly:
    """Placed at the subject's own record; where it has none, named after the first other's."""
    differing = [number for number, pair in enumerate(pairs) if pair.differs[key]]
    agreeing = [n for n, pair in enumerate(pairs) if pair.judged[key] and not pair.differs[key]]
    row = int(pairs[differing[0]].subject[key])
    place = subject.place(row) if row != NOBODY else None
    rows = [(others[n], int(pairs[n].other[key])) for n in differing]
    rows = [(other, row) for other, row in rows if row != NOBODY]
    beside = [found for found in (other.place(row) for other, row in rows) if found is not None]
    names = [other.name_of(row) for other, row in rows if other.name_of is not None]
    partition = int(rows[0][0].partition[rows[0][1]]) if rows else NOBODY
    facts: dict[str, object] = {
        "differing": [others[n].name for n in differing],
        "agreeing": [others[n].name for n in agreeing],
        "causes": sorted(causes),
    }
    start = _window_start([(subject, row), *rows])
    if start is not None:
        facts["window_start_ms"] = start
    return Anomaly(
        place=place or Place(subject.topic or subject.name, partition, -1),
        offsets=[] if place is None else [place.offset],
        detail=_detail(subject, others, pairs, differing=differing, agreeing=agreeing, key=key),
        identity=names[0] if place is None and names else None,
        key_of=beside[0] if place is None and beside and not names else None,
        related={"copies": [place] if place is not None else [], "other": beside},
        facts=facts,
    )


def _window_start(rows: Sequence[tuple[TableRows, int]]) -> int | None:
    for table, row in rows:
        if table.window is not None and row != NOBODY:
            return int(table.window.value[row])
    return None


def _detail(
    subject: TableRows,
    others: Sequence[TableRows],
    pairs: Sequence[_Pair],
    *,
    differing: Sequence[int],
    agreeing: Sequence[int],
    key: int,
) -> str:
    """What differs from the subject, and which one stands alone where there are three."""
    parts = []
    for number in differing:
        other, pair = others[number], pairs[number]
        here = pair.subject[key] != NOBODY and bool(subject.alive()[pair.subject[key]])
        there = pair.other[key] != NOBODY and bool(other.alive()[pair.other[key]])
        if here and there:
            parts.append(f"{other.name} has another value than {subject.name}")
        elif here:
            parts.append(f"{other.name} has no value, {subject.name} has one")
        else:
            parts.append(f"{other.name} has a value, {subject.name} has none")
    if agreeing:
        parts.append(f"{_and(others, agreeing)} agrees with {subject.name}")
    elif len(differing) > 1:
        same = _agree(others, pairs, differing, key=key)
        together = f"{_and(others, differing)} agree with each other"
        parts.append(together if same else "no two of them agree")
    return "; ".join(parts)


def _and(tables: Sequence[TableRows], numbers: Sequence[int]) -> str:
    return " and ".join(tables[number].name for number in numbers)


def _agree(
    others: Sequence[TableRows], pairs: Sequence[_Pair], differing: Sequence[int], *, key: int
) -> bool:
    values = set()
    for number in differing:
        other, row = others[number], int(pairs[number].other[key])
        values.add(
            (-1, -1) if row == NOBODY else (int(other.value.low[row]), int(other.value.high[row]))
        )
    return len(values) == 1


def _unjudged(
    subject: TableRows, others: Sequence[TableRows], pairs: Sequence[_Pair], *, code: Code
) -> list[Doubt]:
    doubts = []
    for other, pair in zip(others, pairs, strict=True):
        reasons = {
            "are alive in several partitions, and "
            f"{other.name} or {subject.name} does not say which one counts": pair.unclear,
            f"differ from {other.name}, which is older, and were written since": pair.moved_on,
            "were at work when the topics were read": pair.open,
            f"are windows that are not in {other.name}, and may be past their retention: state "
            "stream_time_ms in the dump": pair.doubtful,
        }
        doubts += [
            Doubt(
                subject=code,
                reason=f"{{count}} keys of {subject.name} are not judged: they {why}",
                count=int(flags.sum()),
            )
            for why, flags in reasons.items()
            if flags.any()
        ]
    return doubts


def _unknown(code: Code, reason: str) -> Unknown:
    return Unknown(subject=code, reason=reason)
