"""The flexible versions' numbers and tagged fields (KIP-482)."""

from __future__ import annotations


def read_uvarint(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """The number, and where the next field begins. Raises IndexError at the end of the data."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 28:
            raise ValueError("a number of more than 32 bits")


def skip_tags(data: bytes | memoryview, at: int) -> int:
    """Where the next field begins: of each tagged field come a tag, a size and its bytes."""
    if not data[at]:  # none, as ever today
        return at + 1
    count, at = read_uvarint(data, at)
    for _ in range(count):
        _, at = read_uvarint(data, at)
        size, at = read_uvarint(data, at)
        at += size
    return at
