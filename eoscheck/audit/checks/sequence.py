"""GAP: holes in numbered identities, for outputs whose input is not at hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eoscheck.audit.checks.joined import Joined
from eoscheck.audit.checks.outcome import Anomaly, Checked, Found
from eoscheck.audit.columns import Flags, Integers, enumerate_identities
from eoscheck.audit.findings import Code, Unknown
from eoscheck.audit.records import Records


@dataclass(frozen=True, kw_only=True)
class Sequences:
    """Which outputs belong to a sequence: a source whose numbers, from its lowest to its highest,
    are there at least half. One record alone shows nothing, and passes where most are part of one.
    `doubt` says why some are not judged, None where all are."""

    judged: Flags
    doubt: str | None


def find_sequences(joined: Joined) -> Sequences:
    """Decides what is a sequence at all: random identities have no holes to speak of."""
    records = joined.output.records
    if len(records) == 0:
        return Sequences(judged=np.zeros(0, dtype=np.bool_), doubt=None)
    source, numbers, numbered = _columns(records)
    order = np.lexsort((numbers, source))
    order = order[numbered[order]]
    dense = np.zeros(int(source.max()) + 1, dtype=np.bool_)
    alone = np.zeros_like(dense)
    if len(order):
        sorted_source, sorted_number = source[order], numbers[order]
        first = np.append(True, np.diff(sorted_source) != 0)
        starts = np.flatnonzero(first)
        ends = np.append(starts[1:], len(order)) - 1
        new = first | np.append(True, np.diff(sorted_number) != 0)
        present = np.add.reduceat(new.astype(np.int64), starts)
        # As floats: the span of 64-bit numbers need not fit in 64 bits, and half of it is enough.
        span = sorted_number[ends].astype(float) - sorted_number[starts].astype(float) + 1
        dense[sorted_source[starts]] = (present >= 2) & (present * 2.0 >= span)
        alone[sorted_source[starts]] = present == 1
    judged = dense[source] & numbered
    if judged.sum() * 2 >= len(records):
        judged |= alone[source] & numbered
    aside = int((~judged).sum())
    if aside == 0:
        return Sequences(judged=judged, doubt=None)
    return Sequences(
        judged=judged,
        doubt=f"{aside} of {len(records)} identities are not part of a numbered sequence, so that "
        "losses among them cannot be seen: give --input, or --expect at-most-once",
    )


def check_gaps(joined: Joined, *, sequences: Sequences, limit: int) -> Checked:
    """Numbers of a source that are missing between two that are there: one finding for each hole.

    Unknown where the output is not complete.
    """
    records = joined.output.records
    unknowns = [Unknown(subject=Code.GAP, reason=sequences.doubt)] if sequences.doubt else []
    if len(records) == 0:
        return Checked(unknowns=unknowns)
    source, numbers, _numbered = _columns(records)
    rows = np.flatnonzero(sequences.judged)
    rows = rows[np.lexsort((rows, numbers[rows], source[rows]))]
    step = np.diff(numbers[rows])
    holes = np.flatnonzero((np.diff(source[rows]) == 0) & (step > 1))
    missing = int((step[holes] - 1).sum())
    if len(holes) and joined.output.gaps:
        reason = f"{missing} numbers are missing in {records.topic}, but may have been there: "
        unknowns.append(Unknown(subject=Code.GAP, reason=reason + "; ".join(joined.output.gaps)))
        return Checked(unknowns=unknowns)
    anomalies = []
    after = rows[holes + 1]
    for hole in holes[np.argsort(after)[:limit]]:
        before_row, row = int(rows[hole]), int(rows[hole + 1])
        first, last = int(numbers[before_row]) + 1, int(numbers[row]) - 1
        place = records.place(row)
        anomalies.append(
            Anomaly(
                place=place,
                offsets=[place.offset],
                detail=_hole(first, last),
                sequel=first,
                related={"before": [records.place(before_row)], "after": [place]},
                facts={"first_missing": first, "last_missing": last},
            )
        )
    return Checked(
        found=[Found(code=Code.GAP, total=len(holes), anomalies=anomalies)],
        unknowns=unknowns,
        counts={"missing_numbers": missing},
    )


def _columns(records: Records) -> tuple[Integers, Integers, Flags]:
    assert records.group is not None
    assert records.number is not None
    assert records.number_known is not None
    (source,), _sources = enumerate_identities(records.group)
    return source, records.number, records.number_known


def _hole(first: int, last: int) -> str:
    if first == last:
        return f"number {first} is missing from its source's sequence"
    return (
        f"numbers {first} to {last} ({last - first + 1}) are missing from their source's sequence"
    )
