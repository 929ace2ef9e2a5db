"""Records to columns, compiled. Imports numba: import this module only where it is.

One pass over the bytes of a batch: each record is taken apart, and each expression evaluated where
its bytes are still in the processor's cache. Reads nothing outside the payload it is given.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from eoscheck.audit.compiled_hash import crc32, digest, load8, load64, murmur2
from eoscheck.audit.compiled_json import HARD, INTEGER, MISFIT, TEXT, find

KEY, VALUE, HEADER, JSON = 0, 1, 2, 3
"""What a part of an expression reads."""
CONTENT, VALUE_DIGEST, MURMUR2, CRC32 = 0, 1, 2, 3
"""Columns that no expression gives."""
LONGEST_JOINED = 4096
"""Bytes of a combination; a longer one is evaluated by Python."""

_SHORTEST = 6  # a record's length at least: attributes, time, offset, key, value, headers
_LONGEST = 18
_TOPS = np.uint64(0x8080808080808080)


@njit(cache=True, nogil=True, inline="always")
def _varint(data: Any, at: int, end: int) -> Any:
    """As `logformat.compiled.varint`, for positions that are never negative."""
    if at >= end:
        return np.int64(0), np.int64(-1)
    byte = load8(data, at)
    if byte < 0x80:
        value = np.int64(byte)
        return (value >> 1) ^ -(value & 1), at + 1
    return _long_varint(data, at, end)


@njit(cache=True, nogil=True)
def _long_varint(data: Any, at: int, end: int) -> Any:
    value = np.int64(0)
    shift = np.int64(0)
    while at < end and shift < 35:
        byte = load8(data, at)
        at += 1
        value |= np.int64(byte & 0x7F) << shift
        if byte < 0x80:
            value &= np.int64(0xFFFFFFFF)
            return (value >> 1) ^ -(value & 1), at
        shift += 7
    return np.int64(0), np.int64(-1)


@njit(cache=True, nogil=True, inline="always")
def _skip_varlong(data: Any, at: int, end: int) -> int:
    for place in range(at, min(at + 10, end)):
        if load8(data, place) < 0x80:
            return place + 1
    return -1


@njit(cache=True, nogil=True, inline="always")
def _field(data: Any, at: int, end: int) -> Any:
    """Start, length (-1 for null) and the position after a field; -1 where it is broken."""
    length, at = _varint(data, at, end)
    if at < 0 or length < -1 or (length > 0 and at + length > end):
        return np.int64(0), np.int64(-1), np.int64(-1)
    return at, length, at + max(length, 0)


@njit(cache=True, nogil=True)
def _skip_headers(data: Any, at: int, end: int) -> int:
    """The position after a record's headers; -1 where they are broken."""
    count, at = _varint(data, at, end)
    if at < 0 or count < 0 or count > end - at:
        return -1
    for _ in range(count):
        _start, length, at = _field(data, at, end)
        if at < 0 or length < 0:
            return -1
        _start, _length, at = _field(data, at, end)
        if at < 0:
            return -1
    return at


@njit(cache=True, nogil=True)
def _last_header(data: Any, at: int, end: int, names: Any, first: int, last: int) -> Any:
    """Start and length of the last header of that name; -1 where there is none, or null."""
    count, at = _varint(data, at, end)
    found, size = np.int64(0), np.int64(-1)
    for _ in range(count):
        name, length, at = _field(data, at, end)
        content, content_length, at = _field(data, at, end)
        if length == last - first:
            same = True
            for place in range(length):
                if load8(data, name + place) != load8(names, first + place):
                    same = False
                    break
            if same:
                found, size = content, content_length
    return found, size


@njit(cache=True, nogil=True)
def _beyond_ascii(data: Any, at: int, length: int) -> bool:
    end = at + length
    while at + 8 <= end:
        if load64(data, at) & _TOPS:
            return True
        at += 8
    while at < end:
        if load8(data, at) >= 0x80:
            return True
        at += 1
    return False


@njit(cache=True, nogil=True)
def _integer(data: Any, at: int, length: int) -> Any:
    """Whether the text is a plain integer (`-?[1-9][0-9]{0,17}|0`), and which."""
    if length == 0 or length > _LONGEST + 1:
        return False, np.int64(0)
    end = at + length
    byte = load8(data, at)
    negative = byte == 0x2D
    if negative:
        at += 1
        if at == end:
            return False, np.int64(0)
        byte = load8(data, at)
    if byte == 0x30:
        return length == 1, np.int64(0)
    if end - at > _LONGEST:
        return False, np.int64(0)
    value = np.int64(0)
    while at < end:
        digit = np.int64(load8(data, at)) - 0x30
        if digit < 0 or digit > 9:
            return False, np.int64(0)
        value = value * 10 + digit
        at += 1
    return True, -value if negative else value


@njit(cache=True, nogil=True)
def _span(
    data: Any,
    part: Any,
    steps: Any,
    names: Any,
    key: int,
    key_length: int,
    value: int,
    value_length: int,
    headers: int,
    end: int,
) -> Any:
    """What one part of an expression reads: kind (TEXT also where it may be an integer), place."""
    reads = part[0]
    if reads == JSON:
        if value_length < 0:
            return MISFIT, np.int64(0), np.int64(0)
        kind, start, length = find(
            data, value, value + value_length, names, steps, part[1], part[2]
        )
        if kind >= MISFIT:
            return kind, np.int64(0), np.int64(0)
    elif reads == KEY:
        start, length = key, key_length
    elif reads == VALUE:
        start, length = value, value_length
    else:
        step = part[1]
        start, length = _last_header(data, headers, end, names, steps[step, 0], steps[step, 1])
    if length < 0:
        return MISFIT, np.int64(0), np.int64(0)
    return TEXT, start, length


@njit(cache=True, nogil=True)
def _join(data: Any, start: int, length: int, joined: Any, size: int, first: bool) -> int:
    """Appends a part to a combination; its new size, -1 where Python has to do it."""
    if size + length + 1 > len(joined) or _beyond_ascii(data, start, length):
        return -1
    if not first:
        joined[size] = 0x2B
        size += 1
    for place in range(start, start + length):
        byte = load8(data, place)
        if byte == 0x2B or byte == 0x5C:
            return -1
        joined[size] = byte
        size += 1
    return size


@njit(cache=True, nogil=True, inline="always")
def _write(
    data: Any,
    start: int,
    length: int,
    row: int,
    slots: Any,
    alone: bool,
    low: Any,
    high: Any,
    number: Any,
    known: Any,
) -> int:
    """One expression's columns of one row, of its text. Returns its kind."""
    whole, amount = _integer(data, start, length) if alone else (False, np.int64(0))
    if not whole and alone and _beyond_ascii(data, start, length):
        return HARD
    if slots[0] >= 0:
        if whole:
            low[slots[0], row] = amount
            high[slots[0], row] = 0
        else:
            low[slots[0], row], high[slots[0], row] = digest(data, start, length)
    if slots[1] >= 0:
        number[slots[1], row] = amount
        known[slots[1], row] = whole
    if slots[2] >= 0 or slots[3] >= 0:
        digits = np.int64(0)
        tail = np.int64(0)
        weight = np.int64(1)
        if not whole:
            while digits < length:
                byte = load8(data, start + length - 1 - digits)
                if byte < 0x30 or byte > 0x39:
                    break
                if digits < _LONGEST:
                    tail += weight * (np.int64(byte) - 0x30)
                    weight *= 10
                digits += 1
        ends = whole or 0 < digits <= _LONGEST
        if slots[2] >= 0:
            if ends:
                source: Any = 0 if whole else length - digits
                low[slots[2], row], high[slots[2], row] = digest(data, start, source)
            else:
                low[slots[2], row] = high[slots[2], row] = -1
        if slots[3] >= 0:
            number[slots[3], row] = (amount if whole else tail) if ends else 0
            known[slots[3], row] = ends
    return INTEGER if whole else TEXT


@njit(cache=True, nogil=True)
def _nothing(row: int, slots: Any, low: Any, high: Any, number: Any, known: Any) -> None:
    for slot in (slots[0], slots[2]):
        if slot >= 0:
            low[slot, row] = high[slot, row] = -1
    for slot in (slots[1], slots[3]):
        if slot >= 0:
            number[slot, row] = 0
            known[slot, row] = False


@njit(cache=True, nogil=True)
def _extra(
    data: Any,
    kind: int,
    slot: int,
    row: int,
    key: int,
    key_length: int,
    value: int,
    value_length: int,
    low: Any,
    high: Any,
    number: Any,
    known: Any,
    joined: Any,
) -> None:
    """A column that no expression gives: content, value, or home."""
    if kind >= MURMUR2:
        known[slot, row] = key_length >= 0
        number[slot, row] = 0
        if key_length >= 0:
            if kind == MURMUR2:
                number[slot, row] = murmur2(data, key, key_length)
            else:
                number[slot, row] = crc32(data, key, key_length)
        return
    value_low = value_high = np.int64(-1)
    if value_length >= 0:
        value_low, value_high = digest(data, value, value_length)
    if kind == CONTENT:
        key_low = key_high = np.int64(-1)
        if key_length >= 0:
            key_low, key_high = digest(data, key, key_length)
        at = 0
        for word in (key_low, key_high, value_low, value_high):
            for place in range(8):
                joined[at] = (word >> (8 * place)) & 0xFF
                at += 1
        value_low, value_high = digest(joined, 0, 32)
    low[slot, row] = value_low
    high[slot, row] = value_high


@njit(cache=True, nogil=True)
def decode(
    data: Any,
    batches: Any,
    names: Any,
    steps: Any,
    parts: Any,
    expressions: Any,
    extras: Any,
    joined: Any,
    offset: Any,
    place: Any,
    kinds: Any,
    low: Any,
    high: Any,
    number: Any,
    known: Any,
    broken: Any,
) -> int:
    """Decodes batches one after another; how many rows it has written.

    `batches`, a row each: start and end of the (decompressed) records in `data`, base offset, last
    offset delta, count, and the offsets from which and below which records are wanted. A batch
    whose records contradict themselves gives no rows, and `broken` is set for it. `expressions`, a
    row each: first and last of its `parts`, slots of identity, number, source and sequence (-1 for
    what is not wanted). `place` is where a row's record begins; `kinds` are those of each row's
    expressions: HARD ones are left to Python.
    """
    row = 0
    for batch in range(len(batches)):
        at, end = batches[batch, 0], batches[batch, 1]
        base, last_delta, count = batches[batch, 2], batches[batch, 3], batches[batch, 4]
        lowest, cut = batches[batch, 5], batches[batch, 6]
        first_row = row
        good = at >= 0 and end <= len(data)
        before = np.int64(-1)
        index = np.int64(0)
        while good and index < count:
            begin = at
            length, at = _varint(data, at, end)
            if at < 0 or length < _SHORTEST or length > end - at:
                good = False
                break
            stop = at + length
            at = _skip_varlong(data, at + 1, stop)
            if at < 0:
                good = False
                break
            delta, at = _varint(data, at, stop)
            if at < 0 or delta <= before or delta > last_delta:
                good = False
                break
            before = delta
            key, key_length, at = _field(data, at, stop)
            if at < 0:
                good = False
                break
            value, value_length, at = _field(data, at, stop)
            if at < 0:
                good = False
                break
            headers = at
            if at + 1 != stop or load8(data, at) != 0:
                at = _skip_headers(data, at, stop)
                if at != stop:
                    good = False
                    break
            at = stop
            index += 1
            here = base + delta
            if here < lowest or here >= cut:
                continue
            offset[row] = here
            place[row] = begin
            for each in range(len(expressions)):
                expression = expressions[each]
                slots = expression[2:]
                first, last = expression[0], expression[1]
                kind, start, size = _span(
                    data,
                    parts[first],
                    steps,
                    names,
                    key,
                    key_length,
                    value,
                    value_length,
                    headers,
                    stop,
                )
                if last - first > 1 and kind < MISFIT:
                    total = _join(data, start, size, joined, 0, True)
                    kind = TEXT if total >= 0 else HARD
                    for one in range(first + 1, last):
                        part_kind, start, size = _span(
                            data,
                            parts[one],
                            steps,
                            names,
                            key,
                            key_length,
                            value,
                            value_length,
                            headers,
                            stop,
                        )
                        if part_kind == MISFIT:
                            kind = MISFIT
                            break
                        if part_kind == HARD:
                            kind = HARD
                        if kind < MISFIT:
                            total = _join(data, start, size, joined, total, False)
                            kind = TEXT if total >= 0 else HARD
                    if kind < MISFIT:
                        kind = _write(joined, 0, total, row, slots, False, low, high, number, known)
                elif kind < MISFIT:
                    kind = _write(data, start, size, row, slots, True, low, high, number, known)
                if kind >= MISFIT:
                    _nothing(row, slots, low, high, number, known)
                kinds[each, row] = kind
            for each in range(len(extras)):
                _extra(
                    data,
                    extras[each, 0],
                    extras[each, 1],
                    row,
                    key,
                    key_length,
                    value,
                    value_length,
                    low,
                    high,
                    number,
                    known,
                    joined,
                )
            row += 1
        if not good or at != end:
            broken[batch] = True
            row = first_row
    return row
