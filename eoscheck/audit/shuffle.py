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
from typing import IO, Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

Columns: TypeAlias = Mapping[str, NDArray[Any]]
"""Rows as columns of equal length, by name."""

_FLUSH_ROWS = 1 << 18
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


@dataclass
class _Chunk:
    """Rows of one bucket: in memory, or `at` a place of its file. A column that holds one value
    only is kept as that value."""

    rows: int
    columns: dict[str, NDArray[Any]]
    at: int | None = None


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
            column = np.zeros(found.rows, dtype=dtype)
            at = 0
            for chunk in found.chunks:
                part = column[at : at + chunk.rows]
                at += chunk.rows
                if name in chunk.columns:
                    kept = chunk.columns[name]
                    if len(kept) != 1 or kept[0]:  # zeros are there already
                        part[:] = kept
                else:
                    self._read_column(chunk, name, part)
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
            for _bucket, columns in pending:
                self._keep(0, columns)
            return
        bucket = _joined([each for each, _columns in pending])
        order = np.argsort(bucket, kind="stable")  # 16 bits: a radix sort
        ends = np.cumsum(np.bincount(bucket, minlength=len(self._buckets)))
        sorted_columns = {
            name: _joined([columns[name] for _bucket, columns in pending]) for name in self._dtypes
        }
        sorted_columns = {
            name: column[:1] if _constant(column) else column[order]
            for name, column in sorted_columns.items()
        }
        start = 0
        for number, end in enumerate(ends.tolist()):
            if end > start:
                part = {
                    name: column if len(column) == 1 else column[start:end].copy()
                    for name, column in sorted_columns.items()
                }
                self._store(number, end - start, part)
            start = end

    def _keep(self, number: int, columns: Columns) -> None:
        rows = len(next(iter(columns.values())))
        part = {
            name: column[:1].copy() if _constant(column) else column
            for name, column in columns.items()
        }
        self._store(number, rows, part)

    def _store(self, number: int, rows: int, columns: dict[str, NDArray[Any]]) -> None:
        bucket = self._buckets[number]
        bucket.rows += rows
        size = sum(column.nbytes for column in columns.values())
        if self._budget.take(size):
            self._held += size
            bucket.chunks.append(_Chunk(rows, columns))
        else:
            bucket.chunks.append(self._write(rows, columns))

    def _write(self, rows: int, columns: dict[str, NDArray[Any]]) -> _Chunk:
        if self._file is None:
            self._file = self._budget.open()
        chunk = _Chunk(rows, {}, at=self._end)
        parts = []
        for name in self._dtypes:
            column = columns[name]
            if rows > 1 and len(column) == 1:
                chunk.columns[name] = column
            else:
                parts.append(np.ascontiguousarray(column))
        data = b"".join(part.data.cast("B") for part in parts)
        while data:
            written = os.pwrite(self._file.fileno(), data, self._end)
            self._end += written
            data = data[written:]
        return chunk

    def _read_column(self, chunk: _Chunk, name: str, into: NDArray[Any]) -> None:
        assert self._file is not None
        assert chunk.at is not None
        at = chunk.at
        for each, dtype in self._dtypes.items():
            if each in chunk.columns:
                continue
            if each == name:
                break
            at += chunk.rows * dtype.itemsize
        view = into.data.cast("B")
        done = 0
        while done < len(view):
            got = os.preadv(self._file.fileno(), [view[done:]], at + done)
            if got == 0:
                raise OSError("a spilled file ended early")
            done += got


def bucket_of(hashed: NDArray[np.int64], buckets: int) -> NDArray[np.uint16]:
    """Spreads 64-bit numbers, neighbours too, evenly over a power of two of buckets."""
    if buckets == 1:
        return np.zeros(len(hashed), dtype=np.uint16)
    shift = np.uint64(64 - (buckets.bit_length() - 1))
    return ((hashed.view(np.uint64) * _GOLDEN) >> shift).astype(np.uint16)


def _joined(parts: list[NDArray[Any]]) -> NDArray[Any]:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _constant(column: NDArray[Any]) -> bool:
    """A quick look first: columns are constant, or differ early."""
    if len(column) < 2:
        return False
    return bool(column[0] == column[-1]) and bool((column == column[0]).all())
