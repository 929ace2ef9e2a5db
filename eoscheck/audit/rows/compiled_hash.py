"""Compiled hashes. Imports numba: import this module only where it is.

Text is digested by SipHash-2-4 with 128 bits of output (Aumasson and Bernstein, 2012): a
pseudo-random function made for short input. Its key is fixed, so that a sample by digest is the
same in every process; nobody is expected to choose identities that collide.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

_u64 = np.uint64
_K0 = _u64(0x0706050403020100)
_K1 = _u64(0x0F0E0D0C0B0A0908)
_V0 = _K0 ^ _u64(0x736F6D6570736575)
_V1 = _K1 ^ _u64(0x646F72616E646F6D) ^ _u64(0xEE)
_V2 = _K0 ^ _u64(0x6C7967656E657261)
_V3 = _K1 ^ _u64(0x7465646279746573)
_EE = _u64(0xEE)
_DD = _u64(0xDD)
_FF = _u64(0xFF)
_R13, _R16, _R17, _R21, _R32 = _u64(13), _u64(16), _u64(17), _u64(21), _u64(32)
_L51, _L48, _L47, _L43 = _u64(51), _u64(48), _u64(47), _u64(43)

_MURMUR_M = np.uint32(0x5BD1E995)
_MURMUR_SEED = np.uint32(0x9747B28C)


def _crc32_table() -> Any:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (0xEDB88320 if value & 1 else 0)
        table.append(value)
    return np.array(table, dtype=np.uint32)


_CRC32 = _crc32_table()


def _load(bits: int) -> Any:
    """A little-endian load from anywhere in an array of bytes: one instruction, and none of the
    handling of negative positions. The caller has made sure that the bytes are there."""

    @intrinsic
    def load(_typing: Any, data: Any, _at: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array = context.make_array(signature.args[0])(context, builder, arguments[0])
            place = builder.gep(array.data, [arguments[1]])
            loaded = builder.load(builder.bitcast(place, ir.IntType(bits).as_pointer()))
            loaded.align = 1
            return loaded

        kind: Any = {8: types.uint8, 32: types.uint32, 64: types.uint64}[bits]
        return kind(data, types.intp), generate

    return load


def _lowest_bit() -> Any:
    """The number of the lowest bit that is set in a word; of nothing, 64."""

    @intrinsic
    def lowest(_typing: Any, _word: Any) -> Any:
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

        return types.uint64(types.uint64), generate

    return lowest


lowest_bit = _lowest_bit()
load8, load32, load64 = _load(8), _load(32), _load(64)


@njit(cache=True, nogil=True, inline="always")
def _round(v0: Any, v1: Any, v2: Any, v3: Any) -> Any:
    v0 += v1
    v1 = ((v1 << _R13) | (v1 >> _L51)) ^ v0
    v0 = (v0 << _R32) | (v0 >> _R32)
    v2 += v3
    v3 = ((v3 << _R16) | (v3 >> _L48)) ^ v2
    v0 += v3
    v3 = ((v3 << _R21) | (v3 >> _L43)) ^ v0
    v2 += v1
    v1 = ((v1 << _R17) | (v1 >> _L47)) ^ v2
    v2 = (v2 << _R32) | (v2 >> _R32)
    return v0, v1, v2, v3


@njit(cache=True, nogil=True)
def siphash(data: Any, at: int, length: int) -> Any:
    """The two halves of the plain digest, as unsigned numbers."""
    v0, v1, v2, v3 = _V0, _V1, _V2, _V3
    whole = at + (length & ~7)
    while at < whole:
        word = load64(data, at)
        v3 ^= word
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
        v0 ^= word
        at += 8
    word = _u64(length) << _u64(56)
    for place in range(length & 7):
        word |= _u64(load8(data, at + place)) << _u64(8 * place)
    v3 ^= word
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    v0 ^= word
    v2 ^= _EE
    for _ in range(4):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    first = v0 ^ v1 ^ v2 ^ v3
    v1 ^= _DD
    for _ in range(4):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return first, v0 ^ v1 ^ v2 ^ v3


@njit(cache=True, nogil=True)
def digest(data: Any, at: int, length: int) -> Any:
    """Low and high half; never as an integer's (high 0), never as nothing's (both -1)."""
    first, second = siphash(data, at, length)
    low, high = np.int64(first), np.int64(second)
    if high == 0:
        high = np.int64(1)
    elif high == -1 and low == -1:
        high = np.int64(-2)
    return low, high


@njit(cache=True, nogil=True)
def digest_many(data: Any, ends: Any, low: Any, high: Any) -> None:
    """Of the texts that follow one another in `data` and end at `ends`."""
    at = 0
    for row in range(len(ends)):
        low[row], high[row] = digest(data, at, ends[row] - at)
        at = ends[row]


@njit(cache=True, nogil=True)
def murmur2(data: Any, at: int, length: int) -> int:
    """Of Java's default partitioner (`Utils.murmur2`), its sign dropped as there."""
    h = _MURMUR_SEED ^ np.uint32(length)
    whole = at + (length & ~3)
    while at < whole:
        k = np.uint32(load32(data, at) * _MURMUR_M)
        k ^= k >> np.uint32(24)
        k = np.uint32(k * _MURMUR_M)
        h = np.uint32(np.uint32(h * _MURMUR_M) ^ k)
        at += 4
    left = length & 3
    if left == 3:
        h ^= np.uint32(data[at + 2]) << np.uint32(16)
    if left >= 2:
        h ^= np.uint32(data[at + 1]) << np.uint32(8)
    if left >= 1:
        h ^= np.uint32(data[at])
        h = np.uint32(h * _MURMUR_M)
    h ^= h >> np.uint32(13)
    h = np.uint32(h * _MURMUR_M)
    h ^= h >> np.uint32(15)
    return np.int64(h & np.uint32(0x7FFFFFFF))  # type: ignore[return-value]


@njit(cache=True, nogil=True)
def crc32(data: Any, at: int, length: int) -> int:
    """Of librdkafka's partitioners, which is zlib's."""
    value = np.uint32(0xFFFFFFFF)
    for place in range(at, at + length):
        value = _CRC32[(value ^ load8(data, place)) & np.uint32(0xFF)] ^ (value >> np.uint32(8))
    return np.int64(value ^ np.uint32(0xFFFFFFFF))  # type: ignore[return-value]
