"""Brings rows that belong together into one place that fits in memory: a shuffle, as Spark says it.

Rows go into buckets by a hash (of an identity, of a key) or by a range. They stay in memory while
their audit's `Budget` has room, and are on disk after that.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from eoscheck.closing import Closing

Columns: TypeAlias = Mapping[str, NDArray[Any]]
"""Rows as columns of equal length, by name."""

_FLUSH_ROWS = 1 << 17
_NARROW = (np.uint8, np.uint16, np.uint32)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: spreads neighbours (Fibonacci hash)


class Budget(Closing):
    """How many bytes of rows an audit may hold in memory, and where the others go.

    A context manager. Its files have no name: nothing is left even where this process is killed.
    """

    def __init__(self, *, rows_bytes: int, shard_rows: int) -> None:
        self.free_bytes = rows_bytes
        self.shard_rows = shard_rows
        self._files: list[IO[bytes]] = []

    def buckets(self, rows: int) -> int:
        """How many, a power of two, so that each of evenly spread `rows` can be worked on."""
        wanted = max(1, -(-rows // self.shard_rows))
        return 1 << (wanted - 1).bit_length()

    def take(self, size: int) -> bool:
        """True where there is still room for so many bytes, which are taken then."""
        if size > self.free_bytes:
            return False
        self.free_bytes -= size
        return True

    def give_back(self, size: int) -> None:
        self.free_bytes += size

    def open(self) -> IO[bytes]:
        """A new file in the temporary folder (TMPDIR)."""
        handle = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        self._files.append(handle)
        return handle

    def close(self) -> None:
        for handle in self._files:
            handle.close()
        self._files.clear()


class _Packed(NamedTuple):
    """A column of one chunk, in as few bytes as it takes: `base` plus `rest` (`dtype`), which is
    None where every row holds `base`. `rest` is in memory, or `at` a place of the file."""

    base: int
    dtype: np.dtype[Any]
    rest: NDArray[Any] | None = None
    at: int = -1


@dataclass(frozen=True)
class _Chunk:
    """Rows that came together, in the order of their buckets; `ends` says where each bucket's end,
    and None that all are of the only bucket. One object for many rows: at a hundred million rows
    one for each bucket of each chunk would take more memory than the rows."""

    rows: int
    ends: NDArray[np.int32] | None
    columns: dict[str, _Packed]

    def span(self, bucket: int) -> tuple[int, int]:
        if self.ends is None:
            return 0, self.rows
        return int(self.ends[bucket - 1]) if bucket else 0, int(self.ends[bucket])


class Shuffle:
    """Rows in `buckets` buckets; within each they keep the order in which they came."""

    def __init__(self, *, buckets: int, budget: Budget) -> None:
        self._buckets = buckets
        self._chunks: list[_Chunk] = []
        self._budget = budget
        self._held = 0
        self._pending: list[tuple[NDArray[np.uint16], Columns]] = []
        self._pending_rows = 0
        self._file: IO[bytes] | None = None
        self._end = 0
        self._dtypes: dict[str, np.dtype[Any]] = {}

    def __len__(self) -> int:
        """How many buckets."""
        return self._buckets

    def add(self, bucket: NDArray[np.uint16], columns: Columns) -> None:
        """`bucket` says where each row goes. The columns' names are always the same."""
        rows = len(bucket)
        if rows == 0:
            self._learn(columns)
            return
        self._pending.append((bucket, columns))
        self._pending_rows += rows
        if self._pending_rows >= _FLUSH_ROWS:
            self._flush()

    def rows(self, bucket: int) -> int:
        self._flush()
        spans = (chunk.span(bucket) for chunk in self._chunks)
        return sum(end - start for start, end in spans)

    def read(self, bucket: int) -> dict[str, NDArray[Any]]:
        """All rows of a bucket: columns of their own, empty ones where nothing was added."""
        rows = self.rows(bucket)
        columns = {name: np.empty(rows, dtype=dtype) for name, dtype in self._dtypes.items()}
        at = 0
        for chunk in self._chunks:
            start, end = chunk.span(bucket)
            if start == end:
                continue
            for name, column in columns.items():
                self._unpack(chunk.columns[name], start, column[at : at + end - start])
            at += end - start
        return columns

    def clear(self) -> None:
        """Frees what is held in memory; what is on disk goes with the budget."""
        self._budget.give_back(self._held)
        self._held = 0
        self._chunks = []

    def _learn(self, columns: Columns) -> None:
        if not self._dtypes:
            self._dtypes = {name: column.dtype for name, column in columns.items()}

    def _flush(self) -> None:
        if not self._pending:
            return
        pending, self._pending, self._pending_rows = self._pending, [], 0
        self._learn(pending[0][1])
        if self._buckets == 1:
            for bucket, columns in pending:
                packed = {name: _pack(columns[name], None) for name in self._dtypes}
                self._store(len(bucket), None, packed)
            return
        bucket = _joined([each for each, _columns in pending])
        order = np.argsort(bucket, kind="stable")  # 16 bits: a radix sort
        ends = np.cumsum(np.bincount(bucket, minlength=self._buckets)).astype(np.int32)
        packed = {
            name: _pack(_joined([columns[name] for _bucket, columns in pending]), order)
            for name in self._dtypes
        }
        self._store(len(bucket), ends, packed)

    def _store(
        self, rows: int, ends: NDArray[np.int32] | None, columns: dict[str, _Packed]
    ) -> None:
        size = sum(column.rest.nbytes for column in columns.values() if column.rest is not None)
        if self._budget.take(size):
            self._held += size
            # What is held is held alone: a view would keep what it was taken from.
            columns = {
                name: column
                if column.rest is None or column.rest.base is None
                else column._replace(rest=column.rest.copy())
                for name, column in columns.items()
            }
        else:
            columns = self._write(columns)
        self._chunks.append(_Chunk(rows, ends, columns))

    def _write(self, columns: dict[str, _Packed]) -> dict[str, _Packed]:
        if self._file is None:
            self._file = self._budget.open()
        written, parts, at = {}, [], self._end
        for name, column in columns.items():
            if column.rest is None:
                written[name] = column
                continue
            written[name] = column._replace(rest=None, at=at)
            parts.append(np.ascontiguousarray(column.rest).data.cast("B"))
            at += column.rest.nbytes
        data = memoryview(b"".join(parts))
        while data:
            done = os.pwrite(self._file.fileno(), data, self._end)
            self._end += done
            data = data[done:]
        return written

    def _unpack(self, column: _Packed, start: int, into: NDArray[Any]) -> None:
        """The rows from `start` on of one column, as many as there is room for."""
        if column.rest is None and column.at < 0:
            into[:] = column.base
            return
        if column.rest is not None:
            rest = column.rest[start : start + len(into)]
        else:
            rest = np.empty(len(into), dtype=column.dtype)
            self._load(rest.data.cast("B"), column.at + start * column.dtype.itemsize)
        np.copyto(into, rest, casting="unsafe")
        if column.base:
            into += column.base

    def _load(self, into: memoryview, at: int) -> None:
        assert self._file is not None
        done = 0
        while done < len(into):
            got = os.preadv(self._file.fileno(), [into[done:]], at + done)
            if got == 0:
                raise OSError("a spilled file ended early")
            done += got


def _pack(column: NDArray[Any], order: NDArray[np.int64] | None) -> _Packed:
    """In `order`; a column of small differences takes one, two or four bytes a row."""
    if column.dtype == np.bool_:
        column = column.view(np.uint8)
    low, high = int(column.min()), int(column.max())
    if low == high:
        return _Packed(low, column.dtype)
    for dtype in _NARROW:
        if high - low <= np.iinfo(dtype).max and np.dtype(dtype).itemsize < column.dtype.itemsize:
            column = (column - low).astype(dtype)
            break
    else:
        low = 0
    return _Packed(low, column.dtype, column if order is None else column[order])


def bucket_of(hashed: NDArray[np.int64], buckets: int) -> NDArray[np.uint16]:
    """Spreads 64-bit numbers, neighbours too, evenly over a power of two of buckets."""
    if buckets == 1:
        return np.zeros(len(hashed), dtype=np.uint16)
    shift = np.uint64(64 - (buckets.bit_length() - 1))
    return ((hashed.view(np.uint64) * _GOLDEN) >> shift).astype(np.uint16)


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
