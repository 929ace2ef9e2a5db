"""Records to columns, compiled. Imports numba: import this module only where it is.

One pass over the bytes of a batch: each record is taken apart, and each expression evaluated where
its bytes are still in the processor's cache. Reads nothing outside the payload it is given.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from eoscheck.audit.readers.compiled_json import HARD, INTEGER, MISFIT, TEXT, find
from eoscheck.audit.rows.compiled_hash import crc32, digest, load8, load64, murmur2

KEY, VALUE, HEADER, JSON = 0, 1, 2, 3
"""What a part of an expression reads."""
CONTENT, VALUE_DIGEST, MURMUR2, CRC32 = 0, 1, 2, 3
"""Columns that no expression gives."""
LONGEST_JOINED = 512
"""Bytes of a combination; a longer one is evaluated by Python."""
_CHUNK = 1024
"""Records that are evaluated together: what is known of them stays in the cache."""

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
def _walk(
    data: Any,
    at: int,
    end: int,
    base: int,
    last_delta: int,
    count: int,
    lowest: int,
    cut: int,
    row: int,
    offset: Any,
    place: Any,
    fields: Any,
) -> int:
    """Takes the records of one batch apart; the row after its last, -1 where it is broken.

    `fields`, a row each: start and length of key and value (-1 for null), headers and end.
    """
    before = np.int64(-1)
    taken = 0
    for _ in range(count):
        begin = at
        length, at = _varint(data, at, end)
        if at < 0 or length < _SHORTEST or length > end - at:
            return -1
        stop = at + length
        at = _skip_varlong(data, at + 1, stop)
        if at < 0:
            return -1
        delta, at = _varint(data, at, stop)
        if at < 0 or delta <= before or delta > last_delta:
            return -1
        before = delta
        key, key_length, at = _field(data, at, stop)
        if at < 0:
            return -1
        value, value_length, at = _field(data, at, stop)
        if at < 0:
            return -1
        headers = at
        if at + 1 != stop or load8(data, at) != 0:
            at = _skip_headers(data, at, stop)
            if at != stop:
                return -1
        at = stop
        if lowest <= base + delta < cut:
            offset[row] = base + delta
            place[row] = begin
            fields[taken, 0] = key
            fields[taken, 1] = key_length
            fields[taken, 2] = value
            fields[taken, 3] = value_length
            fields[taken, 4] = headers
            fields[taken, 5] = stop
            taken += 1
            row += 1
    return row if at == end else -1


@njit(cache=True, nogil=True)
def _locate(
    data: Any,
    fields: Any,
    taken: int,
    reads: int,
    first: int,
    last: int,
    names: Any,
    steps: Any,
    spans: Any,
) -> None:
    """Where one part of an expression stands: kind (TEXT, MISFIT or HARD), start and length."""
    for record in range(taken):
        kind, start, length = np.int64(TEXT), np.int64(0), np.int64(-1)
        if reads == KEY:
            start, length = fields[record, 0], fields[record, 1]
        elif reads == VALUE:
            start, length = fields[record, 2], fields[record, 3]
        elif reads == JSON:
            if fields[record, 3] >= 0:
                begin = fields[record, 2]
                found, start, length = find(
                    data, begin, begin + fields[record, 3], names, steps, first, last
                )
                kind = np.int64(TEXT if found == INTEGER else found)
        else:
            start, length = _last_header(
                data, fields[record, 4], fields[record, 5], names, steps[first, 0], steps[first, 1]
            )
        spans[record, 0] = MISFIT if length < 0 else kind
        spans[record, 1] = start
        spans[record, 2] = length


@njit(cache=True, nogil=True)
def _integers(data: Any, spans: Any, taken: int, amounts: Any) -> None:
    """Tells plain integers from text, and from text that is Python's to read."""
    for record in range(taken):
        if spans[record, 0] == TEXT:
            start, length = spans[record, 1], spans[record, 2]
            whole, amount = _integer(data, start, length)
            if whole:
                spans[record, 0] = INTEGER
                amounts[record] = amount
            elif _beyond_ascii(data, start, length):
                spans[record, 0] = HARD


@njit(cache=True, nogil=True)
def _write_digests(data: Any, spans: Any, taken: int, amounts: Any, low: Any, high: Any) -> None:
    for record in range(taken):
        kind = spans[record, 0]
        if kind == INTEGER:
            low[record] = amounts[record]
            high[record] = 0
        elif kind == TEXT:
            low[record], high[record] = digest(data, spans[record, 1], spans[record, 2])
        else:
            low[record] = high[record] = -1


@njit(cache=True, nogil=True)
def _write_numbers(spans: Any, taken: int, amounts: Any, number: Any, known: Any) -> None:
    for record in range(taken):
        whole = spans[record, 0] == INTEGER
        number[record] = amounts[record] if whole else 0
        known[record] = whole


@njit(cache=True, nogil=True)
def _digits_at_end(data: Any, start: int, length: int) -> Any:
    """How many there are, and their number, which is right for at most 18 of them."""
    digits, value, weight = np.int64(0), np.int64(0), np.int64(1)
    while digits < length:
        digit = np.int64(load8(data, start + length - 1 - digits)) - 0x30
        if digit < 0 or digit > 9:
            break
        if digits < _LONGEST:
            value += weight * digit
            weight *= 10
        digits += 1
    return digits, value


@njit(cache=True, nogil=True)
def _write_sources(data: Any, spans: Any, taken: int, low: Any, high: Any) -> None:
    """What stands before the number at the end; the empty text before an integer."""
    for record in range(taken):
        low[record] = high[record] = -1
        kind, start, length = spans[record, 0], spans[record, 1], spans[record, 2]
        if kind == INTEGER:
            low[record], high[record] = digest(data, start, 0)
        elif kind == TEXT:
            digits, _value = _digits_at_end(data, start, length)
            if 0 < digits <= _LONGEST:
                low[record], high[record] = digest(data, start, length - digits)


@njit(cache=True, nogil=True)
def _write_sequence(
    data: Any, spans: Any, taken: int, amounts: Any, number: Any, known: Any
) -> None:
    for record in range(taken):
        number[record] = 0
        known[record] = False
        kind = spans[record, 0]
        if kind == INTEGER:
            number[record] = amounts[record]
            known[record] = True
        elif kind == TEXT:
            digits, value = _digits_at_end(data, spans[record, 1], spans[record, 2])
            if 0 < digits <= _LONGEST:
                number[record] = value
                known[record] = True


@njit(cache=True, nogil=True)
def _write_content(
    data: Any, fields: Any, taken: int, whole: bool, pair: Any, low: Any, high: Any
) -> None:
    """The digest of the value, or (`whole`) of the digests of key and value, as 32 bytes."""
    for record in range(taken):
        value_low = value_high = np.int64(-1)
        if fields[record, 3] >= 0:
            value_low, value_high = digest(data, fields[record, 2], fields[record, 3])
        if whole:
            key_low = key_high = np.int64(-1)
            if fields[record, 1] >= 0:
                key_low, key_high = digest(data, fields[record, 0], fields[record, 1])
            at = 0
            for word in (key_low, key_high, value_low, value_high):
                for place in range(8):
                    pair[at] = (word >> (8 * place)) & 0xFF
                    at += 1
            value_low, value_high = digest(pair, 0, 32)
        low[record] = value_low
        high[record] = value_high


@njit(cache=True, nogil=True)
def _write_home(data: Any, fields: Any, taken: int, kind: int, number: Any, known: Any) -> None:
    for record in range(taken):
        start, length = fields[record, 0], fields[record, 1]
        number[record] = 0
        known[record] = length >= 0
        if length >= 0:
            if kind == MURMUR2:
                number[record] = murmur2(data, start, length)
            else:
                number[record] = crc32(data, start, length)


@njit(cache=True, nogil=True)
def _join(data: Any, spans: Any, taken: int, sizes: Any, joined: Any, first: bool) -> None:
    """Appends a part to the combinations, each in a row of `joined`. A negative size: -1 does not
    fit, -2 is Python's."""
    for record in range(taken):
        size = 0 if first else sizes[record]
        kind, start, length = spans[record, 0], spans[record, 1], spans[record, 2]
        if kind == MISFIT:
            size = -1
        elif kind == HARD and size != -1:
            size = -2
        if size >= 0:
            if size + length + 1 > LONGEST_JOINED or _beyond_ascii(data, start, length):
                size = -2
            else:
                base = record * LONGEST_JOINED
                if not first:
                    joined[base + size] = 0x2B
                    size += 1
                for place in range(start, start + length):
                    byte = load8(data, place)
                    if byte == 0x2B or byte == 0x5C:
                        size = -2
                        break
                    joined[base + size] = byte
                    size += 1
        sizes[record] = size


@njit(cache=True, nogil=True)
def _joined_spans(sizes: Any, taken: int, spans: Any) -> None:
    for record in range(taken):
        size = sizes[record]
        spans[record, 0] = TEXT if size >= 0 else (MISFIT if size == -1 else HARD)
        spans[record, 1] = record * LONGEST_JOINED
        spans[record, 2] = size


@njit(cache=True, nogil=True)
def _evaluate(
    text: Any,
    spans: Any,
    taken: int,
    row: int,
    each: int,
    expressions: Any,
    amounts: Any,
    low: Any,
    high: Any,
    number: Any,
    known: Any,
    kinds: Any,
) -> None:
    """Writes the columns of one expression for the records of one batch."""
    end = row + taken
    for record in range(taken):
        kinds[each, row + record] = spans[record, 0]
    slot = expressions[each, 2]
    if slot >= 0:
        _write_digests(text, spans, taken, amounts, low[slot, row:end], high[slot, row:end])
    slot = expressions[each, 3]
    if slot >= 0:
        _write_numbers(spans, taken, amounts, number[slot, row:end], known[slot, row:end])
    slot = expressions[each, 4]
    if slot >= 0:
        _write_sources(text, spans, taken, low[slot, row:end], high[slot, row:end])
    slot = expressions[each, 5]
    if slot >= 0:
        _write_sequence(text, spans, taken, amounts, number[slot, row:end], known[slot, row:end])


@njit(cache=True, nogil=True)
def _express(
    data: Any,
    fields: Any,
    row: int,
    names: Any,
    steps: Any,
    parts: Any,
    expressions: Any,
    scratch: Any,
    low: Any,
    high: Any,
    number: Any,
    known: Any,
    kinds: Any,
) -> None:
    """Evaluates all expressions for some records of one batch, whose first is `row`."""
    spans, amounts, sizes, joined = scratch
    taken = len(fields)
    for each in range(len(expressions)):
        first, last = expressions[each, 0], expressions[each, 1]
        for part in range(first, last):
            _locate(
                data,
                fields,
                taken,
                parts[part, 0],
                parts[part, 1],
                parts[part, 2],
                names,
                steps,
                spans,
            )
            if last - first > 1:
                _join(data, spans, taken, sizes, joined, part == first)
        if last - first > 1:
            _joined_spans(sizes, taken, spans)
            text = joined
        else:
            _integers(data, spans, taken, amounts)
            text = data
        _evaluate(
            text, spans, taken, row, each, expressions, amounts, low, high, number, known, kinds
        )


@njit(cache=True, nogil=True)
def _extend(
    data: Any,
    fields: Any,
    row: int,
    extras: Any,
    pair: Any,
    low: Any,
    high: Any,
    number: Any,
    known: Any,
) -> None:
    """The columns that no expression gives."""
    taken = len(fields)
    end = row + taken
    for each in range(len(extras)):
        kind, slot = extras[each, 0], extras[each, 1]
        if kind >= MURMUR2:
            _write_home(data, fields, taken, kind, number[slot, row:end], known[slot, row:end])
        else:
            _write_content(
                data, fields, taken, kind == CONTENT, pair, low[slot, row:end], high[slot, row:end]
            )


@njit(cache=True, nogil=True)
def decode(
    data: Any,
    batches: Any,
    names: Any,
    steps: Any,
    parts: Any,
    expressions: Any,
    extras: Any,
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
    most = 0
    for batch in range(len(batches)):
        most = max(most, batches[batch, 4])
    fields = np.empty((most, 6), dtype=np.int64)
    scratch = (
        np.empty((_CHUNK, 3), dtype=np.int64),
        np.empty(_CHUNK, dtype=np.int64),
        np.empty(_CHUNK, dtype=np.int64),
        np.empty(_CHUNK * LONGEST_JOINED, dtype=np.uint8),
    )
    row = 0
    for batch in range(len(batches)):
        if batches[batch, 0] < 0 or batches[batch, 1] > len(data):
            broken[batch] = True
            continue
        after = _walk(
            data,
            batches[batch, 0],
            batches[batch, 1],
            batches[batch, 2],
            batches[batch, 3],
            batches[batch, 4],
            batches[batch, 5],
            batches[batch, 6],
            row,
            offset,
            place,
            fields,
        )
        if after < 0:
            broken[batch] = True
            continue
        for first in range(row, after, _CHUNK):
            last = min(after, first + _CHUNK)
            chunk = fields[first - row : last - row]
            _express(
                data,
                chunk,
                first,
                names,
                steps,
                parts,
                expressions,
                scratch,
                low,
                high,
                number,
                known,
                kinds,
            )
            _extend(data, chunk, first, extras, scratch[3], low, high, number, known)
        row = after
    return row
