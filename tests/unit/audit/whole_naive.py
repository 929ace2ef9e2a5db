"""What a whole audit should say of topics that are lists of batches, as anybody would write it."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from math import inf

from eoscheck.audit.findings import Code
from eoscheck.history.events import Identity
from eoscheck.logformat.batches import Control
from tests.unit.audit import naive
from tests.unit.audit.raw_logs import Batch, given_one_by_one
from tests.unit.audit.topics import Row, Topic
from tests.unit.audit.whole_logs import Partition, Stored

At = tuple[int, int]
"""(partition, offset)"""


@dataclass(frozen=True)
class View:
    """The committed records of a topic as a client is given them, and whether some may be missing:
    removed, held back, or without an identity."""

    rows: Topic
    incomplete: bool


def client_view(topic: Mapping[int, Partition], *, compacted: bool) -> View:
    rows: dict[int, list[Row]] = {}
    incomplete = compacted
    for number, partition in topic.items():
        rows[number] = []
        reached = partition.log_start
        for stored, given in served(partition):
            reached = max(reached, stored.header.last + 1)
            for offset, entry in stored.entries.items():
                if not given or not partition.log_start <= offset < partition.cut:
                    continue
                if entry.identity is None:
                    incomplete = True
                else:
                    rows[number].append(Row(entry.identity, entry.key or "", offset=offset))
        incomplete |= reached < partition.cut or partition.log_start > 0
    return View(rows, incomplete)


def marked_view(topic: Mapping[int, Partition]) -> Topic:
    """The same by the markers alone, of what is below the last stable offset."""
    rows: dict[int, list[Row]] = {}
    for number, partition in topic.items():
        rows[number] = []
        log, stable = partition.stored, partition.last_stable
        for at, stored in enumerate(log):
            header = stored.header
            if header.base >= stable or not _committed(header, [b.header for b in log[at:]]):
                continue
            for offset, entry in stored.entries.items():
                inside = partition.log_start <= offset < partition.cut
                if inside and entry.identity is not None:
                    rows[number].append(Row(entry.identity, entry.key or "", offset=offset))
    return rows


def _committed(batch: Batch, onwards: list[Batch]) -> bool:
    if batch.control is not Control.DATA or not batch.transactional:
        return batch.control is Control.DATA
    ends = (b.control for b in onwards if b.is_marker and b.producer_id == batch.producer_id)
    return next(ends, None) is Control.COMMIT


def served(partition: Partition) -> Iterator[tuple[Stored, bool]]:
    """Each batch that was read, and whether a client hands it on."""
    for batches, aborted in partition.served:
        flags = given_one_by_one([each.header for each in batches], aborted)
        yield from zip(batches, flags, strict=True)


# ---------------------------------------------------------------- the two views of a topic


@dataclass
class Batches:
    """What the batches of a topic show."""

    aborted_visible: set[At] = field(default_factory=set)
    lost_commit: set[At] = field(default_factory=set)
    zombies: set[At] = field(default_factory=set)
    committed: int = 0
    aborted: int = 0
    open: int = 0
    committed_records: int = 0
    aborted_records: int = 0
    repeated: int = 0
    given_up: set[At] = field(default_factory=set)
    """Where transactions began, below a cut that was reached, that were not read to their markers,
    though these are there to be read."""


def judged(topic: Mapping[int, Partition]) -> Batches:
    found = Batches()
    for number, partition in topic.items():
        highest: dict[int, int] = defaultdict(lambda: -1)
        latest: dict[int, Batch] = {}
        begun: dict[int, list[tuple[Batch, bool, bool]]] = defaultdict(list)
        for stored, given in served(partition):
            batch, producer = stored.header, stored.header.producer_id
            if producer < 0 or batch.control is Control.OTHER:
                continue
            stale = batch.epoch < highest[producer]
            highest[producer] = max(highest[producer], batch.epoch)
            if batch.is_marker:
                latest.pop(producer, None)
                _end(found, number, begun.pop(producer, []), batch.control is Control.COMMIT)
                continue
            before = latest.get(producer)
            if before is not None and batch.sequence > 0:
                found.repeated += _span(before) == _span(batch)
            latest[producer] = batch
            if batch.transactional and batch.records:
                begun[producer].append((batch, given, stale))
            elif not batch.transactional and stale:
                found.zombies.add((number, batch.base))
        found.open += len(begun)
        found.given_up.update(
            (number, batches[0][0].base)
            for producer, batches in begun.items()
            if batches[0][0].base < partition.cut <= partition.last_stable
            and _marker(partition, producer, batches[-1][0]) < partition.last_stable
        )
    return found


def _marker(partition: Partition, producer: int, last: Batch) -> float:
    """The offset of the marker that ends a transaction whose last batch is `last`."""
    ends = (
        each.header.base
        for each in partition.stored
        if each.header.is_marker
        and each.header.producer_id == producer
        and each.header.base > last.base
    )
    return next(ends, inf)


def _span(batch: Batch) -> tuple[int, int, int]:
    return batch.epoch, batch.sequence, batch.last - batch.base


def _end(
    found: Batches, partition: int, batches: list[tuple[Batch, bool, bool]], committed: bool
) -> None:
    if not batches:
        return
    records = sum(batch.records for batch, _given, _stale in batches)
    shown = [(partition, batch.base) for batch, given, _stale in batches if given]
    hidden = [(partition, batch.base) for batch, given, _stale in batches if not given]
    stale = [(partition, batch.base) for batch, _given, stale in batches if stale]
    if committed:
        found.committed += 1
        found.committed_records += records
        found.lost_commit.update(hidden[:1])
        found.zombies.update(stale[:1])
    else:
        found.aborted += 1
        found.aborted_records += records
        found.aborted_visible.update(shown[:1])


# ---------------------------------------------------------------- identities


@dataclass
class Identities:
    """Places of anomalies; `unknown` are the codes that cannot be judged in full. Of REORDERED:
    where each stream must rise (output partition, where it belongs, offset)."""

    places: dict[Code, set[At]] = field(default_factory=lambda: defaultdict(set))
    unknown: set[Code] = field(default_factory=set)
    surplus: int = 0
    missing: int = 0
    streams: list[list[tuple[int, int, int]]] = field(default_factory=list)


def with_input(output: View, source: View, *, due: Mapping[int, int], by_key: bool) -> Identities:
    found = Identities()
    outputs, inputs = naive.copies(output.rows), naive.copies(source.rows)
    first_output, first_due = _first(output.rows, {}), _first(source.rows, due)
    for identity, number in outputs.items():
        # What was removed from the input had one copy, for all that anybody knows.
        most = inputs[identity] or (1 if source.incomplete else 0)
        if number > most > 0:
            found.places[Code.DUPLICATE].add(first_output[identity])
            found.surplus += number - most
        if not inputs[identity]:
            found.places[Code.PHANTOM].add(first_output[identity])
    wanted = Counter(
        identity
        for identity, partition, offset in naive.placed(source.rows)
        if offset < due.get(partition, 0)
    )
    for identity, number in wanted.items():
        if outputs[identity] < number:
            found.places[Code.LOST].add(first_due[identity])
            found.missing += number - outputs[identity]
    found.streams = naive.streams(
        output.rows, _keyed(source.rows) if by_key else source.rows, by_key=by_key
    )
    _cannot_tell(found, Code.LOST, incomplete=output.incomplete)
    _cannot_tell(found, Code.PHANTOM, incomplete=source.incomplete)
    return found


def without_input(output: View) -> Identities:
    found = Identities()
    copies, first = naive.copies(output.rows), _first(output.rows, {})
    for identity, number in copies.items():
        if number > 1:
            found.places[Code.DUPLICATE].add(first[identity])
            found.surplus += number - 1
    numbers: dict[str, dict[int, Identity]] = defaultdict(dict)
    for identity in copies:
        source, number = _split(identity)
        numbers[source][number] = identity
    dense, alone = _dense(numbers), {s for s, of in numbers.items() if len(of) == 1}
    for source in dense:
        ordered = sorted(numbers[source])
        for low, high in pairwise(ordered):
            if high - low > 1:
                found.places[Code.GAP].add(first[numbers[source][high]])
                found.missing += high - low - 1
    _cannot_tell(found, Code.GAP, incomplete=output.incomplete)
    rows = {s: sum(copies[i] for i in of.values()) for s, of in numbers.items()}
    sound = sum(rows[s] for s in dense)
    if 2 * sound >= sum(rows.values()):
        sound += sum(rows[s] for s in alone)
    if sound < sum(rows.values()):
        found.unknown.add(Code.GAP)
    judged_sources = {**{s: numbers[s] for s in dense}, **{s: numbers[s] for s in alone}}
    found.streams = list(_numbered_streams(output.rows, set(judged_sources)))
    return found


def _numbered_streams(output: Topic, sources: set[str]) -> Iterator[list[tuple[int, int, int]]]:
    """Of each source in each partition: (partition, number, offset) of first copies."""
    homes: dict[Identity, set[int]] = defaultdict(set)
    for identity, partition, _offset in naive.placed(output):
        homes[identity].add(partition)
    streams: dict[tuple[int, str], dict[int, tuple[int, int, int]]] = defaultdict(dict)
    for identity, partition, offset in naive.placed(output):
        source, number = _split(identity)
        if len(homes[identity]) == 1 and source in sources:
            streams[partition, source].setdefault(number, (partition, number, offset))
    for stream in streams.values():
        yield list(stream.values())


def _dense(numbers: Mapping[str, Mapping[int, Identity]]) -> set[str]:
    return {
        source
        for source, of in numbers.items()
        if len(of) > 1 and 2 * len(of) >= max(of) - min(of) + 1
    }


def _split(identity: Identity) -> tuple[str, int]:
    if isinstance(identity, int):
        return "", identity
    found = re.fullmatch(r"(.*?)(\d+)", identity)
    assert found is not None, identity
    return found[1], int(found[2])


def _keyed(topic: Topic) -> Topic:
    """The identities whose order by key is known: one copy, with a key. The others stand twice
    here, as those do whose place is not known."""
    return {
        number: [each for row in rows for each in ([row, row] if row.key == "" else [row])]
        for number, rows in topic.items()
    }


def _first(topic: Topic, below: Mapping[int, int]) -> dict[Identity, At]:
    """By identity: its first place, of those below offsets where some are given."""
    found: dict[Identity, At] = {}
    for identity, partition, offset in naive.placed(topic):
        if not below or offset < below.get(partition, 0):
            found.setdefault(identity, (partition, offset))
    return found


def _cannot_tell(found: Identities, code: Code, *, incomplete: bool) -> None:
    if incomplete and found.places[code]:
        found.unknown.add(code)
        found.places[code] = set()


def longest_rise(values: list[int]) -> int:
    """How many of `values` can stay where they are."""
    longest: list[int] = []
    for at, value in enumerate(values):
        before = (longest[b] for b in range(at) if values[b] < value)
        longest.append(1 + max(before, default=0))
    return max(longest, default=0)
