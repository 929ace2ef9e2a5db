"""Whatever the bytes: no crash, no hang, nothing read past the end, and both decoders agree."""

from __future__ import annotations

import random
import struct
from dataclasses import fields

import crc32c
import numpy as np
import pytest

from eoscheck.audit.readers.fast_decode import Decoder
from eoscheck.audit.rows.block import ColumnSpec, Wanted
from eoscheck.logformat import Batches, read_batches, read_records
from eoscheck.logformat.layout import RECORDS_START
from tests.unit.audit.guarded import GuardedMemory
from tests.unit.logformat.wire import CODECS, Written, batch, marker

_BLOBS = 12_500
_BATCHES = 8
_ROOM = 64 * 1024
_EVERYTHING = Wanted(
    identity="key",
    columns={
        "json": ColumnSpec(kind="identity", expression="json:/a/b"),
        "header": ColumnSpec(kind="number", expression="header:h"),
        "joined": ColumnSpec(kind="identity", expression="key+header:h+json:/a/b"),
        "source": ColumnSpec(kind="source"),
        "sequence": ColumnSpec(kind="sequence"),
        "content": ColumnSpec(kind="content"),
        "home": ColumnSpec(kind="home", expression="murmur2"),
    },
)


def _some(chance: random.Random) -> Written:
    key = chance.choice([None, b"", b"17", b"order-9", b"\xff\x00", chance.randbytes(9)])
    value = chance.choice(
        [None, b"", b'{"a":{"b":"x"}}', b'{"z":[1,{"q":"\\n"}],"a":{"b":12}}', b'{"a":', b"1"]
    )
    headers = chance.choice([(), ((b"h", b"4"),), ((b"h", None), (b"other", b"x"))])
    return Written(key, value, headers)


def _batches(chance: random.Random) -> list[bytes]:
    made = []
    for codec in CODECS:
        for _ in range(12):
            records = [_some(chance) for _ in range(chance.randrange(1, 4))]
            made.append(batch(records, base=chance.randrange(100), codec=codec))
    return [*made, marker(commit=True), marker(commit=False)]


def _mutated(data: bytes, chance: random.Random, others: list[bytes]) -> bytes:
    """One batch, damaged; half of them with a checksum that says that nothing happened."""
    out = bytearray(data)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(out))
        match chance.randrange(7):
            case 0:
                out[at] ^= 1 << chance.randrange(8)
            case 1:
                out[at] = chance.choice([0, 1, 0x7F, 0x80, 0xFF])
            case 2:  # cut out, and the length set right
                del out[at : at + chance.randrange(1, 9)]
            case 3:  # another batch's bytes
                other = chance.choice(others)
                begin = chance.randrange(len(other))
                out[at : at + 8] = other[begin : begin + chance.randrange(1, 20)]
            case 4 if len(out) > 61:
                place, kind = chance.choice([(8, ">i"), (23, ">i"), (57, ">i"), (0, ">q")])
                number = chance.choice([-1, 0, 1, 2**31 - 1, -(2**31), chance.randrange(500)])
                struct.pack_into(kind, out, place, number)
            case 5 if len(out) > 61:  # a varint that lies
                out[chance.randrange(61, len(out))] = chance.choice([1, 0x7E, 0xFE, 0xFF])
            case _:
                out.insert(at, chance.randrange(256))
        if not out:
            return bytes(data)
    if len(out) > RECORDS_START and chance.random() < 0.7:
        struct.pack_into(">i", out, 8, len(out) - 12)
        if chance.random() < 0.7:
            struct.pack_into(">I", out, 17, crc32c.crc32c(out[21:]))
    return bytes(out)


def _equal(one: Batches, other: Batches) -> bool:
    return all(
        np.array_equal(getattr(one, each.name), getattr(other, each.name))
        for each in fields(Batches)
    )


@pytest.mark.thorough
@pytest.mark.parametrize("seed", [1])
def test_a_hundred_thousand_mutated_batches_are_read_or_refused_alike(seed: int) -> None:
    chance = random.Random(seed)
    honest = _batches(chance)
    memory = GuardedMemory(_ROOM)
    decoder = Decoder("t", _EVERYTHING)
    read = refused = mutated = 0
    for number in range(_BLOBS):
        chosen = [_mutated(chance.choice(honest), chance, honest) for _ in range(_BATCHES)]
        mutated += len(chosen)
        # Most of them are read with their neighbours, which a lying length takes along.
        blobs = [b"".join(chosen)] if number % 4 else chosen
        for blob in blobs:
            data = memory.put(blob)
            batches = read_batches(data)
            if number % 8 < 2:
                assert _equal(batches, read_batches(data, compiled=False))
            wanted = batches.end - batches.start >= RECORDS_START
            wanted &= batches.codec <= 4
            before = decoder.unreadable.count
            rows = sum(
                len(block)
                for block in decoder.blocks(
                    0, data, batches, wanted, lowest=-(2**63), cut=2**63 - 1
                )
            )
            bad = decoder.unreadable.count - before
            read, refused = read + rows, refused + bad
    assert mutated == _BLOBS * _BATCHES
    assert read > 10_000, "most would be refused for nothing"
    assert refused > 10_000


@pytest.mark.thorough
def test_the_compiled_decoder_refuses_what_the_other_refuses() -> None:
    chance = random.Random(5)
    honest = _batches(chance)
    memory = GuardedMemory(_ROOM)
    decoder = Decoder("t", Wanted(identity="key"))
    kept = 0
    for _ in range(6_000):
        data = memory.put(_mutated(chance.choice(honest), chance, honest))
        batches = read_batches(data)
        for row in range(len(batches)):
            chosen = np.arange(len(batches)) == row
            if data[int(batches.start[row]) + 16] != 2:
                continue
            expected = read_records(data, batches, row)
            identified = decoder.unidentified
            offsets = [
                offset
                for block in decoder.blocks(
                    0, data, batches, chosen, lowest=-(2**63), cut=2**63 - 1
                )
                for offset in block.offset.tolist()
            ]
            nameless = decoder.unidentified - identified
            if expected is None:
                assert offsets == []
                assert nameless == 0
            else:
                kept += len(expected)
                named = [each.offset for each in expected if each.key is not None]
                assert offsets == named
                assert nameless == len(expected) - len(named)
    assert kept > 1_000
