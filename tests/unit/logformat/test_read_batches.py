"""What is read of batches: headers, markers, checksums, records; compiled as interpreted."""

from __future__ import annotations

import struct
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from kafka.record.default_records import DefaultRecordBatchBuilder

from eoscheck.logformat import Batches, Control, Record, decompress, read_batches, read_records
from eoscheck.logformat import headers as headers_module
from tests.unit.logformat.wire import (
    CODECS,
    SNAPPY,
    ZSTD,
    Written,
    batch,
    compress,
    marker,
    old_message,
)

BOTH = pytest.mark.parametrize("compiled", [True, False])


def same(one: Batches, other: Batches) -> bool:
    return all(
        np.array_equal(getattr(one, each.name), getattr(other, each.name))
        and getattr(one, each.name).dtype == getattr(other, each.name).dtype
        for each in fields(Batches)
    )


@BOTH
def test_a_header_is_read_field_by_field(compiled: bool) -> None:
    data = batch(
        [Written(), Written(), Written()],
        base=40,
        producer=7_000_000_000,
        epoch=3,
        sequence=11,
        transactional=True,
    )
    found = read_batches(b"".join([data, batch(base=43, codec=ZSTD)]), compiled=compiled)
    assert found.start.tolist() == [0, len(data)]
    assert found.end[0] == len(data)
    assert found.base_offset.tolist() == [40, 43]
    assert found.last_offset.tolist() == [42, 43]
    assert found.records.tolist() == [3, 1]
    assert found.producer_id.tolist() == [7_000_000_000, -1]
    assert found.epoch.tolist() == [3, -1]
    assert found.base_sequence.tolist() == [11, -1]
    assert found.transactional.tolist() == [True, False]
    assert found.control.tolist() == [Control.DATA, Control.DATA]
    assert found.codec.tolist() == [0, ZSTD]
    assert found.first_timestamp.tolist() == [1_000, 1_000]
    assert found.max_timestamp.tolist() == [2_000, 2_000]
    assert found.intact.all()


@BOTH
def test_markers_say_how_a_transaction_ended_and_who_ended_it(compiled: bool) -> None:
    other = batch(
        [Written(key=struct.pack(">hh", 0, 2), value=b"leader change")], control=True, base=2
    )
    emptied = batch([], control=True, transactional=True, base=3)
    data = marker(commit=True, coordinator=9) + marker(commit=False, base=1) + other + emptied
    found = read_batches(data, compiled=compiled)
    assert found.control.tolist() == [
        Control.COMMIT,
        Control.ABORT,
        Control.OTHER,
        Control.OTHER,
    ]
    assert found.coordinator_epoch.tolist() == [9, 0, -1, -1]


@BOTH
def test_a_part_of_a_batch_at_the_end_is_left_out(compiled: bool) -> None:
    data = batch() + batch(base=1)
    for kept in range(len(batch()), len(data)):
        assert len(read_batches(data[:kept], compiled=compiled)) == 1
    assert len(read_batches(b"", compiled=compiled)) == 0


@BOTH
def test_a_flipped_bit_anywhere_under_the_checksum_is_seen(compiled: bool) -> None:
    data = bytearray(batch([Written(value=b"some value")]))
    for at in range(17, len(data)):
        data[at] ^= 4
        assert not read_batches(data, compiled=compiled).intact[0], at
        data[at] ^= 4
    assert read_batches(data, compiled=compiled).intact[0]


def test_without_the_package_checksums_are_not_checked_and_it_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = bytearray(batch())
    data[-1] ^= 1
    monkeypatch.setattr(headers_module, "_crc32c", lambda: None)
    assert not headers_module.checks_crc()
    assert read_batches(data).intact[0]


@BOTH
def test_older_formats_and_impossible_lengths_are_rows_that_are_not_intact(compiled: bool) -> None:
    old = old_message(base=5)
    found = read_batches(old + batch(base=6), compiled=compiled)
    assert found.intact.tolist() == [False, True]
    assert found.base_offset.tolist() == [5, 6]
    broken = bytearray(batch(base=8))
    broken[8:12] = struct.pack(">i", -3)
    found = read_batches(batch(base=7) + broken + batch(base=9), compiled=compiled)
    assert found.intact.tolist() == [True, False]
    assert found.end[1] == len(batch()) * 3


@BOTH
def test_a_base_time_that_is_a_delete_horizon_is_no_time_of_a_record(compiled: bool) -> None:
    found = read_batches(batch(attributes=0x40, first=99), compiled=compiled)
    assert found.first_timestamp.tolist() == [-1]


@pytest.mark.parametrize("codec", CODECS)
def test_records_are_read_whatever_the_codec(codec: int) -> None:
    written = [
        Written(b"key", b"value" * 50, [(b"a", b"1"), (b"a", None), ("ü".encode(), b"")]),
        Written(None, None, delta=3, time=-5),
        Written(b"", b"", delta=900, time=2**40),
    ]
    data = batch() + batch(written, base=10, codec=codec)
    assert read_records(data, read_batches(data), 1) == [
        Record(10, 1_000, b"key", b"value" * 50, [(b"a", b"1"), (b"a", None), ("ü".encode(), b"")]),
        Record(13, 995, None, None, []),
        Record(910, 1_000 + 2**40, b"", b"", []),
    ]


def test_records_take_the_brokers_time_where_the_topic_says_so() -> None:
    data = batch([Written(time=5)], attributes=0x08, latest=77)
    (found,) = read_records(data, read_batches(data), 0) or []
    assert found.timestamp == 77


def test_what_kafka_python_writes_is_read() -> None:
    builder = DefaultRecordBatchBuilder(
        magic=2,
        compression_type=1,
        is_transactional=True,
        producer_id=5,
        producer_epoch=6,
        base_sequence=7,
        batch_size=100_000,
    )
    for number in range(300):
        builder.append(number, 1_000 + number, b"%d" % number, b"v" * number, [("h", b"x")])
    data = bytes(builder.build())
    batches = read_batches(data)
    assert (batches.intact[0], batches.producer_id[0], batches.base_sequence[0]) == (True, 5, 7)
    found = read_records(data, batches, 0)
    assert found is not None
    assert [each.key for each in found] == [b"%d" % number for number in range(300)]
    assert found[299] == Record(299, 1_299, b"299", b"v" * 299, [(b"h", b"x")])


@pytest.mark.parametrize(
    "wrong",
    [
        {"count": 2},
        {"count": 0},
        {"count": 2**31 - 1},
        {"count": -1},
        {"last_delta": -1},
        {"payload": b""},
        {"payload": b"\x02"},
        {"payload": b"\xff" * 10},
    ],
)
def test_records_that_contradict_their_header_are_not_read(wrong: dict[str, Any]) -> None:
    data = batch(**wrong)
    assert read_records(data, read_batches(data), 0) is None


def test_java_s_stream_of_snappy_blocks_is_read() -> None:
    written = [Written(value=b"value %d" % number) for number in range(100)]
    data = batch(written, codec=SNAPPY, xerial=True)
    found = read_records(data, read_batches(data), 0)
    assert found is not None
    assert [each.value for each in found] == [each.value for each in written]


@pytest.mark.parametrize("codec", CODECS[1:])
def test_a_decompression_bomb_is_not_read(codec: int) -> None:
    bomb = memoryview(compress(bytes(4_000_000), codec))
    assert decompress(bomb, codec, largest=1_000_000) is None
    assert decompress(bomb, codec) is not None


@pytest.mark.parametrize("codec", [*CODECS[1:], 5, 7])
def test_a_broken_stream_is_not_read(codec: int) -> None:
    assert decompress(memoryview(b"no such stream"), codec) is None
    cut = compress(bytes(1_000), codec)[:-3] if codec < 5 else b""
    assert decompress(memoryview(cut), codec) is None
