"""How many keys have state: as many as there are, a fixed number of buckets, or a sample."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from hashlib import blake2b
from typing import TypeAlias

CountedBy: TypeAlias = Callable[[str, int], str | None]
"""`counted_by(key, partition)`: the key that its views are counted by; None: they are left out."""

_HASHES = 2**64


def each_key(key: str, _: int) -> str | None:
    return key


def in_buckets(buckets: int) -> CountedBy:
    """At most `buckets` keys in each partition of the input.

    A bucket belongs to one partition: keys of two partitions that shared a bucket would be counted
    by two tasks, neither of which knew the whole count.
    """

    def counted_by(key: str, partition: int) -> str | None:
        return f"{partition}-{_hash(key) % buckets}"

    return counted_by


def sampled(share: Fraction) -> CountedBy:
    """The keys with the lowest hashes: always the same, and a smaller sample is part of a larger
    one."""
    limit = share * _HASHES

    def counted_by(key: str, _: int) -> str | None:
        return key if _hash(key) < limit else None

    return counted_by


def _hash(key: str) -> int:
    """Not Python's, which differs between processes; not murmur2, by which keys are partitioned:
    all keys of one partition would fall into few buckets."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big")
