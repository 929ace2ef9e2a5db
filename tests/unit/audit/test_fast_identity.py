"""The compiled evaluation is Python's: identities, numbers, sequences, digests and homes."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.partitioner.default import murmur2

from eoscheck.audit.identity import parse
from eoscheck.audit.readers.fast_decode import Decoder
from eoscheck.audit.readers.fast_plan import supported
from eoscheck.audit.rows.block import Block, ColumnSpec, Numbers, Wanted
from eoscheck.audit.rows.columns import Digests, split_number
from eoscheck.audit.rows.digests import digest_all, digest_contents, digest_values
from eoscheck.history.events import Identity
from eoscheck.logformat import read_batches
from tests.unit.logformat.wire import LZ4, NONE, Written, batch

EXPRESSIONS = (
    "key",
    "value",
    "header:h",
    "header:ü",
    "json:/id",
    "json:/a/b",
    "json:/a/b/c",
    "json:",
    "json:/",
    "json:/ü~1~0",
    "key+json:/id",
    "header:h+key+value",
)
_DECODERS: dict[tuple[str, str], Decoder] = {}


def decoded(records: Sequence[Written], wanted: Wanted, codec: int = NONE) -> tuple[Decoder, Block]:
    decoder = Decoder("t", wanted)
    data = batch(records, base=100, codec=codec)
    batches = read_batches(data)
    found = list(decoder.blocks(3, memoryview(data), batches, batches.intact, lowest=0, cut=2**62))
    assert decoder.unreadable.count == 0
    assert len(found) == 1
    return decoder, found[0]


def digests_of(found: Sequence[Identity | None]) -> list[tuple[int, int]]:
    """What `columns.encode` promises: integers of 18 digits as they are, all else as text."""
    texts = iter(
        zip(
            *(
                column.tolist()
                for column in digest_all([str(f).encode() for f in found if _is_text(f)])
            ),
            strict=True,
        )
    )
    out: list[tuple[int, int]] = []
    for each in found:
        if each is None:
            out.append((-1, -1))
        elif _is_text(each):
            out.append(next(texts))
        else:
            out.append((int(each), 0))
    return out


def _is_text(found: Identity | None) -> bool:
    return isinstance(found, str) or (found is not None and abs(found) >= 10**18)


def _named(written: Written) -> list[tuple[str, bytes | None]]:
    return [(name.decode(errors="replace"), content) for name, content in written.headers]


def _rows(digests: Any) -> list[tuple[int, int]]:
    assert isinstance(digests, Digests)
    return list(zip(digests.low.tolist(), digests.high.tolist(), strict=True))


def _numbers(numbers: Any) -> list[int | None]:
    assert isinstance(numbers, Numbers)
    known = numbers.known if numbers.known is not None else np.ones(len(numbers.value), np.bool_)
    return [v if k else None for v, k in zip(numbers.value.tolist(), known.tolist(), strict=True)]


def _sequence(found: Identity | None) -> tuple[str | None, int | None]:
    if isinstance(found, int):
        return "", found if -(2**63) <= found < 2**63 else None
    source, digits = split_number(found or "")
    return (source, int(digits)) if 0 < len(digits) <= 18 else (None, None)


def agrees(records: Sequence[Written], expression: str, codec: int = NONE) -> None:
    """All uses of one expression, beside an identity that every record has."""
    records = [each._replace(delta=None) for each in records]
    tagged = [
        each._replace(headers=[*each.headers, (b"row", b"r%d" % row)])
        for row, each in enumerate(records)
    ]
    identify = parse(expression)
    found = [identify(each.key, each.value, _named(each)) for each in tagged]
    wanted = Wanted(
        identity="header:row",
        columns={
            "identity": ColumnSpec(kind="identity", expression=expression),
            "number": ColumnSpec(kind="number", expression=expression),
            "optional": ColumnSpec(kind="number", expression=expression, optional=True),
        },
    )
    assert supported(wanted)
    decoder, block = decoded(tagged, wanted, codec)
    assert block.offset.tolist() == list(range(100, 100 + len(records)))
    assert _rows(block.columns["identity"]) == digests_of(found)
    int64 = [f if isinstance(f, int) and -(2**63) <= f < 2**63 else None for f in found]
    assert _numbers(block.columns["number"]) == int64
    misfits = [each.count for each in decoder.misfits()]
    nothing, no_integer = found.count(None), sum(not isinstance(f, int) for f in found)
    assert misfits == [count for count in (nothing, no_integer) if count]
    # As the identity of the whole: records without one are in no block.
    alone = Decoder(
        "t",
        Wanted(
            identity=expression,
            columns={"source": ColumnSpec(kind="source"), "number": ColumnSpec(kind="sequence")},
        ),
    )
    data = batch(tagged, base=100)
    batches = read_batches(data)
    rows: list[tuple[Any, ...]] = []
    for each in alone.blocks(3, memoryview(data), batches, batches.intact, lowest=0, cut=2**62):
        columns = (_rows(each.columns["source"]), _numbers(each.columns["number"]))
        rows += zip(each.offset.tolist(), _rows(each.identity), *columns, strict=True)
    assert rows == [
        (100 + number, row, *_source(found[number]))
        for number, row in enumerate(digests_of(found))
        if found[number] is not None
    ]
    assert alone.unidentified == nothing


def _source(found: Identity | None) -> tuple[tuple[int, int], int | None]:
    source, number = _sequence(found)
    return ((-1, -1) if source is None else digests_of([_Text(source)])[0]), number


class _Text(str):
    """A source is text, also where it looks like a number."""


_texts = st.text(max_size=20)
_plain = st.text('abc-+\\"/ 0123456789', max_size=24)
_digits = st.integers(-(10**20), 10**20).map(str) | st.from_regex(r"\A-?0*[0-9]{1,21}\Z")
_bytes = (
    st.none()
    | st.binary(max_size=12)
    | _texts.map(str.encode)
    | _plain.map(str.encode)
    | _digits.map(str.encode)
)
_names = st.sampled_from(["id", "a", "b", "c", "", "ü/~", "x", "id\n", "\u20ac"])
_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False)
    | _texts
    | _plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_names, inner, max_size=4),
    max_leaves=12,
)
_documents = st.builds(
    lambda value, ascii_only, spaced: json.dumps(
        value,
        ensure_ascii=ascii_only,
        indent=1 if spaced else None,
        separators=None if spaced else (",", ":"),
    ).encode("utf-8", "surrogatepass"),
    st.fixed_dictionaries({}, optional={"id": _values, "a": _values, "": _values, "ü/~": _values})
    | _values,
    st.booleans(),
    st.booleans(),
)


@st.composite
def _damaged(draw: st.DrawFn) -> bytes:
    """Nearly JSON: doubled names, cut ends, odd bytes."""
    data = bytearray(draw(_documents))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        match draw(st.integers(0, 3)):
            case 0:
                data[at:at] = draw(
                    st.sampled_from(
                        [
                            b'"id":1,',
                            b'"a":{},',
                            b",",
                            b"}",
                            b"{",
                            b"\\u0041",
                            b"\\ud800",
                            b"\xff",
                            b" ",
                            b"-",
                            b"0",
                            b".",
                            b"e1",
                            b"true",
                            b"nul",
                            b'"',
                            b"\x00",
                            b"[",
                            b"]",
                        ]
                    )
                )
            case 1:
                del data[at : at + draw(st.integers(1, 4))]
            case 2:
                data[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case _:
                data += draw(st.sampled_from([b" \n", b"x", b"}", b"\x00", b",1"]))
    return bytes(data)


_headers = st.lists(
    st.tuples(st.sampled_from([b"h", "ü".encode(), b"other", b"", b"\xff"]), _bytes), max_size=4
)
_records = st.lists(
    st.builds(Written, _bytes, _documents | _damaged() | _bytes, _headers), min_size=1, max_size=6
)


@pytest.mark.thorough
@settings(max_examples=400)
@given(records=_records, expression=st.sampled_from(EXPRESSIONS))
def test_whatever_the_records_the_compiled_evaluation_is_python_s(
    records: list[Written], expression: str
) -> None:
    agrees(records, expression)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_the_corners_of_an_identity_are_python_s(expression: str) -> None:
    texts = [
        b"", b"0", b"-0", b"00", b"01", b"-1", b"-", b"--1", b"17", b"1" * 18, b"-" + b"9" * 18,
        b"1" * 19, b"9223372036854775807", b"order-007", b"order-" + b"1" * 18,
        b"order-" + b"1" * 19, b"a+b", b"a\\b", "grün".encode(), b"\xff\x00\x01", b"x" * 600,
        "٣".encode(), b"5\n", b" 5", b"+5",
    ]  # fmt: skip
    values = [
        b'{"id":%s}' % each
        for each in (
            b"0", b"-0", b"1.0", b"1e2", b"01", b"-", b"1" * 18, b"1" * 19, b"9" * 30, b'"17"',
            b'"a"', b'"\\u0061"', b'"\xc3\xbc"', b'"\xff"', b"null", b"true", b"[]", b"{}", b'"',
            b"1}", b'1,"id":2', b'1,"x":"\\ud83d\\ude00"', b'1,"x":"\\ud83d"', b'1,"x":"\\q"',
            b'1,"x":"\x01"', b'1,"x":"\xff"', b'1,"x":tru', b'1,"x":truex', b"1,", b'1,"x":1.e5',
            b'1,"x":[1,2,{"y":[]}]', b'1,"x":' + b"[" * 70 + b"]" * 70, b'1,"\\u0069d":2',
        )
    ]  # fmt: skip
    values += [
        b'{"a":{"b":5}}', b'{"a":{"b":{"c":"x"}}}', b'{"a":{"b":[{"c":1}]}}', b'{"a":5}',
        b'{"a":{},"a":{"b":1}}', b'{"a":{"b":1},"a":{}}', b'{"b":1,"a":{"id":1}}', b"[1]", b"7",
        b'"seven"', b'{"":"empty"}', '{"ü/~":"odd"}'.encode(), b' { "id" : 7 } ', b'{"id":7}\x00',
        b'\xef\xbb\xbf{"id":7}', b"{}", b"[]", b"", b" ",
    ]  # fmt: skip
    records = [Written(text, text, [(b"h", text), ("ü".encode(), text)]) for text in texts]
    records += [Written(b"k", value, [(b"h", b"x"), (b"h", None)]) for value in values]
    records += [Written(None, None, []), Written(None, b"{}", [(b"h", None)])]
    for codec in (NONE, LZ4):
        agrees(records, expression, codec)


@given(
    pairs=st.lists(st.tuples(_bytes, _bytes), min_size=1, max_size=6),
)
@settings(max_examples=100)
def test_digests_and_homes_are_those_of_key_and_value(
    pairs: list[tuple[bytes | None, bytes | None]],
) -> None:
    wanted = Wanted(
        identity="header:row",
        columns={
            "content": ColumnSpec(kind="content"),
            "value": ColumnSpec(kind="value"),
            "java": ColumnSpec(kind="home", expression="murmur2"),
            "librdkafka": ColumnSpec(kind="home", expression="crc32"),
        },
    )
    records = [Written(key, value, [(b"row", b"x")]) for key, value in pairs]
    _decoder, block = decoded(records, wanted)
    keys, values = [key for key, _value in pairs], [value for _key, value in pairs]
    assert _rows(block.columns["content"]) == _rows(digest_contents(keys, values))
    assert _rows(block.columns["value"]) == _rows(digest_values(values))
    assert _numbers(block.columns["java"]) == [
        None if key is None else murmur2(key) & 0x7FFFFFFF for key in keys
    ]
    assert _numbers(block.columns["librdkafka"]) == [
        None if key is None else zlib.crc32(key) for key in keys
    ]


def test_null_and_empty_are_different_contents() -> None:
    contents = [(None, b"x"), (b"", b"x"), (b"x", None), (b"x", b""), (None, None), (b"", b"")]
    found = digest_contents([key for key, _ in contents], [value for _, value in contents])
    assert len(set(_rows(found))) == len(contents)


def test_text_is_digested_by_siphash() -> None:
    """The first and the sixteenth of the reference vectors (128 bits) of SipHash-2-4."""
    for text, expected in (
        (b"", "a3817f04ba25a8e66df67214c7550293"),
        (bytes(range(15)), "5493e99933b0a8117e08ec0f97cfc3d9"),
    ):
        (row,) = _rows(digest_all([text]))
        assert b"".join(n.to_bytes(8, "little", signed=True) for n in row).hex() == expected


@pytest.mark.parametrize(
    "expression", ["python:json:dumps", "msgpack:/id", "json:/items/0", "key+msgpack:/id"]
)
def test_what_is_not_compiled_is_left_to_the_client_reader(expression: str) -> None:
    assert not supported(Wanted(identity=expression))
    assert not supported(
        Wanted(identity="key", columns={"x": ColumnSpec(kind="number", expression=expression)})
    )
    assert not supported(
        Wanted(identity="key", columns={"x": ColumnSpec(kind="bounds", expression="1")})
    )


def test_records_beyond_the_cut_or_before_the_start_are_not_handed_over() -> None:
    data = batch([Written(b"%d" % n) for n in range(20)], base=100)
    batches = read_batches(data)
    decoder = Decoder("t", Wanted(identity="key"))
    chosen = batches.intact
    (block,) = decoder.blocks(0, memoryview(data), batches, chosen, lowest=105, cut=110)
    assert block.offset.tolist() == [105, 106, 107, 108, 109]
    assert block.identity.low.tolist() == [5, 6, 7, 8, 9]
    assert not list(decoder.blocks(0, memoryview(data), batches, chosen, lowest=0, cut=100))
    assert not list(decoder.blocks(0, memoryview(data), batches, ~chosen, lowest=0, cut=200))


def test_misfits_are_counted_and_the_first_five_shown() -> None:
    decoder, block = decoded(
        [Written(b"x", b'{"n":1}'), *[Written(b"y", b"no")] * 9],
        Wanted(identity="key", columns={"n": ColumnSpec(kind="number", expression="json:/n")}),
    )
    assert len(block) == 10
    (misfits,) = decoder.misfits()
    assert (misfits.expression, misfits.count) == ("json:/n", 9)
    assert [str(place) for place in misfits.first] == [f"t-3@{n}" for n in range(101, 106)]


@pytest.mark.parametrize("codec", [1, 2, 3, 4])
def test_batches_larger_than_the_room_for_them_are_decompressed_alone(
    codec: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eoscheck.audit.readers.fast_decode._ARENA", 3_000)
    batches = [
        batch([Written(b"%d" % n, b"v" * size)], base=n, codec=codec if n % 5 else NONE)
        for n, size in enumerate([10, 900, 1_500, 900, 10, 200_000, 5_000, 700, 100, 2_000])
    ]
    broken = batch([Written(b"x")], base=10, codec=codec, payload=b"no such stream")
    data = b"".join([*batches, broken, batch([Written(b"11")], base=11, codec=codec)])
    found = read_batches(data, check_crc=False)
    decoder = Decoder("t", Wanted(identity="key"))
    blocks = list(decoder.blocks(0, memoryview(data), found, found.intact, lowest=0, cut=99))
    assert [n for block in blocks for n in block.identity.low.tolist()] == [*range(10), 11]
    assert [place.offset for place in decoder.unreadable.first] == [10]
