"""Batches around a place, from a log in memory: what is fetched, kept, and left alone."""

from __future__ import annotations

from dataclasses import dataclass, field

from crc32c import crc32c
from kafka.record.default_records import DefaultRecordBatchBuilder

from eoscheck.audit.forensics.neighbourhood import Neighbourhood
from eoscheck.audit.rows.records import Place
from eoscheck.cluster.raw_log import FetchedPart
from eoscheck.errors import InfrastructureError
from eoscheck.logformat import Control

BATCH = 10


def data(base: int, *, producer_id: int = 7, records: int = BATCH, value: bytes = b"v") -> bytes:
    builder = _builder(producer_id, transactional=True)
    for number in range(records):
        builder.append(number, 1000 + base, b"k%d" % (base + number), value, [("h", b"1")])
    return _at(base, bytes(builder.build()))


def marker(base: int, kind: Control, *, producer_id: int = 7) -> bytes:
    builder = _builder(producer_id, transactional=True)
    key = b"\x00\x00" + int(kind).to_bytes(2, "big")
    builder.append(0, 2000 + base, key, b"\x00\x00" + (3).to_bytes(4, "big"), [])
    batch = bytearray(builder.build())
    attributes = int.from_bytes(batch[21:23], "big") | 0x20
    batch[21:23] = attributes.to_bytes(2, "big")
    batch[17:21] = crc32c(bytes(batch[21:])).to_bytes(4, "big")
    return _at(base, bytes(batch))


def _builder(producer_id: int, *, transactional: bool) -> DefaultRecordBatchBuilder:
    return DefaultRecordBatchBuilder(
        magic=2,
        compression_type=0,
        is_transactional=transactional,
        producer_id=producer_id,
        producer_epoch=1,
        base_sequence=0,
        batch_size=1_000_000,
    )


def _at(base: int, batch: bytes) -> bytes:
    return base.to_bytes(8, "big") + batch[8:]


@dataclass
class Disk:
    """(base offset, offset after, bytes) of each batch."""

    batches: list[tuple[int, int, bytes]] = field(default_factory=list)
    start: int = 0
    end: int = 0
    fetches: list[int] = field(default_factory=list)
    down: bool = False

    def write(self, batch: bytes, records: int = BATCH) -> int:
        base, self.end = self.end, self.end + records
        self.batches.append((base, self.end, batch))
        return base

    def transaction(self, kind: Control, *, batches: int = 2, producer_id: int = 7) -> int:
        first = self.end
        for _ in range(batches):
            self.write(data(self.end, producer_id=producer_id))
        self.write(marker(self.end, kind, producer_id=producer_id), 1)
        return first

    def fetch(
        self, topic: str, partition: int, offset: int, *, committed: bool, max_bytes: int = 2**20
    ) -> FetchedPart:
        self.fetches.append(offset)
        if self.down:
            raise InfrastructureError("down")
        found, following = b"", offset
        if offset >= self.start:
            for _base, end, batch in self.batches:
                if end > offset and (not found or len(found) + len(batch) <= max_bytes):
                    found, following = found + batch, end
                elif found:
                    break
        return FetchedPart(
            partition=partition,
            fetch_offset=offset,
            next_offset=following if offset >= self.start else self.start,
            high_watermark=self.end,
            last_stable_offset=self.end,
            log_start_offset=self.start,
            aborted=[],
            records=memoryview(found),
            out_of_range=offset < self.start,
        )


def at(offset: int) -> Place:
    return Place("out", 0, offset)


def test_a_batch_stands_between_its_neighbours() -> None:
    disk = Disk()
    disk.transaction(Control.COMMIT)
    second = disk.transaction(Control.ABORT)
    around = Neighbourhood(disk).surroundings(at(second))
    assert around is not None
    assert around.of is not None
    assert around.before is not None
    assert around.after is not None
    assert (around.of.first_offset, around.of.last_offset) == (second, second + BATCH - 1)
    assert (around.before.marker, around.before.last_offset) == ("commit", second - 1)
    assert around.after.first_offset == second + BATCH
    assert around.of.shown() == {
        "offsets": [second, second + BATCH - 1],
        "records": BATCH,
        "transactional": True,
        "time_ms": 1000 + second,
        "producer_id": 7,
        "epoch": 1,
        "base_sequence": 0,
    }


def test_places_of_one_neighbourhood_share_one_fetch() -> None:
    disk = Disk()
    for _ in range(20):
        disk.transaction(Control.COMMIT)
    near = Neighbourhood(disk)
    for offset in range(100, 200):
        near.surroundings(at(offset))
        near.record(at(offset))
        near.transaction(at(offset))
    assert len(disk.fetches) == 1


def test_a_transaction_has_its_begin_and_its_end_from_each_of_its_places() -> None:
    disk = Disk()
    disk.transaction(Control.COMMIT)
    first = disk.transaction(Control.ABORT, batches=3)
    disk.transaction(Control.COMMIT)
    for offset in (first, first + 17, first + 3 * BATCH):
        found = Neighbourhood(disk).transaction(at(offset))
        assert found is not None
        assert (found.first_offset, found.outcome) == (first, "aborted")
        assert found.marker_offset == first + 3 * BATCH
        assert not found.begins_at_log_start
        assert found.shown()["duration_ms"] == 1000 + 3 * BATCH


def test_producers_at_work_side_by_side_are_told_apart() -> None:
    disk = Disk()
    for _ in range(3):
        disk.write(data(disk.end, producer_id=1))
        disk.write(data(disk.end, producer_id=2))
    one = disk.write(marker(disk.end, Control.COMMIT, producer_id=1), 1)
    two = disk.write(marker(disk.end, Control.ABORT, producer_id=2), 1)
    near = Neighbourhood(disk)
    first, second = near.transaction(at(20)), near.transaction(at(30))
    assert first is not None
    assert second is not None
    assert (first.first_offset, first.marker_offset, first.outcome) == (0, one, "committed")
    assert (second.first_offset, second.marker_offset, second.outcome) == (10, two, "aborted")


def test_the_ends_of_a_long_transaction_are_looked_for_within_bounds() -> None:
    disk = Disk()
    disk.transaction(Control.COMMIT)
    first = disk.end
    for _ in range(20):
        disk.write(data(disk.end, value=b"x" * 20_000))  # 4 MB
    last = disk.write(marker(disk.end, Control.COMMIT), 1)
    middle = Neighbourhood(disk).transaction(at(first + 100))
    assert middle is not None
    assert len(disk.fetches) < 15
    assert (middle.marker_offset, middle.first_offset) == (last, first)
    for _ in range(80):
        disk.write(data(disk.end, value=b"x" * 20_000))
    lost = Neighbourhood(disk).transaction(at(last + 401))
    assert lost is not None
    assert (lost.first_offset, lost.marker_offset, lost.outcome) == (None, None, None)


def test_an_open_transaction_has_no_end_and_one_cut_by_retention_no_certain_begin() -> None:
    disk = Disk()
    disk.transaction(Control.COMMIT, batches=5)
    first = disk.write(data(disk.end))
    still = Neighbourhood(disk).transaction(at(first))
    assert still is not None
    assert (still.outcome, still.looked_below) == (None, disk.end)
    assert still.shown()["outcome"] == "not ended"
    disk.start, disk.batches = 20, disk.batches[2:]
    cut = Neighbourhood(disk).transaction(at(30))
    assert cut is not None
    assert (cut.first_offset, cut.begins_at_log_start) == (20, True)


def test_a_record_is_read_whole_and_a_marker_is_none() -> None:
    disk = Disk()
    disk.transaction(Control.ABORT)
    near = Neighbourhood(disk)
    record = near.record(at(13))
    assert record is not None
    assert (record.key, record.headers) == (b"k13", [(b"h", b"1")])
    assert near.record(at(20)) is None
    assert near.tells(at(20))
    assert near.record(at(500)) is None


def test_a_log_that_cannot_be_read_says_nothing_and_is_not_asked_for_ever() -> None:
    disk = Disk(down=True)
    near = Neighbourhood(disk)
    for offset in range(20):
        assert near.surroundings(at(offset)) is None
        assert near.transaction(at(offset)) is None
        assert not near.tells(at(offset))
    assert len(disk.fetches) == 3


def test_a_place_below_the_log_s_start_has_only_a_neighbour_after_it() -> None:
    disk = Disk()
    for _ in range(3):
        disk.transaction(Control.COMMIT)
    disk.start, disk.batches = 42, disk.batches[6:]
    around = Neighbourhood(disk).surroundings(at(5))
    assert around is not None
    assert (around.of, around.before) == (None, None)
    assert around.after is not None
    assert around.after.first_offset == 42


def test_transactions_of_one_producer_are_told_apart_far_from_the_log_s_start() -> None:
    disk = Disk()
    firsts = [disk.transaction(Control.COMMIT) for _ in range(400)]
    near = Neighbourhood(disk)
    for first in firsts[200:210]:
        found = near.transaction(at(first + 5))
        assert found is not None
        assert (found.first_offset, found.marker_offset) == (first, first + 2 * BATCH)
    assert len(disk.fetches) == 1
