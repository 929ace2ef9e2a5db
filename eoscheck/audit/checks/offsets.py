"""The group's committed offsets against the outputs (docs/offsets.md).

OFFSET_AHEAD: an offset claims inputs whose outputs are not there. OFFSET_BEHIND: outputs are there
for inputs that the group will read again. Each shard of identities is summed up by itself; the
summaries of all of them together are judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from eoscheck.audit.checks.joined import Joined
from eoscheck.audit.checks.outcome import Anomaly, Checked, Found
from eoscheck.audit.findings import Code, Unknown
from eoscheck.audit.multiplicity import Bounds
from eoscheck.audit.rows.columns import Flags, Integers
from eoscheck.audit.rows.records import Place

KEPT = 20_000
"""Missing offsets that are kept of each partition, the lowest: more are only counted."""


def _none() -> Integers:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One input partition, as one shard of identities or several show it.

    `done`: the highest due input that has all its outputs (-1: none has). `missing`: due inputs
    above it that have not, in order; beyond the first `KEPT` of them, `uncounted` are only a number
    and `last_missing` is the last. `reread`: inputs at or above the group's later offset that have
    outputs, with the first and the last of them.
    """

    done: int = -1
    missing: Integers = field(default_factory=_none)
    uncounted: int = 0
    last_missing: int = -1
    reread: int = 0
    first_reread: int = -1
    last_reread: int = -1


Standings: TypeAlias = Mapping[int, Standing]
"""By partition of the input."""


def stand(joined: Joined, *, after: Mapping[int, int] | None) -> Standings:
    """What one shard tells. `after` are the group's offsets as they were once everything had been
    read (B; `joined.due` is by those from before, A), None where they cannot be told."""
    side = joined.input
    if side is None or not len(side.records):
        return {}
    rows, bounds = side.records, joined.bounds or _one_each(len(side.records))
    outputs = joined.output.copies(joined.identities)
    # Of the due copies only: the second copy of an identity may still wait for its turn.
    complete = (outputs >= joined.expected(joined.due).least)[side.code]
    wanted = bounds.least > 0  # an input without outputs says nothing, in either direction
    again = np.zeros(len(rows), dtype=np.bool_)
    if after is not None:
        below = rows.offset < _limits(rows.partition, after, otherwise=2**63 - 1)
        surplus = outputs > joined.expected(below).most
        again = ~below & surplus[side.code] & (bounds.most > 0)
    numbers, start = np.unique(rows.partition, return_index=True)
    ends = [*start[1:].tolist(), len(rows)]
    return {
        number: _standing(
            rows.offset[begin:end],
            done=(joined.due & wanted & complete)[begin:end],
            missing=(joined.due & wanted & ~complete)[begin:end],
            again=again[begin:end],
        )
        for number, begin, end in zip(numbers.tolist(), start.tolist(), ends, strict=True)
    }


def merge(standings: Iterable[Standings]) -> Standings:
    """Of all shards together; their order does not matter."""
    merged: dict[int, Standing] = {}
    for each in standings:
        for number, standing in each.items():
            merged[number] = _both(merged[number], standing) if number in merged else standing
    return merged


def check_offsets(
    standings: Standings,
    *,
    topic: str,
    group: str,
    before: Mapping[int, int],
    after: Mapping[int, int] | None,
    ends: Mapping[int, int] | None = None,
    output_gaps: Iterable[str] = (),
    informational: bool = False,
    limit: int,
) -> Checked:
    """One finding for each partition of the input `topic`. `before` and `after` are the group's
    offsets A and B. Nothing is judged where the offsets are `informational`.

    `ends` are the offsets up to which the input was read, by default beyond `before`. A partition
    that was not read up to there has no tail that could be seen; so has a sample (no `ends`, {}).
    """
    if informational:
        return Checked()
    seen = {
        number: each
        for number, each in standings.items()
        if ends is None or ends.get(number, -1) >= before.get(number, 0)
    }
    ahead = _check_ahead(seen, topic, group, before, list(output_gaps), limit)
    behind = _check_behind(standings, topic, group, after, limit)
    return Checked(
        found=[*ahead.found, *behind.found],
        unknowns=[*ahead.unknowns, *behind.unknowns],
        counts={**ahead.counts, **behind.counts},
    )


def _check_ahead(
    standings: Standings,
    topic: str,
    group: str,
    before: Mapping[int, int],
    gaps: list[str],
    limit: int,
) -> Checked:
    anomalies = []
    claimed = 0
    for number, standing in sorted(standings.items()):
        missing = len(standing.missing) + standing.uncounted
        if not missing:
            continue
        claimed += missing
        first = int(standing.missing[0]) if len(standing.missing) else standing.done + 1
        done = standing.done if standing.done >= 0 else None
        there = "no output is there" if done is None else f"outputs end with offset {done}"
        anomalies.append(
            Anomaly(
                place=Place(topic, number, first),
                offsets=[first] if missing == 1 else [first, standing.last_missing],
                detail=f"{group!r} has committed offset {before.get(number)}, but {there}: "
                f"{_without_outputs(missing)}",
                facts={
                    "committed": before.get(number),
                    "outputs_up_to": done,
                    "missing": missing,
                },
            )
        )
    counts = {"claimed_without_output": claimed}
    if anomalies and gaps:
        reason = (
            f"the offsets of {group!r} are above the last outputs in {len(anomalies)} partitions "
            f"of {topic}, but there may have been later ones: "
        )
        unknown = Unknown(subject=Code.OFFSET_AHEAD, reason=reason + "; ".join(gaps))
        return Checked(unknowns=[unknown])
    found = Found(code=Code.OFFSET_AHEAD, total=len(anomalies), anomalies=anomalies[:limit])
    return Checked(found=[found], counts=counts)


def _check_behind(
    standings: Standings,
    topic: str,
    group: str,
    after: Mapping[int, int] | None,
    limit: int,
) -> Checked:
    if after is None:
        reason = f"the offsets of {group!r} could not be told once the outputs had been read"
        return Checked(unknowns=[Unknown(subject=Code.OFFSET_BEHIND, reason=reason)])
    behind = {number: each for number, each in sorted(standings.items()) if each.reread}
    anomalies = [
        Anomaly(
            place=Place(topic, number, each.first_reread),
            offsets=[each.first_reread]
            if each.reread == 1
            else [each.first_reread, each.last_reread],
            detail=f"{group!r} has committed offset {after[number]}, but "
            f"{_read_again(each.reread)}",
            facts={
                "committed": after[number],
                "outputs_up_to": each.last_reread,
                "reread": each.reread,
            },
        )
        for number, each in behind.items()
    ]
    return Checked(
        found=[Found(code=Code.OFFSET_BEHIND, total=len(anomalies), anomalies=anomalies[:limit])],
        counts={"to_be_reread": sum(each.reread for each in behind.values())},
    )


def _standing(offset: Integers, *, done: Flags, missing: Flags, again: Flags) -> Standing:
    """Of one partition's rows, in the order of their offsets."""
    completed, reread = offset[done], offset[again]
    highest = int(completed[-1]) if len(completed) else -1
    above = offset[missing & (offset > highest)]
    return Standing(
        done=highest,
        missing=above[:KEPT],
        uncounted=max(0, len(above) - KEPT),
        last_missing=int(above[-1]) if len(above) else -1,
        reread=len(reread),
        first_reread=int(reread[0]) if len(reread) else -1,
        last_reread=int(reread[-1]) if len(reread) else -1,
    )


def _both(one: Standing, other: Standing) -> Standing:
    """What is missing below the highest done one is LOST, but no tail: it is dropped.

    Exact, unless more than `KEPT` are missing of one shard and another one's `done` lies above all
    that were kept. Identities are spread over shards by a hash: that would need a shard which holds
    none of so many inputs in a row.
    """
    done = max(one.done, other.done)
    missing = np.sort(np.concatenate([one.missing, other.missing]))
    missing = missing[np.searchsorted(missing, done, side="right") :]
    last = max(one.last_missing, other.last_missing)
    uncounted = sum(each.uncounted for each in (one, other) if each.last_missing > done)
    reread = [each for each in (one, other) if each.reread]
    return Standing(
        done=done,
        missing=missing[:KEPT],
        uncounted=uncounted + max(0, len(missing) - KEPT),
        last_missing=last if last > done else -1,
        reread=one.reread + other.reread,
        first_reread=min((each.first_reread for each in reread), default=-1),
        last_reread=max(one.last_reread, other.last_reread),
    )


def _one_each(inputs: int) -> Bounds:
    one = np.ones(inputs, dtype=np.int32)
    return Bounds(one, one)


def _limits(partition: Integers, offsets: Mapping[int, int], *, otherwise: int) -> Integers:
    """The offset that holds for each row's partition."""
    by_number = np.full(1 + int(partition.max()), otherwise, dtype=np.int64)
    for number, offset in offsets.items():
        if number < len(by_number):
            by_number[number] = offset
    return np.asarray(by_number[partition])


def _without_outputs(inputs: int) -> str:
    return "1 input has none" if inputs == 1 else f"{inputs} inputs have none"


def _read_again(inputs: int) -> str:
    if inputs == 1:
        return "1 input at or above it has outputs: it will be read again"
    return f"{inputs} inputs at or above it have outputs: they will be read again"
