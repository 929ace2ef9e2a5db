"""A file's rows as the records of a load: looked through before, and then written at their pace."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eoscheck.errors import UsageError
from eoscheck.history.events import Identity
from eoscheck.load.files import column, read_rows, seconds
from eoscheck.load.pacing import Paced, Timed
from eoscheck.load.senders import Header, Identify
from eoscheck.load.spec import LoadSpec

ID_HEADER = "eoscheck-id"
"""What a record is given that has no identity of its own: its number, from 0."""


class Record(NamedTuple):
    """One record as it is written. `at` is its time in seconds, where the file has times."""

    identity: Identity
    key: bytes | None
    value: bytes
    headers: tuple[Header, ...] = ()
    at: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Survey:
    """All of a file, looked through. `offsets`: seconds after the first record, by `time_column`;
    without one it is empty."""

    count: int
    offsets: NDArray[np.float64]


def records(spec: LoadSpec, *, identify: Identify) -> Iterator[Record]:
    """The rows of `spec.input_file`, in its order.

    A record in which `identify` finds nothing gets a header with its number, and must be known by
    that. Raises UsageError, one line with the line's number, for what is no record.
    """
    path = _path(spec)
    for number, row in enumerate(read_rows(path)):
        key = None
        if spec.key_column is not None:
            found = column(row, spec.key_column, path=path)
            key = None if found is None else str(found).encode()
        headers: tuple[Header, ...] = ()
        identity = identify(key, row.value, None)
        if identity is None:
            headers = ((ID_HEADER, str(number).encode()),)
            identity = identify(key, row.value, headers)
        if identity is None:
            raise UsageError(
                f"{path} line {row.number}: the id expression finds nothing in it: change it, or "
                f"let it be header:{ID_HEADER}, a number that each record without one is given"
            )
        at = 0.0
        if spec.time_column is not None:
            at = seconds(row, spec.time_column, path=path)
        yield Record(identity, key, row.value, headers, at)


def survey(spec: LoadSpec, *, identify: Identify) -> Survey:
    """Reads the whole file once, so that nothing is started for one that is bad: raises UsageError
    as `records`, and where it is empty or its time goes back."""
    path = _path(spec)
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file")
    state = path.stat()
    return _survey(
        spec.input_file or "",
        (str(path.absolute()), state.st_mtime_ns, state.st_size),
        spec.key_column,
        spec.time_column,
        spec.speed,
        identify,
    )


@cache
def _survey(
    path: str,
    _state: tuple[str, int, int],
    key_column: str | None,
    time_column: str | None,
    speed: float,
    identify: Identify,
) -> Survey:
    spec = LoadSpec(
        topic="", input_file=path, key_column=key_column, time_column=time_column, speed=speed
    )
    count = 0
    times: list[float] = []
    for record in records(spec, identify=identify):
        count += 1
        if time_column is not None:
            if times and record.at < times[-1]:
                raise UsageError(
                    f"{path} record {count}: {time_column} goes back by "
                    f"{times[-1] - record.at:g} s: sort the file by it"
                )
            times.append(record.at)
    if not count:
        raise UsageError(f"{path}: there is no record in it")
    offsets = np.array(times, dtype=np.float64)
    return Survey(count=count, offsets=(offsets - offsets[:1]) / speed)


def lasts_s(spec: LoadSpec, found: Survey) -> float:
    """From the first record to the last."""
    if spec.time_column is not None:
        return float(found.offsets[-1])
    return (found.count - 1) / spec.rate


def pacing_of(spec: LoadSpec, found: Survey, *, start: float) -> Paced | Timed:
    if spec.time_column is not None:
        return Timed(found.offsets, start=start)
    return Paced(rate=spec.rate, start=start)


def _path(spec: LoadSpec) -> Path:
    assert spec.input_file is not None
    return Path(spec.input_file)
