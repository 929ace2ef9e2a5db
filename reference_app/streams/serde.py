"""How keys and values become bytes: two functions, and nothing between them and the hot loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

T = TypeVar("T")


@dataclass(frozen=True)
class Serde(Generic[T]):
    """`encode` must be the inverse of `decode`; both raise on what they cannot handle."""

    encode: Callable[[T], bytes]
    decode: Callable[[bytes], T]


STRING: Serde[str] = Serde(encode=str.encode, decode=bytes.decode)
"""UTF-8, as Kafka's StringSerializer writes it: Java and Python agree on keys' partitions."""


def json(kind: type[T]) -> Serde[T]:
    """JSON through msgspec; `kind` is best a frozen `msgspec.Struct` with `gc=False`."""
    encoder: Any = msgspec.json.Encoder()
    return Serde(encode=encoder.encode, decode=msgspec.json.Decoder(kind).decode)
