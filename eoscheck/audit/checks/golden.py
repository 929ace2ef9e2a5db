"""WRONG_RESULT against a golden run: the output of the same subject on the same input, without
faults. Needs no knowledge of the app.

Compared as a multiset of contents (key and value together), so that offsets, partitions, batches
and the order of records play no part. By the last value of each key: `check_tables` does that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eoscheck.audit.checks.joined import offsets_beside
from eoscheck.audit.checks.outcome import Anomaly, Cause, Checked, Doubt, Found
from eoscheck.audit.checks.state import Suspects
from eoscheck.audit.findings import Code, Unknown
from eoscheck.audit.rows.columns import Digests, Flags, Integers, enumerate_identities
from eoscheck.audit.rows.records import Place

_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class ContentRows:
    """Committed records of one topic in one shard: all of the same content are in the same shard.

    In the order of partition and offset. `content` is a digest of key and value together, `key` is
    needed where suspects are given.
    """

    topic: str
    partition: Integers
    offset: Integers
    content: Digests
    key: Digests | None = None

    def __len__(self) -> int:
        return len(self.offset)

    def place(self, row: int) -> Place:
        return Place(self.topic, int(self.partition[row]), int(self.offset[row]))


def check_golden_run(
    *, golden: str, records: int, compacted: bool, gaps: Sequence[str]
) -> list[Unknown]:
    """Once for the whole topic: why it cannot be compared with, before anything is."""
    if records == 0:
        reason = f"the golden topic {golden} holds no committed record: nothing can be told from it"
    elif compacted:
        reason = (
            f"the golden topic {golden} is compacted: compare by the last value (golden_by), or "
            "write the golden run to a topic that keeps all records"
        )
    elif gaps:
        reason = f"the golden topic {golden} is not complete: {'; '.join(gaps)}"
    else:
        return []
    return [Unknown(subject=Code.WRONG_RESULT, reason=reason)]


def check_golden(
    output: ContentRows,
    golden: ContentRows,
    *,
    output_gaps: Sequence[str] = (),
    suspects: Suspects | None = None,
    limit: int,
) -> Checked:
    """Contents that the output holds more or less often than the golden run: one anomaly each.

    Where the output is not complete (`output_gaps`), what it lacks is not judged. One copy too many
    of a right content may come of an input that was processed again, and one too few of an input
    that was lost; with `suspects` (and keys) so may any content of such a key.
    """
    (here, there), count = enumerate_identities(output.content, golden.content)
    ours = np.bincount(here, minlength=count)
    theirs = np.bincount(there, minlength=count)
    lacking = theirs > ours
    missing = int((theirs - ours)[lacking].sum())
    counts = {
        "golden_records": len(golden),
        "not_in_golden": int((ours - theirs)[ours > theirs].sum()),
        "only_in_golden": missing,
    }
    unknowns = []
    if output_gaps and missing:
        reason = (
            f"{{count}} records of {golden.topic} are missing in {output.topic}, but may have been "
            f"there: {'; '.join(output_gaps)}"
        )
        unknowns.append(Doubt(subject=Code.WRONG_RESULT, reason=reason, count=missing))
        lacking[:] = False
    surplus = ours > theirs
    reprocessed, lost = _suspected(output, golden, here=here, there=there, suspects=suspects)
    found = []
    for again in (False, True):
        for gone in (False, True):
            alike = (((surplus & (theirs > 0)) | reprocessed) == again) & ((lacking | lost) == gone)
            causes = _causes(again=again, gone=gone)
            if (surplus & alike).any():
                anomalies = [
                    _too_often(output, golden, rows, expected=int(theirs[here[rows[0]]]))
                    for rows in _rows_of(here, surplus & alike, limit=limit)
                ]
                found.append(_found(surplus & alike, anomalies, causes))
            if (lacking & alike).any():
                anomalies = [
                    _too_seldom(output, golden, rows, result=int(ours[there[rows[0]]]))
                    for rows in _rows_of(there, lacking & alike, limit=limit)
                ]
                found.append(_found(lacking & alike, anomalies, causes))
    return Checked(found=found, unknowns=unknowns, counts=counts)


def _found(chosen: Flags, anomalies: list[Anomaly], causes: frozenset[Cause]) -> Found:
    total = int(chosen.sum())
    return Found(code=Code.WRONG_RESULT, total=total, anomalies=anomalies, causes=causes)


def _causes(*, again: bool, gone: bool) -> frozenset[Cause]:
    chosen = ((Cause.REPROCESSED, again), (Cause.LOST, gone))
    return frozenset(cause for cause, flag in chosen if flag)


def _suspected(
    output: ContentRows,
    golden: ContentRows,
    *,
    here: Integers,
    there: Integers,
    suspects: Suspects | None,
) -> tuple[Flags, Flags]:
    """By content: whether its key had inputs that were processed again, or lost."""
    count = int(max(here.max(initial=-1), there.max(initial=-1))) + 1
    flags = np.zeros((2, count), dtype=np.bool_)
    if suspects is not None:
        assert output.key is not None
        assert golden.key is not None
        (again, gone, ours, theirs), keys = enumerate_identities(
            suspects.reprocessed, suspects.lost, output.key, golden.key
        )
        for flag, members in zip(flags, (again, gone), strict=True):
            suspected = np.zeros(keys, dtype=np.bool_)
            suspected[members] = True
            flag[here[suspected[ours]]] = True
            flag[there[suspected[theirs]]] = True
    return flags[0], flags[1]


def _rows_of(codes: Integers, chosen: Flags, *, limit: int) -> list[Integers]:
    """The rows of each of the first `limit` chosen contents, in the order of their first rows."""
    rows = np.flatnonzero(chosen[codes])
    distinct, first = np.unique(codes[rows], return_index=True)
    wanted = distinct[np.argsort(first)[:limit]]
    return [rows[codes[rows] == code] for code in wanted]


def _too_often(
    output: ContentRows, golden: ContentRows, rows: Integers, *, expected: int
) -> Anomaly:
    """At the first copy beyond as many as there should be."""
    places = [output.place(int(row)) for row in rows[expected : expected + _SHOWN]]
    return Anomaly(
        place=places[0],
        offsets=offsets_beside(places),
        detail=f"in {output.topic} {_times(len(rows))}, in the golden run {_times(expected)}",
        related={"copies": places},
        facts={"result": len(rows), "expected": expected, "golden_topic": golden.topic},
    )


def _too_seldom(
    output: ContentRows, golden: ContentRows, rows: Integers, *, result: int
) -> Anomaly:
    places = [golden.place(int(row)) for row in rows[:_SHOWN]]
    return Anomaly(
        place=Place(output.topic, places[0].partition, -1),
        offsets=[],
        detail=f"in {output.topic} {_times(result)}, in the golden run {_times(len(rows))}",
        key_of=places[0],
        related={"golden": places},
        facts={"result": result, "expected": len(rows), "golden_topic": golden.topic},
    )


def _times(number: int) -> str:
    return {0: "never", 1: "once"}.get(number, f"{number} times")
