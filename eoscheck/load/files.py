"""Rows of a file as records: NDJSON, CSV, Parquet."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from eoscheck.errors import InfrastructureError, UsageError, did_you_mean

_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]+)?")
_MILLISECONDS = 1e11
"""Numbers above that are no seconds since 1970 that anybody means: they would be after 5000."""


class Row(NamedTuple):
    """`number` is that of the line (of the row, in Parquet), from 1; `columns` what it holds, by
    name; `value` the bytes that are written."""

    number: int
    value: bytes
    columns: dict[str, Any]


def read_rows(path: Path) -> Iterator[Row]:
    """Raises UsageError for a file that is of no known kind, or a row that is none, in one line
    with its number; InfrastructureError where the extra for Parquet is not installed."""
    readers: dict[str, Callable[[Path], Iterator[Row]]] = {
        ".ndjson": _ndjson,
        ".jsonl": _ndjson,
        ".csv": _csv,
        ".parquet": _parquet,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        hint = did_you_mean(path.suffix.lower(), readers)
        raise UsageError(f"{path}: input files end in {', '.join(readers)}{hint}")
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file")
    return reader(path)


def column(row: Row, name: str, *, path: Path) -> Any:
    """Raises UsageError where the row does not have it."""
    if name not in row.columns:
        hint = did_you_mean(name, row.columns)
        raise UsageError(f"{path} line {row.number}: no column {name!r}{hint}")
    return row.columns[name]


def seconds(row: Row, name: str, *, path: Path) -> float:
    """A time: ISO 8601 (without a zone: UTC), or seconds or milliseconds since 1970."""
    value = column(row, name, path=path)
    try:
        if isinstance(value, str):
            value = float(value) if _NUMBER.fullmatch(value) else datetime.fromisoformat(value)
        if isinstance(value, datetime):
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value / 1000 if abs(value) > _MILLISECONDS else float(value)
    except ValueError:
        pass  # said below, as of anything else that is no time
    raise UsageError(f"{path} line {row.number}: {name} is no time: {value!r}")


def _ndjson(path: Path) -> Iterator[Row]:
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            value = line.strip()
            if not value:
                continue
            try:
                columns = decode(value)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                raise UsageError(f"{path} line {number}: not a JSON object: {error}") from error
            yield Row(number, value, columns)


def _csv(path: Path) -> Iterator[Row]:
    encode = msgspec.json.Encoder().encode
    with path.open(encoding="utf-8-sig", newline="") as text:
        lines = csv.reader(text, strict=True)
        try:
            names = next(lines, [])
            if not names or len(set(names)) < len(names):
                raise UsageError(f"{path} line 1: a header with a name for each column, each once")
            for cells in lines:
                if not cells:
                    continue
                if len(cells) != len(names):
                    raise UsageError(
                        f"{path} line {lines.line_num}: {len(cells)} columns, not {len(names)}"
                    )
                columns = dict(zip(names, map(_cell, cells), strict=True))
                yield Row(lines.line_num, encode(columns), columns)
        except csv.Error as error:
            raise UsageError(f"{path} line {lines.line_num}: not CSV: {error}") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"{path} after line {lines.line_num}: not UTF-8") from error


def _cell(text: str) -> int | float | str | None:
    """Plain numbers as numbers, nothing as null, all else as text: `007` is no number."""
    if not text:
        return None
    found = _NUMBER.fullmatch(text)
    if found is None:
        return text
    return float(text) if found[2] else int(text)


def _parquet(path: Path) -> Iterator[Row]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise InfrastructureError(
            f"{path}: Parquet needs an extra: pip install 'eoscheck[parquet]'"
        ) from error
    encode = msgspec.json.Encoder().encode
    try:
        with parquet.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches():
                for columns in batch.to_pylist():
                    number += 1
                    try:
                        value = encode(columns)
                    except (TypeError, ValueError) as error:
                        raise UsageError(f"{path} row {number}: {error}") from error
                    yield Row(number, value, columns)
    except (pyarrow.ArrowException, OSError) as error:
        raise UsageError(f"{path}: not Parquet: {' '.join(str(error).split())}") from error
