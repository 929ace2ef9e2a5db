"""One offset, two records at two times, or a committed record that is gone (LOG_REWRITTEN).

A committed record stays what it is and where it is. A log that loses its end when its leader moves,
and is written on, breaks that without any gap to see: it takes two looks. In a run the first one is
what the live reader of the outputs was given, and what the load was told of the inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import numpy as np

from eoscheck.audit.checks.joined import Joined
from eoscheck.audit.checks.outcome import Anomaly, Checked, Doubt, Found
from eoscheck.audit.findings import Code, Unknown
from eoscheck.audit.rows.columns import Digests, Flags, Integers, encode
from eoscheck.audit.rows.records import Place
from eoscheck.history.events import Event, Identity, OutputsObserved

_NAMED = 20
Choose: TypeAlias = Callable[[Digests], Flags]
"""Which identities belong to a shard, or a sample."""


@dataclass(frozen=True, kw_only=True)
class Removable:
    """What may rightly be gone of a partition at the second look: everything below `below` (its
    log's start then), and, where it is `compacted`, any record that has a later one of its key."""

    below: int = 0
    compacted: bool = False


@dataclass(frozen=True, kw_only=True)
class Extent:
    """How much of a topic the second look covers, by partition: the offsets from `begin` up to
    `end`. `log_end`: where the log itself ends, so that there is nothing from there on; a partition
    that is not named may be longer."""

    begin: Mapping[int, int] = field(default_factory=dict)
    end: Mapping[int, int]
    log_end: Mapping[int, int] = field(default_factory=dict)
    removable: Mapping[int, Removable] = field(default_factory=dict)

    def low(self, partition: int) -> int:
        return max(self.begin.get(partition, 0), self._removable(partition).below)

    def compacted(self, partition: int) -> bool:
        return self._removable(partition).compacted

    def covers(self, partition: int, offset: Integers) -> Flags:
        """Of which offsets it is known what is there now."""
        flags = (offset >= self.low(partition)) & (offset < self.end.get(partition, 0))
        if partition in self.log_end:
            flags |= offset >= self.log_end[partition]
        return np.asarray(flags)

    def _removable(self, partition: int) -> Removable:
        return self.removable.get(partition, Removable())


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What the live reader was given in one go, `seconds` into the run: the committed records of a
    partition that have an identity, at these ascending offsets.

    What it was given last before them ends below `after`: no other committed record was in between.
    """

    partition: int
    after: int
    offset: Integers
    identities: Sequence[Identity]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Observed:
    """Everything that it was given of one topic, and the digests of all identities in order."""

    topic: str
    observations: Sequence[Observation]
    digests: Digests


def observed_outputs(history: Iterable[Event], topic: str) -> Observed:
    """Observations without offsets (of a history before they were written down) show nothing."""
    observations = []
    ends: dict[int, int] = {}
    for event in history:
        if isinstance(event, OutputsObserved) and event.topic == topic and event.offsets:
            after = ends.get(event.partition, 0)
            ends[event.partition] = event.last_offset + 1
            observations.append(
                Observation(
                    partition=event.partition,
                    # A reader whose position was set back begins again, and says no more of before.
                    after=min(after, event.first_offset),
                    offset=np.array(event.offsets, dtype=np.int64),
                    identities=event.identities,
                    seconds=event.t,
                )
            )
    digests, _known = encode([each for part in observations for each in part.identities])
    return Observed(topic=topic, observations=observations, digests=digests)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What one shard holds of the topic now, in the order of (partition, offset)."""

    partition: Integers
    offset: Integers
    identity: Digests
    extent: Extent


class _Compared(NamedTuple):
    """Positions in an observation of what is gone, and rows of what it did not have."""

    seen: Observation
    gone: Integers
    came: Integers
    compared: int


def check_observed(
    observed: Observed, rows: Rows, *, chosen: Choose | None = None, limit: int
) -> Checked:
    """What was observed against one shard; `chosen` tells which identities belong to it.

    Only what has been read again, and what nothing has rightly removed, is judged.
    """
    total = compared = compacted = 0
    anomalies: list[Anomaly] = []
    for each in _compare(observed, rows, chosen):
        compared += each.compared
        gone = each.gone
        if rows.extent.compacted(each.seen.partition):
            compacted += len(gone)
            gone = gone[:0]
        total += max(len(gone), len(each.came))
        if (len(gone) or len(each.came)) and len(anomalies) < limit:
            came = rows.offset[each.came].tolist()
            anomalies.append(_changed(observed.topic, each.seen, gone.tolist(), came))
    unknowns = [_compacted(observed.topic, compacted)] if compacted else []
    return Checked(
        found=[Found(code=Code.LOG_REWRITTEN, total=total, anomalies=anomalies)],
        unknowns=unknowns,
        counts={"observed_outputs_compared": compared},
    )


def _compare(observed: Observed, rows: Rows, chosen: Choose | None) -> Iterator[_Compared]:
    row_of = _first_rows(rows.partition)
    extent = rows.extent
    position = 0
    for seen in observed.observations:
        number, given = seen.partition, slice(position, position + len(seen.identities))
        position = given.stop
        was = Digests(observed.digests.low[given], observed.digests.high[given])
        mine = extent.covers(number, seen.offset)
        if chosen is not None:
            mine &= chosen(was)
        begin, end = row_of.get(number, (0, 0))
        limits = [max(extent.low(number), seen.after), int(seen.offset[-1]) + 1]
        start, stop = begin + np.searchsorted(rows.offset[begin:end], limits)
        now = Digests(rows.identity.low[start:stop], rows.identity.high[start:stop])
        there = rows.offset[start:stop]
        gone = np.flatnonzero(mine & ~_matched(seen.offset, was, there, now))
        came = np.flatnonzero(
            extent.covers(number, there) & ~_matched(there, now, seen.offset, was)
        )
        yield _Compared(seen, gone, start + came, int(mine.sum()))


def _matched(offset: Integers, identity: Digests, others: Integers, other: Digests) -> Flags:
    """Which of the records stand at the same offset among the `others`, which ascend."""
    if not len(others):
        return np.zeros(len(offset), dtype=np.bool_)
    at = np.minimum(np.searchsorted(others, offset), len(others) - 1)
    same = (identity.low == other.low[at]) & (identity.high == other.high[at])
    return np.asarray(same & (others[at] == offset))


def _changed(topic: str, seen: Observation, gone: Sequence[int], came: Sequence[int]) -> Anomaly:
    names = [seen.identities[position] for position in gone[:_NAMED]]
    where = f"from offsets {seen.offset[0]} to {seen.offset[-1]}"
    detail = f"of the committed records that a reader was given {where}, {len(gone)} are gone"
    if gone and came:
        detail += f", and {len(came)} others are there"
    elif came:
        detail = f"a reader that was given the committed records {where} was not given "
        detail += f"{len(came)} that are there now"
    offsets = seen.offset[list(gone[:_NAMED])].tolist() if gone else list(came[:_NAMED])
    return Anomaly(
        place=Place(topic, seen.partition, offsets[0]),
        offsets=offsets,
        detail=detail,
        identity=names[0] if names else None,
        related={"now": [Place(topic, seen.partition, each) for each in came[:_NAMED]]},
        facts={
            "observed_at_s": round(seen.seconds, 3),
            "gone": names,
            "records_gone": len(gone),
            "records_new": len(came),
        },
    )


def check_acknowledged_places(joined: Joined, extent: Extent, *, limit: int) -> Checked:
    """Inputs that are not where their acknowledgement said they are. Those that are nowhere else
    either are LOST besides (`check_acknowledged`)."""
    if joined.input is None or joined.acknowledged is None:
        return Checked()
    sent, records = joined.acknowledged, joined.input.records
    partition = np.array(sent.partitions, dtype=np.int64)
    offset = np.array(sent.offsets, dtype=np.int64)
    # Below zero: the broker knew the record as written, and not where any more.
    astray = (offset >= 0) & ~_stands(joined, partition, offset)
    compacted = 0
    for number in np.unique(partition).tolist():
        here = partition == number
        astray[here] &= extent.covers(number, offset[here])
        if extent.compacted(number):
            compacted += int(astray[here].sum())
            astray[here] = False
    rows = np.flatnonzero(astray)
    topic = records.topic
    if len(rows) and joined.input.gaps:
        reason = (
            f"{{count}} acknowledged records are not in their places in {topic}, but may have "
            f"been: {'; '.join(joined.input.gaps)}"
        )
        return Checked(unknowns=[Doubt(subject=Code.LOG_REWRITTEN, reason=reason, count=len(rows))])
    anomalies = [
        Anomaly(
            place=Place(topic, sent.partitions[row], sent.offsets[row]),
            offsets=[sent.offsets[row]],
            detail="acknowledged to the load at this offset, and not there any more",
            identity=sent.identities[row],
        )
        for row in rows[:limit].tolist()
    ]
    return Checked(
        found=[Found(code=Code.LOG_REWRITTEN, total=len(rows), anomalies=anomalies)],
        unknowns=[_compacted(topic, compacted)] if compacted else [],
    )


def _stands(joined: Joined, partition: Integers, offset: Integers) -> Flags:
    """Which of the acknowledged records the input has at their places."""
    assert joined.input is not None
    records, code = joined.input.records, joined.input.code
    there = np.zeros(len(offset), dtype=np.bool_)
    for number, (begin, end) in _first_rows(records.partition).items():
        here = np.flatnonzero(partition == number)
        at = begin + np.searchsorted(records.offset[begin:end], offset[here])
        at = np.minimum(at, end - 1)
        there[here] = (records.offset[at] == offset[here]) & (
            code[at] == joined.acknowledged_code[here]
        )
    return there


def _first_rows(partition: Integers) -> dict[int, tuple[int, int]]:
    """By partition its rows: from the first up to the one after the last."""
    numbers, start = np.unique(partition, return_index=True)
    ends = np.append(start[1:], len(partition))[: len(start)].tolist()
    return dict(zip(numbers.tolist(), zip(start.tolist(), ends, strict=True), strict=True))


def _compacted(topic: str, records: int) -> Unknown:
    reason = f"{records} records that {topic} held are gone, and it is compacted"
    return Unknown(subject=Code.LOG_REWRITTEN, reason=reason)
