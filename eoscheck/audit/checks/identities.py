"""Each identity by itself: too many outputs (DUPLICATE), too few (LOST), none of ours (PHANTOM)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eoscheck.audit.checks.joined import (
    Joined,
    Side,
    first_rows_by_code,
    offsets_beside,
    places,
    places_of,
)
from eoscheck.audit.checks.outcome import Anomaly, Checked, Found
from eoscheck.audit.columns import Flags, Integers
from eoscheck.audit.findings import Code, Unknown
from eoscheck.audit.records import Place


def check_duplicates(joined: Joined, *, limit: int) -> Checked:
    """More committed outputs than committed copies of the input; one is expected where the input
    was not read, or may have been removed. An identity that is not in the input at all is a
    PHANTOM, however often it stands there."""
    outputs = joined.output.copies(joined.identities)
    expected = _expected_copies(joined)
    chosen = (outputs > expected) & (expected > 0)
    anomalies = []
    for rows in first_rows_by_code(joined.output, chosen, limit=limit):
        found = places(joined.output.records, rows)
        code = int(joined.output.code[rows[0]])
        due = int(expected[code])
        anomalies.append(
            Anomaly(
                place=found[0],
                offsets=offsets_beside(found),
                detail=f"committed {_times(int(outputs[code]))}, expected {_times(due)}",
                related={"copies": found, "inputs": _inputs_of(joined, code)},
                facts={"expected": due},
            )
        )
    return Checked(
        found=[Found(code=Code.DUPLICATE, total=int(chosen.sum()), anomalies=anomalies)],
        counts={"surplus_outputs": int((outputs - expected)[chosen].sum())},
    )


def check_phantoms(joined: Joined, *, limit: int) -> Checked:
    """Outputs whose identity is not in the input: unknown where the input is not complete."""
    if joined.input is None:
        return Checked()
    inputs = joined.input.copies(joined.identities)
    outputs = joined.output.copies(joined.identities)
    chosen = (outputs > 0) & (inputs == 0)
    total = int(chosen.sum())
    if total and joined.input.gaps:
        topic = joined.input.records.topic
        reason = f"{total} identities of the output are not in {topic}, but may have been: "
        return Checked(
            unknowns=[Unknown(subject=Code.PHANTOM, reason=reason + "; ".join(joined.input.gaps))]
        )
    anomalies = []
    for rows in first_rows_by_code(joined.output, chosen, limit=limit):
        found = places(joined.output.records, rows)
        copies = int(outputs[joined.output.code[rows[0]]])
        anomalies.append(
            Anomaly(
                place=found[0],
                offsets=offsets_beside(found),
                detail=f"committed {_times(copies)}, but not in the committed input",
                related={"copies": found},
            )
        )
    return Checked(found=[Found(code=Code.PHANTOM, total=total, anomalies=anomalies)])


def check_losses(joined: Joined, *, limit: int) -> Checked:
    """Due inputs with fewer committed outputs than copies.

    An input is in the tail where everything after it in its partition is missing too. Unknown are:
    all of them where the output is not complete, and the tail where the subject is still at work.
    """
    if joined.input is None:
        return Checked()
    outputs = joined.output.copies(joined.identities)
    due = joined.input.copies(joined.identities, joined.due)
    chosen = outputs < due
    missing = outputs < joined.input.copies(joined.identities)
    tail = _tail(joined.input, missing=missing, identities=joined.identities)
    counts = {
        "due_records": int(joined.due.sum()),
        "missing_outputs": int((due - outputs)[chosen].sum()),
        "missing_tail": int((chosen & tail).sum()),
    }
    if chosen.any() and joined.output.gaps:
        reason = (
            f"{int(chosen.sum())} identities have too few outputs in "
            f"{joined.output.records.topic}, but may have had them: "
        )
        return Checked(
            unknowns=[Unknown(subject=Code.LOST, reason=reason + "; ".join(joined.output.gaps))],
            counts=counts,
        )
    unknowns = []
    if not joined.settled and (chosen & tail).any():
        unknowns.append(
            Unknown(
                subject=Code.LOST,
                reason=f"the last {int((chosen & tail).sum())} inputs have no output yet, and the "
                "subject is still at work: audit again when it is done, or say which --group it is",
            )
        )
        chosen &= ~tail
    anomalies = [
        _loss(joined, rows, outputs=outputs, due=due, tail=tail)
        for rows in first_rows_by_code(joined.input, chosen, limit=limit, among=joined.due)
    ]
    return Checked(
        found=[Found(code=Code.LOST, total=int(chosen.sum()), anomalies=anomalies)],
        unknowns=unknowns,
        counts=counts,
    )


def check_acknowledged(joined: Joined, *, limit: int) -> Checked:
    """Inputs that were acknowledged to the load and are not in the input topic."""
    if joined.input is None or joined.acknowledged is None:
        return Checked()
    sent = joined.acknowledged
    absent = joined.input.copies(joined.identities)[joined.acknowledged_code] == 0
    rows = np.flatnonzero(absent)
    topic = joined.input.records.topic
    if len(rows) and joined.input.gaps:
        reason = f"{len(rows)} acknowledged records are not in {topic}, but may have been: "
        return Checked(
            unknowns=[Unknown(subject=Code.LOST, reason=reason + "; ".join(joined.input.gaps))]
        )
    anomalies = [
        Anomaly(
            place=Place(topic, sent.partitions[row], sent.offsets[row]),
            offsets=[sent.offsets[row]],
            detail="acknowledged to the load, and absent from the input",
            identity=sent.identities[row],
            facts={"tail": False},
        )
        for row in rows[:limit]
    ]
    return Checked(
        found=[Found(code=Code.LOST, total=len(rows), anomalies=anomalies)],
        counts={"acknowledged_records": len(sent.identities)},
    )


def _expected_copies(joined: Joined) -> Integers:
    if joined.input is None:
        return np.ones(joined.identities, dtype=np.int64)
    copies = joined.input.copies(joined.identities)
    return np.maximum(copies, 1) if joined.input.gaps else copies


def _tail(side: Side, *, missing: Flags, identities: int) -> Flags:
    """Which identities have all their inputs after the last one of its partition that came out."""
    row = np.arange(len(side.records))
    came_out = np.where(missing[side.code], -1, row)
    _numbers, start, partition = np.unique(
        side.records.partition, return_index=True, return_inverse=True
    )
    if len(start) == 0:
        return np.zeros(identities, dtype=np.bool_)
    last = np.maximum.reduceat(came_out, start)
    in_tail = np.ones(identities, dtype=np.bool_)
    in_tail[side.code[row <= last[partition]]] = False
    return in_tail


def _loss(
    joined: Joined, rows: Sequence[int], *, outputs: Integers, due: Integers, tail: Flags
) -> Anomaly:
    assert joined.input is not None
    found = places(joined.input.records, rows)
    code = int(joined.input.code[rows[0]])
    missing = int(due[code] - outputs[code])
    in_tail = bool(tail[code])
    where = ", as is all input after it" if in_tail else ""
    return Anomaly(
        place=found[0],
        offsets=offsets_beside(found),
        detail=f"{missing} of {int(due[code])} expected outputs {_are(missing)} missing{where}",
        related={"inputs": found, "copies": places_of(joined.output, code)},
        facts={"expected": int(due[code]), "tail": in_tail},
    )


def _inputs_of(joined: Joined, code: int) -> list[Place]:
    return [] if joined.input is None else places_of(joined.input, code)


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"
