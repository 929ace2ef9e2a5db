"""Finds one value in a JSON document, compiled. Imports numba: import only where it is.

It agrees with a msgspec decoder of nested structs whose leaf is `int | str`: the whole document
must be valid, names on the way must be there. What it does not decide surely (an escape in a name
or in the text itself, a name that comes twice, text beyond ASCII, deep nesting, anything malformed)
is HARD: Python's evaluation decides.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from eoscheck.audit.rows.compiled_hash import load8, load64, lowest_bit

TEXT, INTEGER, MISFIT, HARD = 0, 1, 2, 3
_DEEPEST = 60
_LONGEST = 18
"""Digits of an integer that is kept as one."""

_u64 = np.uint64
_ONES = _u64(0x0101010101010101)
_TOPS = _u64(0x8080808080808080)
_QUOTES = _u64(0x2222222222222222)
_SLASHES = _u64(0x5C5C5C5C5C5C5C5C)
_SPACES = _u64(0x2020202020202020)


@njit(cache=True, nogil=True, inline="always")
def _blank(byte: Any) -> Any:
    return byte == 0x20 or byte == 0x0A or byte == 0x0D or byte == 0x09


@njit(cache=True, nogil=True, inline="always")
def _skip_blanks(data: Any, at: int, end: int) -> int:
    while at < end and load8(data, at) <= 0x20 and _blank(load8(data, at)):
        at += 1
    return at


@njit(cache=True, nogil=True)
def _hex(byte: Any) -> Any:
    return 0x30 <= byte <= 0x39 or 0x41 <= byte <= 0x46 or 0x61 <= byte <= 0x66


@njit(cache=True, nogil=True, inline="always")
def skip_string(data: Any, at: Any, end: int) -> Any:
    """From after a quote to after the closing one, -1 where that is hard; whether escapes came."""
    escaped = False
    while True:
        while at + 8 <= end:
            word = load64(data, at)
            quote = word ^ _QUOTES
            slash = word ^ _SLASHES
            special = (
                ((quote - _ONES) & ~quote) | ((slash - _ONES) & ~slash) | ((word - _SPACES) & ~word)
            ) & _TOPS
            if special != 0:
                # A borrow can only invent hits above a true one: the lowest is right.
                at += np.int64(lowest_bit(special) >> _u64(3))
                break
            at += 8
        if at >= end:
            return -1, escaped
        byte = load8(data, at)
        if byte == 0x22:
            return at + 1, escaped
        if byte < 0x20:
            return -1, escaped
        if byte != 0x5C:
            at += 1
            continue
        escaped = True
        if at + 1 >= end:
            return -1, escaped
        byte = load8(data, at + 1)
        if byte == 0x75:  # u and four digits; pairs of surrogates are left to Python
            if at + 6 > end:
                return -1, escaped
            for place in range(at + 2, at + 6):
                if not _hex(load8(data, place)):
                    return -1, escaped
            second = load8(data, at + 3)
            if (load8(data, at + 2) | 0x20) == 0x64 and second >= 0x38:
                return -1, escaped
            at += 6
            continue
        if not (
            byte == 0x22
            or byte == 0x5C
            or byte == 0x2F
            or byte == 0x62
            or byte == 0x66
            or byte == 0x6E
            or byte == 0x72
            or byte == 0x74
        ):
            return -1, escaped
        at += 2


@njit(cache=True, nogil=True, inline="always")
def _skip_digits(data: Any, at: int, end: int) -> int:
    while at < end and 0x30 <= load8(data, at) <= 0x39:
        at += 1
    return at


@njit(cache=True, nogil=True, inline="always")
def _skip_number(data: Any, at: int, end: int) -> Any:
    """From its first character to after its last, -1 where that is hard; whether it is whole."""
    if load8(data, at) == 0x2D:
        at += 1
    first = at
    at = _skip_digits(data, at, end)
    if at == first or (load8(data, first) == 0x30 and at > first + 1):
        return -1, False
    whole = True
    if at < end and load8(data, at) == 0x2E:
        whole = False
        first = at + 1
        at = _skip_digits(data, first, end)
        if at == first:
            return -1, False
    if at < end and (load8(data, at) | 0x20) == 0x65:
        whole = False
        at += 1
        if at < end and (load8(data, at) == 0x2B or load8(data, at) == 0x2D):
            at += 1
        first = at
        at = _skip_digits(data, at, end)
        if at == first:
            return -1, False
    return at, whole


@njit(cache=True, nogil=True)
def _skip_word(data: Any, at: int, end: int) -> int:
    """After true, false or null; -1 where it is none."""
    byte = load8(data, at)
    if byte == 0x74 and at + 4 <= end:  # t: rue
        good = load8(data, at + 1) == 0x72 and load8(data, at + 2) == 0x75
        return at + 4 if good and load8(data, at + 3) == 0x65 else -1
    if byte == 0x6E and at + 4 <= end:  # n: ull
        good = load8(data, at + 1) == 0x75 and load8(data, at + 2) == 0x6C
        return at + 4 if good and load8(data, at + 3) == 0x6C else -1
    if byte == 0x66 and at + 5 <= end:  # f: alse
        good = load8(data, at + 1) == 0x61 and load8(data, at + 2) == 0x6C
        good = good and load8(data, at + 3) == 0x73
        return at + 5 if good and load8(data, at + 4) == 0x65 else -1
    return -1


@njit(cache=True, nogil=True, inline="always")
def _is_name(data: Any, at: int, length: int, names: Any, first: int, last: int) -> bool:
    if length != last - first:
        return False
    for place in range(length):  # noqa: SIM110 - compiled better than a generator
        if load8(data, at + place) != load8(names, first + place):
            return False
    return True


@njit(cache=True, nogil=True, inline="always")
def _leaf(data: Any, at: int, end: int) -> Any:
    """What stands at the pointer: kind, start, length, and the position after it."""
    byte = load8(data, at)
    if byte == 0x22:
        after, escaped = skip_string(data, at + 1, end)
        if after < 0 or escaped:
            return HARD, 0, 0, 0
        return TEXT, at + 1, after - at - 2, after
    if byte == 0x2D or 0x30 <= byte <= 0x39:
        after, whole = _skip_number(data, at, end)
        if after < 0:
            return HARD, 0, 0, 0
        if not whole:
            return MISFIT, 0, 0, 0
        negative = byte == 0x2D
        digits = after - at - (1 if negative else 0)
        if digits > _LONGEST or (negative and load8(data, at + 1) == 0x30):
            return HARD, 0, 0, 0
        return INTEGER, at, after - at, after
    return MISFIT, 0, 0, 0  # if the document is malformed here, it fits no better


@njit(cache=True, nogil=True)
def find(data: Any, at: int, end: int, names: Any, steps: Any, first: int, last: int) -> Any:
    """The value that `steps[first:last]` lead to: kind, start and length.

    `steps` are the first and last positions of each name in `names`.
    """
    depth = on_path = 0  # containers open, and how many of them lie on the path
    objects = _u64(0)  # a bit for each open container: is it an object?
    seen = _u64(0)  # a bit for each container on the path: did the name come?
    levels = last - first
    leaf = levels == 0  # the value that comes is the one asked for
    along = levels > 0  # it is the next object on the path
    kind, start, length = MISFIT, 0, 0
    while True:
        # A value.
        at = _skip_blanks(data, at, end)
        if at >= end:
            return HARD, 0, 0
        byte = load8(data, at)
        opened = False
        if leaf:
            kind, start, length, at = _leaf(data, at, end)
            if kind >= MISFIT:
                return kind, 0, 0
        elif byte == 0x7B or byte == 0x5B:
            if along and byte == 0x5B:
                return MISFIT, 0, 0
            if depth >= _DEEPEST:
                return HARD, 0, 0
            bit = _u64(1) << _u64(depth)
            objects = objects | bit if byte == 0x7B else objects & ~bit
            depth += 1
            if along:
                on_path += 1
                seen &= ~(_u64(1) << _u64(on_path))
            opened = True
            at += 1
        elif along:
            return MISFIT, 0, 0
        elif byte == 0x22:
            at, _escaped = skip_string(data, at + 1, end)
        elif byte == 0x2D or 0x30 <= byte <= 0x39:
            at, _whole = _skip_number(data, at, end)
        else:
            at = _skip_word(data, at, end)
        if at < 0:
            return HARD, 0, 0
        leaf = along = False
        # What follows it: ends of containers, a comma, the end.
        while True:
            if depth == 0:
                if _skip_blanks(data, at, end) != end:
                    return HARD, 0, 0
                return kind, start, length
            at = _skip_blanks(data, at, end)
            if at >= end:
                return HARD, 0, 0
            byte = load8(data, at)
            is_object = (objects >> _u64(depth - 1)) & _u64(1) != 0
            if byte == (0x7D if is_object else 0x5D):
                if depth == on_path:
                    if (seen >> _u64(on_path)) & _u64(1) == 0:
                        return MISFIT, 0, 0
                    on_path -= 1
                depth -= 1
                opened = False
                at += 1
                continue
            if not opened:
                if byte != 0x2C:
                    return HARD, 0, 0
                at = _skip_blanks(data, at + 1, end)
            break
        if not is_object:
            continue
        # A name, and its colon.
        if at >= end or load8(data, at) != 0x22:
            return HARD, 0, 0
        after, escaped = skip_string(data, at + 1, end)
        if after < 0:
            return HARD, 0, 0
        if depth == on_path:
            if escaped:
                return HARD, 0, 0
            step = first + on_path - 1
            if _is_name(data, at + 1, after - at - 2, names, steps[step, 0], steps[step, 1]):
                bit = _u64(1) << _u64(on_path)
                if seen & bit:
                    return HARD, 0, 0
                seen |= bit
                leaf = on_path == levels
                along = not leaf
        at = _skip_blanks(data, after, end)
        if at >= end or load8(data, at) != 0x3A:
            return HARD, 0, 0
        at += 1
