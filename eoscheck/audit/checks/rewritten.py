"""One offset, two records at two times, or a committed record that is gone (LOG_REWRITTEN).

A committed record stays what it is and where it is. A log that loses its end when its leader moves,
and is written on, breaks that without any gap to see: it takes two reads. In a run the first one is
what the live reader of the outputs was given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import NamedTuple, TypeAlias

import numpy as np

from eoscheck.audit.checks.outcome import Anomaly, Checked, Found
from eoscheck.audit.findings import Code, Unknown
from eoscheck.audit.rows.columns import Digests, Flags, Integers, encode
from eoscheck.audit.rows.records import Place
from eoscheck.history.events import Event, Identity, OutputsObserved

_WHAT = {
    "gone": "held a committed record at the first read, and holds none at the second",
    "new": "held no committed record at the first read, and holds one at the second",
    "other": "held another record at the first read than at the second",
}
_NAMED = 20
Choose: TypeAlias = Callable[[Digests], Flags]
"""Which identities belong to a shard, or a sample."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Committed records of one partition in the order of their offsets: a digest of each."""

    offset: Integers
    content: Digests


@dataclass(frozen=True, kw_only=True)
class Removable:
    """What may rightly be gone of a partition at the second read: everything below `below` (its
    log's start then), and, where it is `compacted`, any record that has a later one of its key."""

    below: int = 0
    compacted: bool = False


def check_two_reads(
    first: Reading,
    second: Reading,
    *,
    topic: str,
    partition: int,
    begin: int,
    end: int,
    removable: Removable | None = None,
    limit: int,
) -> Checked:
    """Two reads of the offsets `begin` up to `end`, which both had read to its end."""
    removable = removable or Removable()
    begin = max(begin, removable.below)
    one, other = _between(first, begin, end), _between(second, begin, end)
    offsets = np.union1d(one.offset, other.offset)
    was, is_now = np.isin(offsets, one.offset), np.isin(offsets, other.offset)
    changed = np.zeros(len(offsets), dtype=np.bool_)
    changed[was & is_now] = _differ(one, other)
    gone, came = was & ~is_now, is_now & ~was
    unknowns = []
    if removable.compacted and gone.any():
        unknowns.append(_compacted(topic, int(gone.sum())))
        gone[:] = False
    chosen = np.flatnonzero(changed | gone | came)
    anomalies = []
    for row in chosen[:limit].tolist():
        place = Place(topic, partition, int(offsets[row]))
        what = "gone" if gone[row] else "new" if came[row] else "other"
        anomalies.append(
            Anomaly(
                place=place,
                offsets=[place.offset],
                detail=_WHAT[what],
                related={} if gone[row] else {"now": [place]},
                facts={"change": what},
            )
        )
    found = Found(code=Code.LOG_REWRITTEN, total=len(chosen), anomalies=anomalies)
    return Checked(found=[found], unknowns=unknowns, counts={"read_twice": int(was.sum())})


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What the live reader was given in one go, `seconds` into the run: the committed records of a
    partition up to offset `last` that have an identity, in this order.

    From `first` on; what it was given last before them ends below `after`, so that no other
    committed record stood in between.
    """

    partition: int
    after: int
    first: int
    last: int
    identities: Sequence[Identity]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Observed:
    """Everything that it was given of one topic, and the digests of all identities in order."""

    topic: str
    observations: Sequence[Observation]
    digests: Digests


def observed_outputs(history: Iterable[Event], topic: str) -> Observed:
    observations = []
    ends: dict[int, int] = {}
    for event in history:
        if isinstance(event, OutputsObserved) and event.topic == topic and event.identities:
            after = ends.get(event.partition, 0)
            ends[event.partition] = event.last_offset + 1
            observations.append(
                Observation(
                    partition=event.partition,
                    # A reader whose position was set back begins again, and says no more of before.
                    after=min(after, event.first_offset),
                    first=event.first_offset,
                    last=event.last_offset,
                    identities=event.identities,
                    seconds=event.t,
                )
            )
    digests, _known = encode([each for part in observations for each in part.identities])
    return Observed(topic=topic, observations=observations, digests=digests)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """What one shard holds of the topic now, in the order of (partition, offset). Only offsets from
    `begin` up to `end`, by partition, have been read."""

    partition: Integers
    offset: Integers
    identity: Digests
    begin: Mapping[int, int]
    end: Mapping[int, int]
    removable: Mapping[int, Removable] = field(default_factory=dict)


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

    The offsets of single records were not written down; but they came in the order of the log, so
    that the same identities must stand, in the same order, between the same two offsets. Only what
    has been read again, and what nothing has rightly removed, is judged.
    """
    total = compared = compacted = 0
    anomalies: list[Anomaly] = []
    for each in _compare(observed, rows, chosen):
        compared += each.compared
        number, gone = each.seen.partition, each.gone
        if rows.removable.get(number, Removable()).compacted:
            compacted += len(gone)
            gone = gone[:0]
        total += max(len(gone), len(each.came))
        if (len(gone) or len(each.came)) and len(anomalies) < limit:
            names = [each.seen.identities[position] for position in gone.tolist()]
            came = [Place(observed.topic, number, o) for o in rows.offset[each.came].tolist()]
            anomalies.append(_changed(observed.topic, each.seen, names, came))
    unknowns = [_compacted(observed.topic, compacted)] if compacted else []
    return Checked(
        found=[Found(code=Code.LOG_REWRITTEN, total=total, anomalies=anomalies)],
        unknowns=unknowns,
        counts={"observed_outputs_compared": compared},
    )


def _compare(observed: Observed, rows: Rows, chosen: Choose | None) -> Iterator[_Compared]:
    row_of = _first_rows(rows.partition)
    position = 0
    for seen in observed.observations:
        number, given = seen.partition, slice(position, position + len(seen.identities))
        position = given.stop
        low = max(rows.begin.get(number, 0), rows.removable.get(number, Removable()).below)
        if seen.first < low or seen.last >= rows.end.get(number, 0):
            continue
        was = Digests(observed.digests.low[given], observed.digests.high[given])
        mine = np.arange(len(was.low)) if chosen is None else np.flatnonzero(chosen(was))
        was = Digests(was.low[mine], was.high[mine])
        begin, end = row_of.get(number, (0, 0))
        limits = [max(low, seen.after), seen.last + 1]
        start, stop = begin + np.searchsorted(rows.offset[begin:end], limits)
        now = Digests(rows.identity.low[start:stop], rows.identity.high[start:stop])
        gone, came = (_NOTHING, _NOTHING) if _same(was, now) else _difference(was, now)
        yield _Compared(seen, mine[gone], start + came, len(mine))


_NOTHING = np.zeros(0, dtype=np.int64)


def _changed(
    topic: str, seen: Observation, gone: Sequence[Identity], came: Sequence[Place]
) -> Anomaly:
    where = f"offsets {seen.first} to {seen.last}"
    if gone and came:
        detail = f"of the committed records that a reader was given from {where}, {len(gone)} are "
        detail += f"gone, and {len(came)} others are there"
    elif gone:
        detail = f"of the committed records that a reader was given from {where}, {len(gone)} are "
        detail += "gone"
    else:
        detail = f"a reader that was given the committed records from {where} was not given "
        detail += f"{len(came)} that are there now"
    return Anomaly(
        place=came[0] if came else Place(topic, seen.partition, seen.first),
        offsets=[each.offset for each in came[:_NAMED]] or [seen.first, seen.last],
        detail=detail,
        identity=gone[0] if gone else None,
        related={"now": list(came[:_NAMED])},
        facts={
            "observed_at_s": round(seen.seconds, 3),
            "gone": list(gone[:_NAMED]),
            "records_gone": len(gone),
            "records_new": len(came),
        },
    )


def _between(reading: Reading, begin: int, end: int) -> Reading:
    low, high = np.searchsorted(reading.offset, [begin, end])
    content = Digests(reading.content.low[low:high], reading.content.high[low:high])
    return Reading(offset=reading.offset[low:high], content=content)


def _differ(one: Reading, other: Reading) -> Flags:
    """Of the offsets that both have, those with another content."""
    _shared, left, right = np.intersect1d(
        one.offset, other.offset, assume_unique=True, return_indices=True
    )
    return np.asarray(
        (one.content.low[left] != other.content.low[right])
        | (one.content.high[left] != other.content.high[right])
    )


def _first_rows(partition: Integers) -> dict[int, tuple[int, int]]:
    numbers, start = np.unique(partition, return_index=True)
    ends = np.append(start[1:], len(partition))[: len(start)].tolist()
    return dict(zip(numbers.tolist(), zip(start.tolist(), ends, strict=True), strict=True))


def _same(one: Digests, other: Digests) -> bool:
    return np.array_equal(one.low, other.low) and np.array_equal(one.high, other.high)


def _difference(was: Digests, now: Digests) -> tuple[Integers, Integers]:
    """The positions of what is only in the first, and of what is only in the second: all that does
    not belong to a longest common subsequence, so that another order is a difference too."""
    left = list(zip(was.low.tolist(), was.high.tolist(), strict=True))
    right = list(zip(now.low.tolist(), now.high.tolist(), strict=True))
    gone: list[int] = []
    came: list[int] = []
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    for tag, begin, end, start, stop in matcher.get_opcodes():
        if tag != "equal":
            gone += range(begin, end)
            came += range(start, stop)
    return np.array(gone, dtype=np.int64), np.array(came, dtype=np.int64)


def _compacted(topic: str, records: int) -> Unknown:
    reason = f"{records} records that {topic} held are gone, and it is compacted"
    return Unknown(subject=Code.LOG_REWRITTEN, reason=reason)
