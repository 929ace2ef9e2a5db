"""Keys and the partitions that a partitioner gives them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eoscheck.audit.checks.outcome import Checked
from eoscheck.audit.checks.partitioning import (
    Partitioner,
    Partitioning,
    homes,
    murmur2,
    partition_of,
)
from eoscheck.audit.findings import Code
from eoscheck.audit.rows.block import Block
from eoscheck.audit.rows.columns import Digests

KEYS = [f"acct-{number:05d}".encode() for number in range(400)]
Written = Mapping[int, Sequence[bytes | None]]
"""partition -> keys in the order of the log"""


@pytest.mark.parametrize(
    ("key", "signed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_kafka_s_own(key: bytes, signed: int) -> None:
    """The vectors of Kafka's UtilsTest."""
    assert murmur2(key) == signed & 0x7FFFFFFF


def plain_murmur2(data: bytes) -> int:
    """As Utils.java has it, byte by byte."""
    mask, mix = 0xFFFFFFFF, 0x5BD1E995
    hashed = 0x9747B28C ^ len(data)
    whole = len(data) - len(data) % 4
    for at in range(0, whole, 4):
        word = int.from_bytes(data[at : at + 4], "little") * mix & mask
        word ^= word >> 24
        hashed = (hashed * mix & mask) ^ (word * mix & mask)
    if whole < len(data):
        hashed ^= int.from_bytes(data[whole:], "little")
        hashed = hashed * mix & mask
    hashed ^= hashed >> 13
    hashed = hashed * mix & mask
    return (hashed ^ hashed >> 15) & 0x7FFFFFFF


@given(st.lists(st.none() | st.binary(max_size=20), max_size=20))
def test_a_column_of_keys_is_hashed_as_each_key_is(keys: list[bytes | None]) -> None:
    java = homes(keys, "murmur2")
    assert java.value.tolist() == [0 if key is None else plain_murmur2(key) for key in keys]
    assert (java.known is None) == (None not in keys)
    librdkafka = homes(keys, "crc32")
    assert librdkafka.value.tolist() == [crc32(key or b"") for key in keys]
    known = librdkafka.known if librdkafka.known is not None else np.ones(len(keys), np.bool_)
    assert known.tolist() == [bool(key) for key in keys]


def placed(
    keys: Sequence[bytes], partitions: int, by: Partitioner = "murmur2"
) -> dict[int, list[bytes | None]]:
    written: dict[int, list[bytes | None]] = {number: [] for number in range(partitions)}
    for key in keys:
        written[partition_of(key, partitions, by)].append(key)
    return written


def check(
    written: Written, partitions: int, *, by: Partitioner = "murmur2", limit: int = 5, step: int = 7
) -> Checked:
    """In blocks of `step` records."""
    partitioning = Partitioning("out", partitioner=by, partitions=partitions, limit=limit)
    for number, keys in written.items():
        for begin in range(0, len(keys), step):
            part = keys[begin : begin + step]
            none = np.zeros(len(part), dtype=np.int64)
            partitioning.add(
                Block(
                    partition=number,
                    offset=np.arange(begin, begin + len(part)) * 2,
                    identity=Digests(none, none),
                    columns={"home": homes(part, by)},
                )
            )
    return partitioning.finish()


def total(checked: Checked) -> int:
    return sum(found.total for found in checked.found)


@pytest.mark.parametrize("by", ["murmur2", "crc32"])
def test_keys_where_their_partitioner_puts_them_are_silent(by: Partitioner) -> None:
    checked = check(placed(KEYS, 6, by), 6, by=by)
    assert total(checked) == 0
    assert checked.unknowns == []
    assert checked.counts == {"partitioned_records": 400}


@pytest.mark.parametrize("partitions", [2, 3, 4, 12])
def test_librdkafka_s_default_partitioner_is_found_where_java_s_was_declared(
    partitions: int,
) -> None:
    written = placed(KEYS, partitions, "crc32")
    wrong = [
        (number, 2 * row)
        for number, keys in written.items()
        for row, key in enumerate(keys)
        if partition_of(key or b"", partitions, "murmur2") != number
    ]
    checked = check(written, partitions)
    (found,) = checked.found
    assert (found.code, found.total) == (Code.MISPARTITIONED, len(wrong))
    assert [(a.place.partition, a.place.offset) for a in found.anomalies] == wrong[:5]
    first = found.anomalies[0]
    right = partition_of(written[wrong[0][0]][wrong[0][1] // 2] or b"", partitions, "murmur2")
    assert first.facts == {"expected_partition": right, "partitions": partitions}
    assert checked.unknowns == []


@pytest.mark.parametrize("partition", [0, 1, 5])
def test_one_record_beside_its_partition_is_found_with_its_place(partition: int) -> None:
    written = placed(KEYS, 6)
    stray = next(key for key in KEYS if partition_of(key, 6, "murmur2") == 2)
    written[partition].insert(40, stray)
    (found,) = check(written, 6).found
    (anomaly,) = found.anomalies
    assert anomaly.place == ("out", partition, 80)
    assert anomaly.detail == f"in partition {partition}, where murmur2 puts its key in 2 of 6"


def test_a_few_records_in_place_before_it_tell_a_stray_one_from_growth() -> None:
    """Five partitions would put the stray one there, but not the five keys before it."""
    here = [key for key in KEYS if partition_of(key, 6, "murmur2") == 1][:5]
    stray = next(k for k in KEYS if partition_of(k, 6, "murmur2") == 2 and murmur2(k) % 5 == 1)
    assert not all(murmur2(key) % 5 == 1 for key in here)
    assert total(check({1: [*here, stray]}, 6)) == 1
    alone = check({1: [stray]}, 6)
    assert (total(alone), len(alone.unknowns)) == (0, 1)


def test_null_keys_are_not_judged_and_empty_ones_only_by_java_s() -> None:
    nulls: Written = {0: [None] * 30, 1: [None] * 30}
    assert total(check(nulls, 2)) == 0
    empty: Written = {number: [b""] * 30 for number in range(3)}
    assert total(check(empty, 3, by="crc32")) == 0
    assert total(check(empty, 3)) == 60


@pytest.mark.parametrize(("before", "after"), [(1, 2), (2, 4), (4, 6), (5, 12), (6, 7)])
@pytest.mark.parametrize("step", [7, 1000])
def test_a_topic_that_has_grown_is_unknown_with_the_number_it_had(
    before: int, after: int, step: int
) -> None:
    written = placed(KEYS, before)
    for number, keys in placed(KEYS[::-1], after).items():
        written.setdefault(number, []).extend(keys)
    checked = check(written, after, step=step)
    assert total(checked) == 0
    (unknown,) = checked.unknowns
    assert unknown.subject == Code.MISPARTITIONED
    assert f"where {before} partitions put their keys, not {after}" in unknown.reason


def test_a_producer_that_learns_late_of_the_growth_is_part_of_it() -> None:
    chance = random.Random(1)
    written = placed(KEYS, 2)
    mixed = [(key, chance.choice([2, 4])) for key in KEYS]
    for key, partitions in mixed:
        written.setdefault(partition_of(key, partitions, "murmur2"), []).append(key)
    checked = check(written, 4)
    assert (total(checked), len(checked.unknowns)) == (0, 1)


def test_misplaced_records_after_many_that_were_in_place_are_no_growth() -> None:
    """Two partitions' arithmetic explains each of them, but not the four hundred before them."""
    written = placed(KEYS, 4)
    stray = [key for key in KEYS if partition_of(key, 4, "murmur2") == 2]
    written[0].extend(stray)
    checked = check(written, 4)
    assert (total(checked), checked.unknowns) == (len(stray), [])


def test_a_topic_of_one_partition_has_no_other_place() -> None:
    assert total(check({0: KEYS}, 1)) == 0
