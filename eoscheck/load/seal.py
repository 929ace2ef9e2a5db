"""A header by which a record says what it was when it was written, and where it was to go.

The writer's own word: checksums of key and value, and the topic (and the partition, where one was
chosen). Whoever reads the record at its destination can tell a record that was changed on its way,
and one that a client sent to another topic (KAFKA-19012).
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct, error
from typing import NamedTuple, TypeAlias
from zlib import crc32

HEADER = "eoscheck-seal"

Headers: TypeAlias = Sequence[tuple[str, bytes | None]] | None
_sums = Struct(">II")


class Seal(NamedTuple):
    """`key` and `value` are CRC-32 of the bytes."""

    key: int
    value: int
    topic: str
    partition: int | None = None


def write_seal(key: bytes, value: bytes, destination: bytes) -> bytes:
    """The header's content: both checksums in 4 bytes each, big-endian, and `destination`: a topic,
    or a topic and a partition (`payments/3`)."""
    return _sums.pack(crc32(key), crc32(value)) + destination


def read_seal(content: bytes | None) -> Seal | None:
    """None for what is no seal: a seal is a thing that can be damaged too."""
    try:
        key, value = _sums.unpack_from(content or b"")
        topic, slash, partition = (content or b"")[_sums.size :].decode("ascii").partition("/")
        return Seal(key, value, topic, int(partition) if slash else None) if topic else None
    except (error, ValueError):
        return None


def find_seal(headers: Headers) -> tuple[bool, bytes | None]:
    """Whether a record has a seal, and its content: of several the last."""
    for name, content in reversed(headers or ()):
        if name == HEADER:
            return True, content
    return False, None
