"""What a group's commits tell by themselves (docs/offsets.md): OFFSET_REGRESSION, offsets committed
outside the transactions of their outputs, and outputs of a producer that did not commit them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from eoscheck.audit.batches.authors import Authors
from eoscheck.audit.checks.joined import Joined
from eoscheck.audit.checks.outcome import Anomaly, Checked, Found
from eoscheck.audit.findings import Code, Hazard, HazardCode, Unknown
from eoscheck.audit.group.topic import TOPIC, Commit, GroupCommits, Step, Track
from eoscheck.audit.rows.columns import Integers
from eoscheck.audit.rows.records import Place


def check_commits(
    commits: GroupCommits, *, number: int, outputs_transactional: bool | None
) -> Checked:
    """`number` is the group's partition of `__consumer_offsets`. `outputs_transactional`: whether
    the committed outputs were written in transactions, None where that is not known."""
    anomalies = [_regression(step, commits.group, number) for step in commits.steps_back]
    unknowns = []
    if commits.undecoded:
        reason = (
            f"{commits.undecoded} records of {commits.group!r} in {TOPIC}-{number} are of a version"
            " that is not known here"
        )
        unknowns.append(Unknown(subject=Code.OFFSET_REGRESSION, reason=reason))
    hazard = _outside(commits, number) if outputs_transactional else None
    return Checked(
        found=[Found(code=Code.OFFSET_REGRESSION, total=commits.back, anomalies=anomalies)],
        unknowns=unknowns,
        counts={"offset_commits": commits.plain + commits.transactional},
        hazards=[hazard] if hazard is not None else [],
    )


@dataclass(frozen=True, kw_only=True)
class Outputs:
    """Committed outputs of a transactional producer beside the one input each comes from: columns
    of equal length. Only of identities with a single input, or it is not sure which one it was."""

    source_partition: Integers
    source_offset: Integers
    partition: Integers
    offset: Integers
    producer_id: Integers


def outputs_of(joined: Joined, authors: Authors) -> Outputs | None:
    """The outputs of one shard whose input is known. None without an input."""
    if joined.input is None:
        return None
    rows = joined.output.records
    single = joined.input.copies(joined.identities) == 1
    input_row = np.full(joined.identities, -1, dtype=np.int64)
    input_row[joined.input.code] = np.arange(len(joined.input.code))
    chosen = np.flatnonzero(single[joined.output.code])
    origin = input_row[joined.output.code[chosen]]
    partition, offset = rows.partition[chosen].astype(np.int64), rows.offset[chosen]
    return Outputs(
        source_partition=joined.input.records.partition[origin].astype(np.int64),
        source_offset=joined.input.records.offset[origin],
        partition=partition,
        offset=offset,
        producer_id=authors.of(partition, offset),
    )


def check_writers(
    commits: GroupCommits, outputs: Outputs, *, source: str, output: str, limit: int
) -> Checked:
    """ZOMBIE_WRITE: an output whose input another producer's transaction committed.

    A transaction commits its outputs and the offsets of their inputs together, and belongs to one
    producer id. Judged only where the log holds every commit that there ever was: compaction leaves
    the last one, and by that alone another producer may seem to have committed an input.
    """
    owner = np.full(len(outputs.offset), -1, dtype=np.int64)
    for (topic, number), track in commits.tracks.items() if commits.complete_from == 0 else ():
        if topic == source:
            rows = np.flatnonzero(outputs.source_partition == number)
            owner[rows] = _committing(outputs.source_offset[rows], track)
    wrong = (owner >= 0) & (outputs.producer_id >= 0) & (owner != outputs.producer_id)
    chosen = np.flatnonzero(wrong)
    chosen = chosen[np.lexsort((outputs.offset[chosen], outputs.partition[chosen]))]
    anomalies = []
    for row in chosen[:limit].tolist():
        place = Place(output, int(outputs.partition[row]), int(outputs.offset[row]))
        origin = Place(source, int(outputs.source_partition[row]), int(outputs.source_offset[row]))
        writer, committer = int(outputs.producer_id[row]), int(owner[row])
        anomalies.append(
            Anomaly(
                place=place,
                offsets=[place.offset],
                detail=f"written by producer {writer}, and its input was committed by {committer}",
                related={"copies": [place], "inputs": [origin]},
                facts={"writer": writer, "committer": committer},
            )
        )
    return Checked(found=[Found(code=Code.ZOMBIE_WRITE, total=len(chosen), anomalies=anomalies)])


def _committing(source: Integers, track: Track) -> Integers:
    """The producer whose commit went beyond each source offset, -1 where none did in a transaction,
    or where it is not sure: an offset that went back was committed more than once."""
    committed = np.array(track.committed, dtype=np.int64)
    low = np.maximum(np.concatenate([[0], committed[:-1]]), 0)  # a first commit begins at the start
    steps = np.flatnonzero(committed > low)
    order = np.argsort(source, kind="stable")
    begin, end = np.searchsorted(source[order], [low[steps], committed[steps]])
    times = _stacked(begin, end, np.ones(len(steps), dtype=np.int64), len(source))
    which = _stacked(begin, end, steps, len(source))  # a sum: where there is one, that one
    found = np.full(len(source), -1, dtype=np.int64)
    once = times == 1
    found[order[once]] = np.array(track.producer_id, dtype=np.int64)[which[once]]
    return found


def _stacked(begin: Integers, end: Integers, weight: Integers, length: int) -> Integers:
    """For each position, the sum of the weights of the ranges that it lies in."""
    change = np.zeros(length + 1, dtype=np.int64)
    np.add.at(change, begin, weight)
    np.subtract.at(change, end, weight)
    return np.cumsum(change)[:-1]


def _regression(step: Step, group: str, number: int) -> Anomaly:
    before, after = step.before, step.after
    facts: dict[str, Any] = {
        "from": before.committed,
        "to": after.committed,
        "time": _readable(after.timestamp_ms),
        "before": _writer(before),
        "after": _writer(after),
    }
    how = ""
    if step.members == 0 and not after.transactional:
        how = ", while the group had no members: a reset by hand or by a tool?"
    elif before.transactional and after.transactional and before.producer_id != after.producer_id:
        how = ", in a transaction of another producer"
    elif before.transactional and not after.transactional:
        how = ", outside any transaction"
    if step.members is not None:
        facts["members"] = step.members
    if step.generation is not None:
        facts["generation"] = step.generation
    assert before.committed is not None
    assert after.committed is not None
    return Anomaly(
        place=Place(after.topic, after.partition, after.committed),
        offsets=[after.committed, before.committed],
        detail=f"{group!r} had committed {before.committed}, then {after.committed}{how}",
        related={"commits": [Place(TOPIC, number, before.at), Place(TOPIC, number, after.at)]},
        facts=facts,
    )


def _outside(commits: GroupCommits, number: int) -> Hazard | None:
    first = commits.first_plain_by_members
    if first is None:
        return None
    every = commits.plain_by_members + commits.transactional
    return Hazard(
        code=HazardCode.OFFSETS_OUTSIDE_TRANSACTION,
        detail=f"{commits.plain_by_members} of {every} offset commits of {commits.group!r} are "
        "outside any transaction, and its outputs are inside: a crash between them loses or "
        "repeats outputs",
        topic=first.topic,
        partition=first.partition,
        offset=first.committed,
        facts={
            "outside": commits.plain_by_members,
            "inside": commits.transactional,
            "first": str(Place(TOPIC, number, first.at)),
        },
    )


def _writer(commit: Commit) -> dict[str, Any]:
    if not commit.transactional:
        return {"transactional": False}
    return {"transactional": True, "producer_id": commit.producer_id, "epoch": commit.epoch}


def _readable(timestamp_ms: int) -> str | None:
    if timestamp_ms < 0:
        return None
    return datetime.fromtimestamp(timestamp_ms / 1000, UTC).isoformat(timespec="milliseconds")
