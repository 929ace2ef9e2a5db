"""Which part of a topic is audited: `--from`, `--to`, `--partitions` and `--sample`.

Without an input, the range limits the audited topic. With one, it limits the inputs whose outputs
are due; outputs are then read from the same time, or in full where the range is in offsets, which
say nothing about another topic.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from eoscheck.audit.rows.columns import Digests, Flags
from eoscheck.audit.spec import AuditSpec
from eoscheck.cluster.view import ClusterView
from eoscheck.errors import UsageError

_COMMITTED = "committed:"
_LARGEST_OFFSET = 2**63 - 1
_MOST_PARTITIONS = 1_000_000
_NUMBERS = re.compile(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?")
_SAMPLE = re.compile(r"\s*1\s*/\s*(\d{1,9})\s*")


@dataclass(frozen=True)
class Offset:
    """The same offset in each partition."""

    value: int


@dataclass(frozen=True)
class Time:
    """The first record with this Unix time in milliseconds or a later one, as the broker's index
    says (ListOffsets): time-stamps need not rise with the offsets."""

    ms: int


@dataclass(frozen=True)
class Committed:
    """The offset that `group` has committed, by partition."""

    group: str


Position: TypeAlias = Literal["earliest", "latest"] | Offset | Time | Committed


@dataclass(frozen=True, kw_only=True)
class Ranges:
    """What was asked for. `partitions` None: all. `one_in` 1: each identity."""

    start: Position = "earliest"
    stop: Position = "latest"
    partitions: frozenset[int] | None = None
    one_in: int = 1

    @property
    def whole(self) -> bool:
        return self == Ranges()


@dataclass(frozen=True, kw_only=True)
class Range:
    """Offsets by partition: from `start` up to `stop`, exclusive; `start <= stop <= log end`.

    `removed` are the partitions of which something was asked for that the log does not hold any
    more: its first offset, by partition.
    """

    start: Mapping[int, int]
    stop: Mapping[int, int]
    removed: Mapping[int, int] = field(default_factory=dict)


def read_ranges(spec: AuditSpec) -> Ranges:
    """Raises UsageError, one line that names the right form."""
    start: Position = "earliest" if spec.start is None else parse_position(spec.start)
    stop: Position = "latest" if spec.stop is None else parse_position(spec.stop)
    if start == "latest":
        raise UsageError("--from latest leaves nothing to audit: give an offset or a time")
    if stop == "earliest":
        raise UsageError("--to earliest leaves nothing to audit: give an offset or a time")
    if _surely_empty(start, stop):
        raise UsageError(f"--to {spec.stop} is not after --from {spec.start}: nothing is left")
    return Ranges(
        start=start,
        stop=stop,
        partitions=None if spec.partitions is None else parse_partitions(spec.partitions),
        one_in=1 if spec.sample is None else parse_sample(spec.sample),
    )


def parse_partitions(text: str) -> frozenset[int]:
    """`0,3-5`: the partitions 0, 3, 4 and 5."""
    chosen: set[int] = set()
    for part in text.split(","):
        match = _NUMBERS.fullmatch(part)
        if match is None:
            raise UsageError(f"--partitions {text!r} is not of the form 0,3-5")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise UsageError(f"--partitions {text!r}: {first}-{last} counts down: {last}-{first}?")
        if last - first > _MOST_PARTITIONS:
            raise UsageError(f"--partitions {text!r}: no topic has so many")
        chosen.update(range(first, last + 1))
    return frozenset(chosen)


def parse_sample(text: str) -> int:
    """`1/64`: one in 64 identities. Any number from 1."""
    match = _SAMPLE.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise UsageError(f"--sample {text!r} is not of the form 1/64")
    return int(match[1])


def parse_position(text: str) -> Position:
    """`earliest`, `latest`, an offset, an ISO 8601 time with a zone, or `committed:GROUP`."""
    word = text.strip()
    if word in ("earliest", "latest"):
        return "earliest" if word == "earliest" else "latest"
    if word.startswith(_COMMITTED) and len(word) > len(_COMMITTED):
        return Committed(word.removeprefix(_COMMITTED))
    if word.isdecimal() and int(word) <= _LARGEST_OFFSET:
        return Offset(int(word))
    return Time(_milliseconds(word))


def resolve(ranges: Ranges, topic: str, view: ClusterView) -> Range:
    """The offsets of `ranges` in `topic`, as it is now.

    A time beyond the last record, and an offset beyond the end, are the end. A partition for which
    a group has committed nothing begins where its log begins, but has no end: that is refused.
    Raises UsageError for a partition, a topic or a group that is not there, and for an offset that
    lies beyond the end of every partition.
    """
    ends = view.high_watermarks(topic)
    starts = view.log_starts(topic)
    for number in sorted((ranges.partitions or frozenset()) - ends.keys()):
        raise UsageError(f"{topic} has no partition {number}: it has {len(ends)}, from 0")
    chosen = sorted(ends if ranges.partitions is None else ranges.partitions)
    ends = {number: max(ends[number], starts.get(number, 0)) for number in chosen}
    starts = {number: starts.get(number, 0) for number in chosen}
    wanted = _offsets(ranges.start, topic, view, missing=starts, ends=ends)
    if isinstance(ranges.start, Offset) and all(wanted[n] > ends[n] for n in chosen):
        raise UsageError(
            f"--from {ranges.start.value} is beyond the end of {topic} ({max(ends.values())})"
        )
    begin = {n: min(max(wanted[n], starts[n]), ends[n]) for n in chosen}
    last = _last(ranges.stop, topic, view, ends=ends)
    return Range(
        start=begin,
        stop={n: min(max(last[n], begin[n]), ends[n]) for n in chosen},
        removed={n: starts[n] for n in chosen if _misses(ranges.start, wanted[n], starts[n])},
    )


def output_starts(ranges: Ranges, topic: str, view: ClusterView) -> dict[int, int]:
    """From where outputs are to be read, when `ranges` limit their inputs: the same time; or the
    whole log, for an offset of the input says nothing about the outputs."""
    if not isinstance(ranges.start, Time):
        return view.log_starts(topic)
    ends = view.high_watermarks(topic)  # before the question: later records are not skipped
    return {**ends, **view.offsets_at(topic, ranges.start.ms)}


_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX = ((30, np.uint64(0xBF58476D1CE4E5B9)), (27, np.uint64(0x94D049BB133111EB)))


def sampled(identity: Digests, *, one_in: int) -> Flags:
    """Which identities are audited: the same ones in every topic, one in `one_in` of them.

    The 128 bits are mixed by splitmix64's finalizer (Steele, Lea and Flood, OOPSLA 2014), so that
    neither dense integers nor those of a regular step are preferred.
    """
    low, high = identity.low.view(np.uint64), identity.high.view(np.uint64)
    return np.asarray(_mixed(low ^ _mixed(high + _GOLDEN)) % np.uint64(one_in) == 0)


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    for shift, factor in _MIX:
        bits = (bits ^ (bits >> np.uint64(shift))) * factor
    return np.asarray(bits ^ (bits >> np.uint64(31)))


def _milliseconds(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is no position: give earliest, latest, an offset, a time with its zone "
            "(2026-11-24T22:00:00Z), or committed:GROUP"
        ) from None
    if moment.tzinfo is None:
        raise UsageError(f"the time {text!r} has no zone: write {text}Z for UTC, or its offset")
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    if since.days < 0:
        raise UsageError(f"the time {text!r} lies before 1970")
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def _surely_empty(start: Position, stop: Position) -> bool:
    match start, stop:
        case (Offset(begin), Offset(end)) | (Time(begin), Time(end)):
            return end <= begin
        case _:
            return False


def _offsets(
    position: Position,
    topic: str,
    view: ClusterView,
    *,
    missing: Mapping[int, int],
    ends: Mapping[int, int],
) -> Mapping[int, int]:
    """By partition of `ends`. `missing` stands in where a group has committed nothing."""
    match position:
        case Offset(value):
            return dict.fromkeys(ends, value)
        case Time(ms):
            found = view.offsets_at(topic, ms)
            return {number: found.get(number, end) for number, end in ends.items()}
        case Committed(group):
            return {**missing, **_of(view.committed(group, topic), ends)}
        case "earliest":
            return missing
        case _:
            return ends


def _last(
    position: Position, topic: str, view: ClusterView, *, ends: Mapping[int, int]
) -> Mapping[int, int]:
    last = _offsets(position, topic, view, missing={}, ends=ends)
    if isinstance(position, Committed) and last.keys() != ends.keys():
        number = min(ends.keys() - last.keys())
        raise UsageError(
            f"--to committed:{position.group}: the group has committed nothing for "
            f"{topic}-{number}: leave the partition out with --partitions"
        )
    return last


def _of(offsets: Mapping[int, int], chosen: Mapping[int, int]) -> dict[int, int]:
    return {number: offset for number, offset in offsets.items() if number in chosen}


def _misses(position: Position, wanted: int, log_start: int) -> bool:
    """Whether something was asked for that is gone. Of a time that leads to the log's very start,
    nobody can tell: it counts as such."""
    if position == "earliest" or isinstance(position, Time):
        return log_start > 0 and (position == "earliest" or wanted <= log_start)
    return wanted < log_start
