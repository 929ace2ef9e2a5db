"""The digest of a text: 128 bits, one function for a whole audit.

Where numba is installed it is that of the compiled reader (SipHash-2-4-128), else BLAKE2b, and also
where an audit is too small for loading compiled code. Digests of two audits are never compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from hashlib import blake2b
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from eoscheck.logformat.compiling import compiled_module, compiles

Integers: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]

_WORDS = np.dtype("<i8")


class Digests(NamedTuple):
    """Two columns of 64 bits. `high` is 0 for an integer, whose value is `low`; both are -1 where
    there is no identity."""

    low: Integers
    high: Integers

    def known(self) -> Flags:
        return np.asarray((self.low != -1) | (self.high != -1))


_wanted: ContextVar[bool] = ContextVar("compiled_digests", default=True)


@contextmanager
def digesting(*, compiled: bool) -> Iterator[None]:
    """Within the block: by compiled code, where that is there, or without it."""
    token = _wanted.set(compiled)
    try:
        yield
    finally:
        _wanted.reset(token)


def digest_all(texts: Sequence[bytes]) -> Digests:
    """Of each text. None looks like an integer's (high 0) or like nothing (both -1)."""
    compiled = _compiled() if _wanted.get() else None
    if compiled is None:
        rows = b"".join([blake2b(text, digest_size=16).digest() for text in texts])
        table = np.frombuffer(rows, dtype=_WORDS).reshape(-1, 2)
        low, high = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)
        high[high == 0] = 1
        high[(high == -1) & (low == -1)] = -2
        return Digests(low, high)
    data = np.frombuffer(bytearray(b"".join(texts)), dtype=np.uint8)
    ends = np.cumsum(np.fromiter(map(len, texts), dtype=np.int64, count=len(texts)))
    low = np.empty(len(texts), dtype=np.int64)
    high = np.empty(len(texts), dtype=np.int64)
    compiled(data, ends, low, high)
    return Digests(low, high)


def digest_values(values: Sequence[bytes | None]) -> Digests:
    """The column `value` of a block: digests of raw values, nothing for a tombstone."""
    digests = digest_all([value if value is not None else b"" for value in values])
    absent = np.array([value is None for value in values], dtype=np.bool_)
    digests.low[absent] = digests.high[absent] = -1
    return digests


def digest_contents(keys: Sequence[bytes | None], values: Sequence[bytes | None]) -> Digests:
    """The column `content`: the digest of a key's digest and a value's, as 32 bytes."""
    pair = [*digest_values(keys), *digest_values(values)]
    rows = np.column_stack([column.astype(_WORDS) for column in pair]).tobytes()
    return digest_all([rows[at : at + 32] for at in range(0, len(rows), 32)])


@cache
def _compiled() -> Any:
    return compiled_module("eoscheck.audit.rows.compiled_hash").digest_many if compiles() else None
