"""Identities as numbers: compact columns that a check can sort, join and count.

An identity takes 16 bytes whatever its length: an integer is kept as it is, text as its 128-bit
BLAKE2b digest. Two of 10^12 different texts share a digest with a chance below 10^-14, so that
comparing digests is exact for all practical purposes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from eoscheck.history.events import Identity

Integers: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]

_DIGITS = "0123456789"
_LONGEST = 18
"""Digits of a number that surely fits in 64 bits."""
_PLAIN = range(-(10**_LONGEST) + 1, 10**_LONGEST)
"""Integers that are kept as they are; a longer one is taken as text, as it is in a key."""
_INT64 = range(-(2**63), 2**63)
_NOTHING = b"\xff" * 16
_row = struct.Struct("<qq").pack


class Digests(NamedTuple):
    """Two columns of 64 bits. `high` is 0 for an integer, whose value is `low`; both are -1 where
    there is no identity."""

    low: Integers
    high: Integers

    def known(self) -> Flags:
        return np.asarray((self.low != -1) | (self.high != -1))


def encode(identities: Sequence[Identity | None]) -> tuple[Digests, Flags | None]:
    """Digests of `identities`, and which of them are there (None where all are)."""
    kinds = set(map(type, identities))
    if kinds == {int} and all(map(_PLAIN.__contains__, identities)):
        low = np.array(identities, dtype=np.int64)
        return Digests(low, np.zeros_like(low)), None
    if kinds == {str}:
        rows = [blake2b(text.encode(), digest_size=16).digest() for text in identities]  # type: ignore[union-attr]
    else:
        rows = [_digest(each) for each in identities]
    table = np.frombuffer(b"".join(rows), dtype="<i8").reshape(-1, 2)
    known = None if type(None) not in kinds else np.array([i is not None for i in identities])
    return Digests(table[:, 0].copy(), table[:, 1].copy()), known


def encode_repeating(identities: Sequence[Identity | None]) -> Digests:
    """The same for a column in which values come again and again: each is digested once."""
    distinct = {each: number for number, each in enumerate(dict.fromkeys(identities))}
    digests, _known = encode(list(distinct))
    number = np.array([distinct[each] for each in identities], dtype=np.int64)
    return Digests(digests.low[number], digests.high[number])


def _digest(identity: Identity | None) -> bytes:
    if isinstance(identity, str):
        return blake2b(identity.encode(), digest_size=16).digest()
    if identity is None:
        return _NOTHING
    if identity in _PLAIN:
        return _row(identity, 0)
    return _digest(str(identity))


def as_numbers(found: Sequence[Identity | None]) -> tuple[Integers, Flags | None]:
    """64-bit integers, and which of them are there (None where all are): text never is."""
    if set(map(type, found)) == {int}:
        try:
            return np.array(found, dtype=np.int64), None
        except OverflowError:
            pass  # a larger one among them: told apart below
    known = np.array([isinstance(each, int) and each in _INT64 for each in found], dtype=np.bool_)
    values = [each if fits else 0 for each, fits in zip(found, known, strict=True)]
    return np.array(values, dtype=np.int64), known


def as_sequence(
    identities: Sequence[Identity | None],
) -> tuple[list[Identity | None], list[Identity | None]]:
    """Sources and numbers: `order-17` is number 17 of `order-`, an integer one of the source ``.

    Both None where the identity does not end in a number; one that does not fit in 64 bits is none.
    """
    if set(map(type, identities)) == {int}:
        return [""] * len(identities), list(identities)
    try:
        prefixes = [text.rstrip(_DIGITS) for text in identities]  # type: ignore[union-attr]
        return prefixes, [
            int(text[len(prefix) :])  # type: ignore[index]
            for text, prefix in zip(identities, prefixes, strict=True)
        ]
    except (AttributeError, ValueError):
        pass  # not all of them end in a number: one by one
    pairs = [_source_and_number(each) for each in identities]
    return [source for source, _number in pairs], [number for _source, number in pairs]


def split_number(text: str) -> tuple[str, str]:
    """The text before the digits at its end, and those digits."""
    source = text.rstrip(_DIGITS)
    return source, text[len(source) :]


def _source_and_number(identity: Identity | None) -> tuple[str | None, int | None]:
    if isinstance(identity, str):
        source, digits = split_number(identity)
        return (source, int(digits)) if 0 < len(digits) <= _LONGEST else (None, None)
    return (None if identity is None else ""), identity


def enumerate_identities(*columns: Digests) -> tuple[list[Integers], int]:
    """Numbers equal identities alike, from 0 and over all columns: codes of each column, and how
    many different identities there are."""
    low = np.concatenate([column.low for column in columns])
    high = np.concatenate([column.high for column in columns])
    order = np.argsort(low)
    low_changes = np.diff(low[order]) != 0
    high_changes = np.diff(high[order]) != 0
    if np.any(high_changes & ~low_changes):
        # Two digests that agree in 64 bits only: sort by all 128 to bring equal ones together.
        order = np.lexsort((high, low))
        low_changes = np.diff(low[order]) != 0
        high_changes = np.diff(high[order]) != 0
    codes = np.zeros(len(low), dtype=np.int64)
    codes[order[1:]] = np.cumsum(low_changes | high_changes)
    total = int(codes.max()) + 1 if len(codes) else 0
    ends = np.cumsum([len(column.low) for column in columns])
    return np.split(codes, ends[:-1]), total
