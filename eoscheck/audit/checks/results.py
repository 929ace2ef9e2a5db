"""WRONG_RESULT: right identity, wrong value, against a fold of the input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from eoscheck.audit.checks.fold import Fold, Repeats, by_cause, causes_by, fold
from eoscheck.audit.checks.joined import Joined
from eoscheck.audit.checks.outcome import Anomaly, Cause, Checked, Doubt, Found
from eoscheck.audit.findings import Code, Unknown
from eoscheck.audit.rows.columns import Flags, Integers, enumerate_identities, first_rows
from eoscheck.audit.rows.records import Place, Records


def check_running_sum(joined: Joined, *, limit: int) -> Checked:
    """Each output's result must be its key's sum up to its input, in the order of the partition.

    One wrong step makes every later result of its key wrong by the same amount: one finding stands
    for all its outputs in a row, as they were written, that are off by as much. Of an identity that
    stands several times in the input, the sum at any of its places is right.
    """
    sums = fold(joined)
    if isinstance(sums, Doubt):
        return Checked(unknowns=[sums])
    rows, input_row, expected, error = _compare(joined, sums)
    starts, lengths, causes = _judged_steps(joined, sums, input_row, error)
    found = []
    for kind, members in by_cause(causes):
        members.sort(key=lambda member: rows[starts[member]])
        anomalies = [
            _wrong_output(
                joined,
                row=int(rows[starts[member]]),
                input_row=int(input_row[starts[member]]),
                expected=int(expected[starts[member]]),
                outputs=int(lengths[member]),
                causes=kind,
            )
            for member in members[:limit]
        ]
        found.append(
            Found(code=Code.WRONG_RESULT, total=len(members), anomalies=anomalies, causes=kind)
        )
    counts = {"judged_results": len(rows), "wrong_results": int((error != 0).sum())}
    return Checked(found=found, counts=counts)


def check_final_state(
    joined: Joined, *, table: Records, gaps: Sequence[str], limit: int
) -> Checked:
    """The last value of each key must be the sum of its due inputs. `table`: its records, whose
    identity is the key, with the columns `number` and `value` (nothing where it is deleted).

    Keys with inputs that the subject may have dealt with meanwhile are not judged. A key that is
    absent or deleted counts as 0.
    """
    sums = fold(joined)
    if isinstance(sums, Doubt):
        return Checked(unknowns=[sums])
    if gaps:
        reason = f"{table.topic} is not complete: {'; '.join(gaps)}"
        return Checked(unknowns=[Unknown(subject=Code.WRONG_RESULT, reason=reason)])
    assert joined.input is not None
    assert joined.input.records.group is not None
    (key, row_key), keys = enumerate_identities(joined.input.records.group, table.identity)
    entries = _last_entries(table, row_key, keys)
    due, pending = joined.due, joined.pending
    expected = np.zeros(keys, dtype=np.int64)
    np.add.at(expected, key[due], sums.amount[due])
    value = entries.value
    open_keys = np.zeros(keys, dtype=np.bool_)
    open_keys[key[pending] if joined.settled else key] = True
    open_keys |= ~entries.fits
    wrong = np.flatnonzero((value != expected) & ~open_keys)
    causes_of_key = causes_by(key, keys, joined)
    repeats = Repeats(key, sums.amount)
    # Each recovery may have counted a run of inputs again: all but the last show in the outputs.
    error = value - expected - _excused(joined, sums, key, keys) if len(wrong) else value
    causes = [
        causes_of_key.of(
            np.array([number]),
            repeats=not error[number] or repeats.anywhere(int(number), int(error[number])),
        )
        for number in wrong
    ]
    found = []
    for kind, members in by_cause(causes):
        anomalies = [
            _wrong_entry(
                joined,
                table=table,
                row=int(entries.row[wrong[member]]),
                rows=np.flatnonzero(key == wrong[member]),
                expected=int(expected[wrong[member]]),
                causes=kind,
            )
            for member in members[:limit]
        ]
        found.append(
            Found(code=Code.WRONG_RESULT, total=len(members), anomalies=anomalies, causes=kind)
        )
    unknowns = []
    if open_keys.any():
        reason = (
            f"{{count}} keys of {table.topic} are not judged: the subject was at work on "
            "them, or their value does not fit"
        )
        count = int(open_keys.sum())
        unknowns.append(Doubt(subject=Code.WRONG_RESULT, reason=reason, count=count))
    return Checked(found=found, unknowns=unknowns, counts={"judged_keys": int((~open_keys).sum())})


@dataclass(frozen=True, kw_only=True)
class _Entries:
    """By key: the row of its last record, -1 where it has none; its value, 0 where it is deleted;
    whether that is a number at all."""

    row: Integers
    value: Integers
    fits: Flags


def _last_entries(table: Records, key: Integers, keys: int) -> _Entries:
    row = np.full(keys, -1, dtype=np.int64)
    row[key] = np.arange(len(key))  # the last one stays
    value, fits = np.zeros(keys, dtype=np.int64), np.ones(keys, dtype=np.bool_)
    number, known, content = table.number, table.number_known, table.digests("value")
    assert number is not None
    assert known is not None
    assert content is not None
    there = row >= 0
    rows = row[there]
    value[there] = np.where(known[rows], number[rows], 0)
    fits[there] = (known[rows] & (np.abs(number[rows]) < 2**62)) | ~content.known()[rows]
    return _Entries(row=row, value=value, fits=fits)


def _compare(joined: Joined, sums: Fold) -> tuple[Integers, Integers, Integers, Integers]:
    """Output rows that can be judged, their input rows, the right results, and how far off each
    is: stream after stream, each in the order in which it was written."""
    assert joined.input is not None
    outputs = joined.output.records
    assert outputs.number is not None
    assert outputs.number_known is not None
    copies = joined.input.copies(joined.identities)
    first_row = first_rows(joined.input.code, joined.identities)
    rows = np.flatnonzero(outputs.number_known & (copies[joined.output.code] > 0))
    input_row = first_row[joined.output.code[rows]]
    expected = sums.running[input_row]
    result = outputs.number[rows]
    several = np.flatnonzero(copies[joined.output.code[rows]] > 1)
    for index in several:
        places = joined.input.rows_of(int(joined.output.code[rows[index]]))
        if result[index] in sums.running[places]:
            expected[index] = result[index]
    order = np.lexsort((rows, sums.stream[input_row]))
    return rows[order], input_row[order], expected[order], (result - expected)[order]


def _judged_steps(
    joined: Joined, sums: Fold, input_row: Integers, error: Integers
) -> tuple[Integers, Integers, list[frozenset[Cause]]]:
    """Where a new error begins, for how many outputs it stays, and what may be its cause."""
    stream = sums.stream[input_row]
    starts, lengths = _steps(stream, error)
    before = np.where(np.diff(stream, prepend=-1) == 0, np.append(0, error[:-1]), 0)
    causes = _causes(joined, sums, input_row[starts], (error - before)[starts])
    return starts, lengths, causes


def _excused(joined: Joined, sums: Fold, key: Integers, keys: int) -> Integers:
    """By key, how far its last outputs are off, where each step to there looks like inputs that
    were counted again. 0 where the outputs carry no results."""
    off = np.zeros(keys, dtype=np.int64)
    if joined.output.records.number is None:
        return off
    _rows, input_row, _expected, error = _compare(joined, sums)
    starts, _lengths, causes = _judged_steps(joined, sums, input_row, error)
    stream = sums.stream[input_row]
    excused = np.ones(sums.streams, dtype=np.bool_)
    excused[
        [
            int(stream[at])
            for at, cause in zip(starts, causes, strict=True)
            if Cause.REPROCESSED not in cause
        ]
    ] = False
    last = np.flatnonzero(np.diff(stream, append=-1))
    np.add.at(off, key[input_row[last]], np.where(excused[stream[last]], error[last], 0))
    return off


def _steps(stream: Integers, error: Integers) -> tuple[Integers, Integers]:
    """Where a new error begins, and for how many outputs it stays the same."""
    if len(error) == 0:
        return error, error
    changes: Flags = np.append(True, (np.diff(stream) != 0) | (np.diff(error) != 0))
    starts = np.flatnonzero(changes)
    lengths = np.diff(np.append(starts, len(error)))
    wrong = error[starts] != 0
    return starts[wrong], lengths[wrong]


def _causes(
    joined: Joined, sums: Fold, input_rows: Integers, jumps: Integers
) -> list[frozenset[Cause]]:
    causes_of_stream = causes_by(sums.stream, sums.streams, joined)
    repeats = Repeats(sums.stream, sums.amount)
    causes = []
    for row, jump in zip(input_rows.tolist(), jumps.tolist(), strict=True):
        stream = int(sums.stream[row])
        causes.append(
            causes_of_stream.of(
                np.array([stream]), repeats=repeats.from_row(stream, int(row), int(jump))
            )
        )
    return causes


def _wrong_output(
    joined: Joined,
    *,
    row: int,
    input_row: int,
    expected: int,
    outputs: int,
    causes: frozenset[Cause],
) -> Anomaly:
    assert joined.input is not None
    records = joined.output.records
    assert records.number is not None
    place, source = records.place(row), joined.input.records.place(input_row)
    result = int(records.number[row])
    onwards = f", and the next {outputs - 1} of its key by as much" if outputs > 1 else ""
    return Anomaly(
        place=place,
        offsets=[place.offset],
        detail=f"result {result}, expected {expected} as of {source}{onwards}",
        related={"copies": [place], "inputs": [source]},
        facts={
            "result": result,
            "expected": expected,
            "outputs": outputs,
            "causes": sorted(causes),
        },
    )


def _wrong_entry(
    joined: Joined,
    *,
    table: Records,
    row: int,
    rows: Integers,
    expected: int,
    causes: frozenset[Cause],
) -> Anomaly:
    assert joined.input is not None
    inputs = [joined.input.records.place(int(row)) for row in rows[-1:]]
    facts = {"expected": expected, "inputs": len(rows), "causes": sorted(causes)}
    if row < 0:
        return Anomaly(
            place=Place(table.topic, inputs[0].partition, -1),
            offsets=[],
            detail=f"no value, expected {expected}, the sum of {len(rows)} inputs",
            key_of=inputs[0],
            related={"inputs": inputs},
            facts={"result": None, **facts},
        )
    place, content = table.place(row), table.digests("value")
    assert content is not None
    assert table.number is not None
    result = int(table.number[row]) if content.known()[row] else None
    found = "deleted" if result is None else f"last value {result}"
    return Anomaly(
        place=place,
        offsets=[place.offset],
        detail=f"{found}, expected {expected}, the sum of {len(rows)} inputs",
        related={"copies": [place], "inputs": inputs},
        facts={"result": result, **facts},
    )
