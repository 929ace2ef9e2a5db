"""Brings rows that belong together into one place that fits in memory: a shuffle, as Spark says it.

Rows go into buckets by a hash (of an identity, of a key) or by a range. They stay in memory while
their audit's `Budget` has room, and are on disk after that.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Any, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

Columns: TypeAlias = Mapping[str, NDArray[Any]]
"""Rows as columns of equal length, by name."""

_FLUSH_ROWS = 1 << 18
_NARROW = (np.uint8, np.uint16, np.uint32)
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: spreads neighbours (Fibonacci hash)


class Budget:
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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


@dataclass
class _Chunk:
    """Rows of one bucket."""

    rows: int
    columns: dict[str, _Packed]


@dataclass
class _Bucket:
    chunks: list[_Chunk] = field(default_factory=list)
    rows: int = 0


class Shuffle:
    """Rows in `buckets` buckets; within each they keep the order in which they came."""

    def __init__(self, *, buckets: int, budget: Budget) -> None:
        self._buckets = [_Bucket() for _ in range(buckets)]
        self._budget = budget
        self._held = 0
        self._pending: list[tuple[NDArray[np.uint16], Columns]] = []
        self._pending_rows = 0
        self._file: IO[bytes] | None = None
        self._end = 0
        self._dtypes: dict[str, np.dtype[Any]] = {}

    def __len__(self) -> int:
        """How many buckets."""
        return len(self._buckets)

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
        return self._buckets[bucket].rows

    def read(self, bucket: int) -> dict[str, NDArray[Any]]:
        """All rows of a bucket: columns of their own, empty ones where nothing was added."""
        self._flush()
        found = self._buckets[bucket]
        columns: dict[str, NDArray[Any]] = {}
        for name, dtype in self._dtypes.items():
            column = np.empty(found.rows, dtype=dtype)
            at = 0
            for chunk in found.chunks:
                self._unpack(chunk.columns[name], column[at : at + chunk.rows])
                at += chunk.rows
            columns[name] = column
        return columns

    def clear(self) -> None:
        """Frees what is held in memory; what is on disk goes with the budget."""
        self._budget.give_back(self._held)
        self._held = 0
        self._buckets = [_Bucket() for _ in self._buckets]

    def _learn(self, columns: Columns) -> None:
        if not self._dtypes:
            self._dtypes = {name: column.dtype for name, column in columns.items()}

    def _flush(self) -> None:
        if not self._pending:
            return
        pending, self._pending, self._pending_rows = self._pending, [], 0
        self._learn(pending[0][1])
        if len(self._buckets) == 1:
            for bucket, columns in pending:
                self._store(
                    0, len(bucket), {name: _pack(columns[name], None) for name in self._dtypes}
                )
            return
        packed: dict[str, _Packed] = {}
        bucket = _joined([each for each, _columns in pending])
        order = np.argsort(bucket, kind="stable")  # 16 bits: a radix sort
        ends = np.cumsum(np.bincount(bucket, minlength=len(self._buckets)))
        for name in self._dtypes:
            column = _joined([columns[name] for _bucket, columns in pending])
            packed[name] = _pack(column, order)
        start = 0
        for number, end in enumerate(ends.tolist()):
            if end > start:
                self._store(
                    number, end - start, {n: _part(c, start, end) for n, c in packed.items()}
                )
            start = end

    def _store(self, number: int, rows: int, columns: dict[str, _Packed]) -> None:
        bucket = self._buckets[number]
        bucket.rows += rows
        size = sum(column.rest.nbytes for column in columns.values() if column.rest is not None)
        if self._budget.take(size):
            self._held += size
            # Copies: a view would keep the rows of all buckets in memory.
            columns = {
                name: column._replace(rest=None if column.rest is None else column.rest.copy())
                for name, column in columns.items()
            }
        else:
            columns = self._write(columns)
        bucket.chunks.append(_Chunk(rows, columns))

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

    def _unpack(self, column: _Packed, into: NDArray[Any]) -> None:
        if column.rest is None and column.at < 0:
            into[:] = column.base
            return
        rest = column.rest
        if rest is None:
            rest = np.empty(len(into), dtype=column.dtype)
            self._load(rest.data.cast("B"), column.at)
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


def _part(column: _Packed, start: int, end: int) -> _Packed:
    return column if column.rest is None else column._replace(rest=column.rest[start:end])


def bucket_of(hashed: NDArray[np.int64], buckets: int) -> NDArray[np.uint16]:
    """Spreads 64-bit numbers, neighbours too, evenly over a power of two of buckets."""
    if buckets == 1:
        return np.zeros(len(hashed), dtype=np.uint16)
    shift = np.uint64(64 - (buckets.bit_length() - 1))
    return ((hashed.view(np.uint64) * _GOLDEN) >> shift).astype(np.uint16)


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
