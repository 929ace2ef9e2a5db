"""Each identity by itself: too many outputs (DUPLICATE), too few (LOST), none of ours (PHANTOM)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from eoscheck.audit.checks.joined import (
    Joined,
    Side,
    first_rows_by_code,
    offsets_beside,
    places,
    places_of,
)
from eoscheck.audit.checks.outcome import Anomaly, Checked, Doubt, Found
from eoscheck.audit.findings import Code
from eoscheck.audit.rows.columns import Flags, Integers
from eoscheck.audit.rows.records import Place


def check_duplicates(joined: Joined, *, most_of_one: int = 1, limit: int) -> Checked:
    """More committed outputs than the committed copies of the input may have; `most_of_one` where
    the input was not read, or may have been removed. An identity that must have none is a PHANTOM,
    however often it stands there."""
    outputs = joined.output.copies(joined.identities)
    expected = _most_copies(joined, most_of_one)
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
    """Outputs whose identity is not in the input, or whose input must have none. The former are
    unknown where the input is not complete, and not looked for where only a part was asked for."""
    if joined.input is None:
        return Checked()
    inputs = joined.input.copies(joined.identities)
    outputs = joined.output.copies(joined.identities)
    absent = (outputs > 0) & (inputs == 0) & (not joined.partial)
    barren = (outputs > 0) & (inputs > 0) & (joined.expected().most == 0)
    unknowns = []
    if joined.input.gaps and absent.any():
        reason = (
            "{count} identities of the output are not in "
            f"{joined.input.records.topic}, but may have been: {'; '.join(joined.input.gaps)}"
        )
        unknowns.append(Doubt(subject=Code.PHANTOM, reason=reason, count=int(absent.sum())))
        absent = np.zeros_like(absent)
    chosen = absent | barren
    anomalies = []
    for rows in first_rows_by_code(joined.output, chosen, limit=limit):
        found = places(joined.output.records, rows)
        code = int(joined.output.code[rows[0]])
        why = "its input must have none" if barren[code] else "not in the committed input"
        anomalies.append(
            Anomaly(
                place=found[0],
                offsets=offsets_beside(found),
                detail=f"committed {_times(int(outputs[code]))}, but {why}",
                related={"copies": found, "inputs": _inputs_of(joined, code)},
            )
        )
    return Checked(
        found=[Found(code=Code.PHANTOM, total=int(chosen.sum()), anomalies=anomalies)],
        unknowns=unknowns,
    )


def last_came_out(joined: Joined) -> dict[int, int]:
    """By input partition: the offset of the last input that has all its outputs."""
    if joined.input is None:
        return {}
    records = joined.input.records
    missing = joined.output.copies(joined.identities) < joined.expected().least
    rows = np.flatnonzero(~missing[joined.input.code])
    return last_offsets(records.partition[rows], records.offset[rows])


def last_offsets(partition: Integers, offset: Integers) -> dict[int, int]:
    """By partition the highest offset; rows are ordered by both."""
    ends = np.flatnonzero(np.diff(partition, append=-1))
    return dict(zip(partition[ends].tolist(), offset[ends].tolist(), strict=True))


def check_losses(joined: Joined, *, came_out: Mapping[int, int], limit: int) -> Checked:
    """Due inputs with fewer committed outputs than they must have.

    An input is in the tail where everything after it in its partition is missing too: `came_out`
    is `last_came_out` of the whole input. Unknown are: all of them where the output is not
    complete, and the tail where the subject is still at work.
    """
    if joined.input is None:
        return Checked()
    outputs = joined.output.copies(joined.identities)
    due = joined.expected(joined.due).least
    chosen = outputs < due
    counts = {
        "due_records": int(joined.due.sum()),
        "missing_outputs": int((due - outputs)[chosen].sum()),
    }
    if not chosen.any():
        return Checked(found=[Found(code=Code.LOST, total=0, anomalies=[])], counts=counts)
    tail = _tail(joined.input, came_out=came_out, identities=joined.identities)
    counts["missing_tail"] = int((chosen & tail).sum())
    if joined.output.gaps:
        reason = (
            "{count} identities have too few outputs in "
            f"{joined.output.records.topic}, but may have had them: {'; '.join(joined.output.gaps)}"
        )
        doubt = Doubt(subject=Code.LOST, reason=reason, count=int(chosen.sum()))
        return Checked(unknowns=[doubt], counts=counts)
    unknowns = []
    if not joined.settled and (chosen & tail).any():
        unknowns.append(
            Doubt(
                subject=Code.LOST,
                reason="the last {count} inputs have no output yet, and the "
                "subject is still at work: audit again when it is done, or say which --group it is",
                count=int((chosen & tail).sum()),
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
        reason = (
            f"{{count}} acknowledged records are not in {topic}, but may have been: "
            f"{'; '.join(joined.input.gaps)}"
        )
        return Checked(unknowns=[Doubt(subject=Code.LOST, reason=reason, count=len(rows))])
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


def _most_copies(joined: Joined, most_of_one: int) -> Integers:
    if joined.input is None:
        return np.full(joined.identities, most_of_one, dtype=np.int64)
    most = joined.expected().most
    if not joined.input.gaps and not joined.partial:
        return most
    absent = joined.input.copies(joined.identities) == 0
    return np.where(absent, np.maximum(most, most_of_one), most)


def _tail(side: Side, *, came_out: Mapping[int, int], identities: int) -> Flags:
    """Which identities have all their inputs after the last one of its partition that came out."""
    records = side.records
    last = np.full(len(records), -1, dtype=np.int64)
    for partition, offset in came_out.items():
        last[records.partition == partition] = offset
    in_tail = np.ones(identities, dtype=np.bool_)
    in_tail[side.code[records.offset <= last]] = False
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
