"""A TCP stream of Kafka's, cut into its frames: a size of 4 bytes, and so many bytes."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

SIZE = struct.Struct(">i")
MAX_FRAME = 100 << 20
"""`socket.request.max.bytes`: a broker closes the connection at more."""


class NotKafkaError(Exception):
    """These bytes are no frame. `rest` are those that were not given yet."""

    def __init__(self, reason: str, rest: bytes) -> None:
        super().__init__(reason)
        self.rest = rest


class Piece(NamedTuple):
    """Of a frame, its size included; `first` and `last` where it came whole."""

    data: bytes
    first: bool
    last: bool


class Framer:
    """Takes chunks as they come, and gives frames whole; with `head` a frame's first piece as soon
    as that has so many bytes (or all), and its others as they come.

    `least`, `most`: sizes outside are no frame's.
    """

    def __init__(self, *, least: int, most: int = MAX_FRAME, head: int | None = None) -> None:
        self._least, self._most, self._head = least, most, head
        self._held: list[bytes] = []
        self._have = 0
        self._left = 0  # of the frame whose first piece was given

    def feed(self, data: bytes) -> Iterable[Piece]:
        """To be read to its end. Raises NotKafkaError, after the frames before; the stream cannot
        be cut any more then."""
        if data and not (self._left or self._have) and self._end(data, 0) == len(data):
            return (Piece(data, first=True, last=True),)  # as most come
        return self._cut(data)

    def _cut(self, data: bytes) -> Iterator[Piece]:
        at = 0
        while at < len(data):
            if not (self._left or self._have) and (end := self._end(data, at)):
                yield Piece(data[at:end], first=True, last=True)
                at = end
                continue
            if self._left:
                piece = data[at : at + self._left]
                self._left -= len(piece)
                at += len(piece)
                yield Piece(piece, first=False, last=not self._left)
                continue
            if self._have < SIZE.size and self._have + len(data) - at < SIZE.size:
                self._hold(data[at:])
                return
            if 0 < self._have < SIZE.size:  # rare: put what is held before the rest
                data, at = self.drain() + data[at:], 0
            start = self._held[0] if self._held else data
            size = self._size(start, 0 if self._held else at, data, at)
            wanted = self._first_piece(SIZE.size + size, len(data) - at)
            piece = data[at : at + wanted]
            at += len(piece)
            if len(piece) < wanted:
                self._hold(piece)
                return
            if self._held:
                self._hold(piece)
                piece = self.drain()
            self._left = SIZE.size + size - len(piece)
            yield Piece(piece, first=True, last=not self._left)

    def drain(self) -> bytes:
        """What it holds: the begin of a frame."""
        held = b"".join(self._held)
        self._held.clear()
        self._have = 0
        return held

    def _end(self, data: bytes, at: int) -> int:
        """Of the frame that begins there; 0 where it is not whole, or none."""
        if len(data) - at < SIZE.size:
            return 0
        size: int = SIZE.unpack_from(data, at)[0]
        end = at + SIZE.size + size
        return end if end <= len(data) and self._least <= size <= self._most else 0

    def _size(self, start: bytes, offset: int, data: bytes, at: int) -> int:
        size: int = SIZE.unpack_from(start, offset)[0]
        if not self._least <= size <= self._most:
            rest = self.drain() + data[at:]
            raise NotKafkaError(f"a frame of {size} bytes was announced", rest)
        return size

    def _first_piece(self, whole: int, come: int) -> int:
        """How many more bytes it is of."""
        missing = whole - self._have
        if self._head is None or self._have + come < self._head:
            return missing
        return min(missing, come)

    def _hold(self, data: bytes) -> None:
        self._held.append(data)
        self._have += len(data)
