"""Frames come out as they went in, wherever the chunks are cut."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eoscheck.wire.frames import MAX_FRAME, SIZE, Framer, NotKafkaError, Piece
from tests.unit.wire.requests import FUZZ

BODIES = st.lists(st.binary(min_size=4, max_size=200), max_size=6)
CUTS = st.lists(st.integers(0, 1300), max_size=20)


def framed(body: bytes) -> bytes:
    return SIZE.pack(len(body)) + body


def cut(data: bytes, cuts: Sequence[int]) -> Sequence[bytes]:
    ends = sorted({0, len(data), *(each for each in cuts if each < len(data))})
    return [data[start:end] for start, end in itertools.pairwise(ends)]


@FUZZ
@given(BODIES, CUTS)
def test_frames_come_whole_whatever_the_chunks(bodies: list[bytes], cuts: list[int]) -> None:
    framer = Framer(least=4)
    stream = b"".join(map(framed, bodies))
    pieces = [piece for chunk in cut(stream, cuts) for piece in framer.feed(chunk)]
    assert [piece.data for piece in pieces] == [framed(body) for body in bodies]
    assert all(piece.first and piece.last for piece in pieces)
    assert framer.drain() == b""


@FUZZ
@given(BODIES, CUTS, st.integers(8, 64))
def test_with_a_head_a_frames_first_piece_has_it_and_the_last_ends_it(
    bodies: list[bytes], cuts: list[int], head: int
) -> None:
    framer = Framer(least=4, head=head)
    stream = b"".join(map(framed, bodies))
    frames: list[bytes] = []
    open_ = False
    for chunk in cut(stream, cuts):
        for piece in framer.feed(chunk):
            assert piece.first is not open_
            if piece.first:
                whole = SIZE.size + SIZE.unpack_from(piece.data)[0]
                assert len(piece.data) >= min(head, whole)
                frames.append(b"")
            frames[-1] += piece.data
            open_ = not piece.last
    assert not open_
    assert frames == [framed(body) for body in bodies]


def test_the_rest_of_a_long_frame_is_not_kept() -> None:
    framer = Framer(least=4, head=16)
    stream = framed(b"x" * 1000)
    assert list(framer.feed(stream[:10])) == []
    assert list(framer.feed(stream[10:500])) == [Piece(stream[:500], first=True, last=False)]
    assert list(framer.feed(stream[500:])) == [Piece(stream[500:], first=False, last=True)]


@FUZZ
@given(st.sampled_from([-1, 0, 3, MAX_FRAME + 1, 0x16030100]), BODIES, CUTS)
def test_an_absurd_size_is_told_after_the_frames_before_with_all_the_rest(
    size: int, bodies: list[bytes], cuts: list[int]
) -> None:
    framer = Framer(least=4)
    good = b"".join(map(framed, bodies))
    bad = SIZE.pack(size) + b"the rest"
    chunks = iter(cut(good + bad, cuts))
    came: list[Piece] = []
    with pytest.raises(NotKafkaError, match=str(size)) as caught:
        for chunk in chunks:
            came.extend(framer.feed(chunk))
    assert b"".join(piece.data for piece in came) == good
    assert caught.value.rest + b"".join(chunks) == bad
