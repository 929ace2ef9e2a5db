"""What a record says of itself, and what is no seal."""

from __future__ import annotations

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eoscheck.load.seal import HEADER, Seal, find_seal, read_seal, write_seal


@pytest.mark.parametrize(
    ("destination", "topic", "partition"),
    [(b"payments", "payments", None), (b"payments/3", "payments", 3)],
)
def test_a_seal_tells_what_was_written_and_where_to(
    destination: bytes, topic: str, partition: int | None
) -> None:
    seal = read_seal(write_seal(b"k", b"v", destination))
    assert seal == Seal(crc32(b"k"), crc32(b"v"), topic, partition)


@pytest.mark.parametrize(
    "content", [None, b"", b"1234567", b"12345678", b"12345678/3", b"12345678t/x", b"12345678\xff"]
)
def test_what_is_no_seal_is_none(content: bytes | None) -> None:
    assert read_seal(content) is None


@given(st.none() | st.binary(max_size=20))
def test_no_bytes_break_it(content: bytes | None) -> None:
    read_seal(content)


def test_of_several_the_last_counts() -> None:
    assert find_seal([(HEADER, b"1"), ("x", b"2"), (HEADER, b"3"), ("y", None)]) == (True, b"3")
    assert find_seal([(HEADER, None)]) == (True, None)
    assert find_seal([("x", b"2")]) == (False, None)
    assert find_seal(None) == (False, None)
