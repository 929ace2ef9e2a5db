"""One group's commits as `__consumer_offsets` holds them: who committed what, and when it counted.

Keys are Kafka's `OffsetCommitKey` (versions 0 and 1) and `GroupMetadataKey` (2), values
`OffsetCommitValue` and `GroupMetadataValue` (0 to 4). Records of other groups and of other kinds
(those of KIP-848 and later) are passed over.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

TOPIC = "__consumer_offsets"

_COMMIT_KEYS = (0, 1)
_GROUP_KEY = 2
_LAST_VALUE = 4
_FLEXIBLE = 4
"""From this version on, lengths are varints and tagged fields follow (KIP-482)."""
_TOPIC_ID_TAG, _TOPIC_ID_BYTES = 0, 16

TopicPartition: TypeAlias = tuple[str, int]


class Commit(NamedTuple):
    """`committed` is None where the offset was deleted or expired. `at` is the record's offset in
    `__consumer_offsets`; -1 for a `producer_id` where there is none; times are milliseconds."""

    at: int
    topic: str
    partition: int
    committed: int | None
    timestamp_ms: int
    producer_id: int
    epoch: int
    transactional: bool
    topic_id: bytes | None = None


class Step(NamedTuple):
    """An offset that took the place of another, with what is known of the group's members when
    that one was written: None where nothing is."""

    before: Commit
    after: Commit
    members: int | None
    generation: int | None


class _Membership(NamedTuple):
    members: int | None = None
    generation: int | None = None


def offsets_partition(group: str, partitions: int) -> int:
    """Where the commits of `group` are: `Utils.abs(group.hashCode()) % partitions`, as Kafka has
    it."""
    code = 0
    units = group.encode("utf-16-be", "surrogatepass")
    for (unit,) in struct.iter_unpack(">H", units):
        code = (31 * code + unit) & 0xFFFFFFFF
    signed = code - 2**32 if code >= 2**31 else code
    return (0 if signed == -(2**31) else abs(signed)) % partitions


@dataclass
class Track:
    """The visible commits of one partition in the order in which they took effect, as columns.

    `committed` is -1 for a deleted offset, `producer_id` for a commit outside a transaction.
    """

    committed: array[int] = field(default_factory=lambda: array("q"))
    producer_id: array[int] = field(default_factory=lambda: array("q"))


class GroupCommits:
    """Takes the records and markers of the group's partition of `__consumer_offsets` in log order,
    aborted ones included, and keeps what its commits came to.

    A plain commit counts at once, a transactional one when its producer's transaction commits, and
    then only if no later record has set the same offset meanwhile (`OffsetMetadataManager`).
    `steps_back` are the first `limit` of `back` steps to a smaller offset. Nothing is a step after
    a deleted offset, or where the topic was created anew, as far as its id tells.
    """

    def __init__(self, group: str, *, topic: str | None = None, limit: int = 100) -> None:
        name = group.encode()
        self.group = group
        self._topic = topic
        self._limit = limit
        self._prefixes = tuple(
            struct.pack(">hh", version, len(name)) + name for version in (*_COMMIT_KEYS, _GROUP_KEY)
        )
        self._current: dict[TopicPartition, Commit] = {}
        self._pending: dict[int, list[tuple[Commit, _Membership]]] = {}
        self.tracks: dict[TopicPartition, Track] = {}
        self.steps_back: list[Step] = []
        self.back = 0
        self.transactional = 0
        self.plain = 0
        self.plain_by_members = 0
        """Plain commits that were not made while the group was known to be empty."""
        self.first_plain_by_members: Commit | None = None
        self.undecoded = 0
        self.complete_from = 0
        """From this offset on, every record that was ever written has been taken."""
        self._next: int | None = None
        self._membership = _Membership()

    def record(
        self,
        offset: int,
        key: bytes | None,
        value: bytes | None,
        *,
        timestamp_ms: int = -1,
        producer_id: int = -1,
        epoch: int = -1,
        transactional: bool = False,
    ) -> None:
        self._come_to(offset)
        if key is None or not key.startswith(self._prefixes):
            return
        try:
            if _version(key) == _GROUP_KEY:
                self._take_group(value)
                return
            read = _Fields(key, 2)
            read.text()
            topic, partition = read.text(), read.number(">i")
            if self._topic is not None and topic != self._topic:
                return
            committed, topic_id = _commit_value(value)
        except (struct.error, UnicodeDecodeError, _OddVersionError):
            self.undecoded += 1
            return
        self._take(
            Commit(
                offset,
                topic,
                partition,
                committed,
                timestamp_ms,
                producer_id,
                epoch,
                transactional,
                topic_id,
            )
        )

    def marker(self, offset: int, *, producer_id: int, commits: bool) -> None:
        """A control record: of a transaction of `producer_id`, whatever epoch it bears."""
        self._come_to(offset)
        for commit, membership in self._pending.pop(producer_id, []):
            if commits:
                self._apply(commit, membership)

    def passed(self, first: int, last: int, *, records: int) -> None:
        """A batch of other groups, or a control record that ends no transaction."""
        self._come_to(first if records == last + 1 - first else last)
        self._next = last + 1

    def unreadable(self, first: int, last: int) -> None:
        """A batch that may be of this group, and cannot be read."""
        self.undecoded += 1
        self.complete_from = last + 1
        self._next = last + 1

    def current(self) -> Iterator[Commit]:
        """What the group's offsets are now."""
        return (each for each in self._current.values() if each.committed is not None)

    def _come_to(self, offset: int) -> None:
        if self._next is None or offset != self._next:
            self.complete_from = offset  # compaction, or the log's start, has removed what was here
        self._next = offset + 1

    def _take(self, commit: Commit) -> None:
        if commit.committed is not None:
            if commit.transactional:
                self.transactional += 1
            else:
                self._count_plain(commit)
        if commit.transactional:
            # The group let it in by its members of now: the marker may come after they have left.
            self._pending.setdefault(commit.producer_id, []).append((commit, self._membership))
        else:
            self._apply(commit, self._membership)

    def _count_plain(self, commit: Commit) -> None:
        self.plain += 1
        if self._membership.members == 0:
            return  # a reset by hand or by a tool: Kafka takes one only while nobody is there
        self.plain_by_members += 1
        if self.first_plain_by_members is None:
            self.first_plain_by_members = commit

    def _apply(self, commit: Commit, membership: _Membership) -> None:
        place = (commit.topic, commit.partition)
        before = self._current.get(place)
        if before is not None and before.at > commit.at:
            return
        self._current[place] = commit
        track = self.tracks.setdefault(place, Track())
        track.committed.append(-1 if commit.committed is None else commit.committed)
        track.producer_id.append(commit.producer_id if commit.transactional else -1)
        if before is not None and _goes_back(before, commit):
            self.back += 1
            if len(self.steps_back) < self._limit:
                self.steps_back.append(Step(before, commit, *membership))

    def _take_group(self, value: bytes | None) -> None:
        if value is None:
            self._membership = _Membership(members=0)
            return
        version = _value_version(value)
        read = _Fields(value, 2, flexible=version >= _FLEXIBLE)
        read.text()  # the protocol's type
        generation = read.number(">i")
        read.nullable_text()  # the protocol
        read.nullable_text()  # the leader
        if version >= 2:  # currentStateTimestamp
            read.number(">q")
        self._membership = _Membership(read.length_of_array(), generation)


def _goes_back(before: Commit, after: Commit) -> bool:
    if before.committed is None or after.committed is None:
        return False
    if None not in (before.topic_id, after.topic_id) and before.topic_id != after.topic_id:
        return False
    return after.committed < before.committed


class _OddVersionError(ValueError):
    """A version later than the last that is known here."""


def _version(data: bytes) -> int:
    return int(struct.unpack_from(">h", data)[0])


def _value_version(value: bytes) -> int:
    version = _version(value)
    if not 0 <= version <= _LAST_VALUE:
        raise _OddVersionError(version)
    return version


def _commit_value(value: bytes | None) -> tuple[int | None, bytes | None]:
    """The offset, and the id of its topic where that is told."""
    if value is None:
        return None, None
    version = _value_version(value)
    (committed,) = struct.unpack_from(">q", value, 2)
    if version < _FLEXIBLE:
        return committed, None
    read = _Fields(value, 2 + 8 + 4, flexible=True)
    read.text()  # metadata
    read.number(">q")  # commitTimestamp
    topic_id = read.tagged().get(_TOPIC_ID_TAG)
    return committed, topic_id if topic_id and len(topic_id) == _TOPIC_ID_BYTES else None


class _Fields:
    """Reads Kafka's field types one after the other. Raises struct.error past the end."""

    def __init__(self, data: bytes, position: int, *, flexible: bool = False) -> None:
        self._data = data
        self._position = position
        self._flexible = flexible

    def number(self, layout: str) -> int:
        (found,) = struct.unpack_from(layout, self._data, self._position)
        self._position += struct.calcsize(layout)
        return int(found)

    def text(self) -> str:
        return self.nullable_text() or ""

    def nullable_text(self) -> str | None:
        length = self._varint() - 1 if self._flexible else self.number(">h")
        return None if length < 0 else self._take(length).decode()

    def length_of_array(self) -> int:
        return max(0, self._varint() - 1 if self._flexible else self.number(">i"))

    def tagged(self) -> dict[int, bytes]:
        return {self._varint(): self._take(self._varint()) for _ in range(self._varint())}

    def _varint(self) -> int:
        found = shift = 0
        while True:
            byte = self.number(">B")
            found |= (byte & 0x7F) << shift
            if byte < 0x80:  # the last byte has its highest bit clear
                return found
            shift += 7

    def _take(self, length: int) -> bytes:
        end = self._position + length
        if end > len(self._data):
            raise struct.error(f"{length} bytes at {self._position} of {len(self._data)}")
        found = self._data[self._position : end]
        self._position = end
        return found
