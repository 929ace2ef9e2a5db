"""A store's contents as NDJSON, one object a line (docs/state.md). Read as a stream."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from eoscheck.audit.checks.tables import NOBODY, TableRows
from eoscheck.audit.identity import parse
from eoscheck.audit.oracles.windows import StreamTimes, window_expression, windowed_key
from eoscheck.audit.rows.block import Numbers
from eoscheck.audit.rows.columns import Digests, Integers, as_numbers, encode
from eoscheck.audit.rows.digests import digest_values
from eoscheck.errors import UsageError
from eoscheck.history.events import Identity

_BLOCK_LINES = 20_000
_TO_THE_END = 2**63 - 1
_SHOWN_BYTES = 60

_Field = msgspec.Raw | msgspec.UnsetType


class _Line(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """An entry has a key, a header none."""

    partition: int | None = None
    key: _Field = msgspec.UNSET
    value: _Field = msgspec.UNSET
    window: int | None = None
    changelog: str | None = None
    offset: int | msgspec.UnsetType | None = msgspec.UNSET
    stream_time_ms: int | None = None


class _Entry(NamedTuple):
    partition: int
    key: bytes
    value: bytes | None
    window: int | None


@dataclass(frozen=True, kw_only=True)
class DumpBlock:
    """Entries in the order of the file. `position` is where each line begins in it, in bytes;
    `partition` is -1 where the dump knows none. `key` is as the expression `key` has it."""

    partition: Integers
    position: Integers
    key: Digests
    value: Digests
    window: Numbers | None

    def __len__(self) -> int:
        return len(self.position)


@dataclass(kw_only=True)
class Dump:
    """One file. The rest is known once all its `blocks` were taken.

    `window` says where keys hold the start of their window (`windows.py`), None for a store
    without. `below`: the offset of the changelog that each partition is of, exclusive, None
    where the dump knows no partitions; `stream_time_ms` by partition (-1: of all), where it is
    stated; `oldest`, the start of the oldest window of each partition; `changelogs`, the names it
    mentions.
    """

    path: Path
    window: str | None = None
    below: dict[int, int] | None = None
    stream_time_ms: dict[int, int] = field(default_factory=dict)
    oldest: dict[int, int] = field(default_factory=dict)
    changelogs: set[str] = field(default_factory=set)
    entries: int = 0

    @property
    def name(self) -> str:
        return f"dump {self.path.name}"

    def blocks(self) -> Iterator[DumpBlock]:
        """Raises UsageError for a file or a line that cannot be, with its number."""
        start_of = parse(window_expression(self.window)) if self.window else None
        pending: list[tuple[int, _Entry]] = []
        lines = 0
        try:
            with self.path.open("rb") as file:
                position = 0
                for number, text in enumerate(file, start=1):
                    lines += bool(text.strip())
                    entry = self._take(text, number)
                    if entry is not None:
                        pending.append((position, entry))
                    position += len(text)
                    if len(pending) >= _BLOCK_LINES:
                        yield self._block(pending, start_of)
                        pending = []
        except OSError as error:
            raise UsageError(f"the dump {self.path} cannot be read: {error.strerror}") from error
        if lines == 0:
            raise UsageError(
                f"the dump {self.path} is empty: a store without entries has one line for each "
                'partition, such as {"partition": 0}'
            )
        if pending:
            yield self._block(pending, start_of)

    def table(self, entries: DumpBlock, *, newest: Mapping[int, int] | None = None) -> TableRows:
        """Entries of one shard, to be compared; all `blocks` were taken before. They are put in the
        order of partitions. `newest`, of a windowed store: the start of the newest window of each
        partition of the changelog, below the offsets that the dump is of."""
        order = np.lexsort((entries.position, entries.partition))
        position = entries.position[order]
        table = TableRows(
            name=self.name,
            partition=entries.partition,
            offset=entries.position,
            key=entries.key,
            value=entries.value,
            window=entries.window,
            below=self.below,
            times=None
            if newest is None
            else StreamTimes(newest=dict(newest), stated=self.stream_time_ms),
            oldest=self.oldest,
        )
        return replace(table.take(order), name_of=lambda row: self.key_at(int(position[row])))

    def key_at(self, position: int) -> Identity | None:
        """The key of the entry whose line begins there, to be shown; None where the file was
        changed since."""
        try:
            with self.path.open("rb") as file:
                file.seek(position)
                line = _LINE.decode(file.readline())
                return parse("key")(_bytes(line.key), None, None)
        except (OSError, msgspec.MsgspecError, ValueError):
            return None

    def _take(self, text: bytes, number: int) -> _Entry | None:
        if not text.strip():
            return None
        try:
            line = _LINE.decode(text)
            if line.key is msgspec.UNSET:
                self._head(line)
                return None
            return self._entry(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
            raise UsageError(self._complaint(text, number, error)) from error

    def _head(self, line: _Line) -> None:
        if line.value is not msgspec.UNSET or line.window is not None:
            raise ValueError("it has no key")
        if line.changelog is not None:
            self.changelogs.add(line.changelog)
        partition = NOBODY if line.partition is None else line.partition
        if line.stream_time_ms is not None:
            self.stream_time_ms[partition] = line.stream_time_ms
        if line.partition is None:
            if line.offset is not msgspec.UNSET:
                raise ValueError("an offset needs its partition")
            return
        if self.below is None:
            if self.entries:
                raise ValueError("the entries before it have no partition")
            self.below = {}
        if partition in self.below:
            raise ValueError(f"partition {partition} is dumped twice")
        # null: nothing was ever committed there.
        offset = _TO_THE_END if line.offset is msgspec.UNSET else line.offset
        self.below[partition] = 0 if offset is None else offset

    def _entry(self, line: _Line) -> _Entry:
        if line.value is msgspec.UNSET:
            raise ValueError("it has no value")
        if line.offset is not msgspec.UNSET or line.changelog is not None:
            raise ValueError("offset and changelog belong into a line of their own")
        if line.stream_time_ms is not None:
            raise ValueError("stream_time_ms belongs into a line of its own")
        partition = NOBODY if line.partition is None else line.partition
        if line.partition is None and self.below is not None:
            raise ValueError("it has no partition, as those before it have")
        if line.partition is not None and line.partition not in (self.below or ()):
            raise ValueError(
                f'partition {partition} has no line {{"partition": {partition}}} before it'
            )
        key = _bytes(line.key)
        if key is None:
            raise ValueError("its key is null")
        if line.window is not None:
            if self.window is None:
                raise ValueError("it has a window: say where the changelog's keys hold theirs")
            key = windowed_key(self.window, key, line.window)
        self.entries += 1
        return _Entry(partition, key, _bytes(line.value), line.window)

    def _block(self, pending: Sequence[tuple[int, _Entry]], start_of: Any) -> DumpBlock:
        identify = parse("key")
        entries = [entry for _position, entry in pending]
        keys, _known = encode([identify(entry.key, None, None) for entry in entries])
        partition = np.array([entry.partition for entry in entries], dtype=np.int64)
        window = None
        if start_of is not None:
            starts = [
                start_of(entry.key, None, None) if entry.window is None else entry.window
                for entry in entries
            ]
            window = Numbers(*as_numbers(starts))
            self._note_oldest(partition, window)
        return DumpBlock(
            partition=partition,
            position=np.array([position for position, _entry in pending], dtype=np.int64),
            key=keys,
            value=digest_values([entry.value for entry in entries]),
            window=window,
        )

    def _note_oldest(self, partition: Integers, window: Numbers) -> None:
        known = np.ones(len(partition), dtype=np.bool_) if window.known is None else window.known
        for each in np.unique(partition[known]).tolist():
            oldest = int(window.value[known & (partition == each)].min())
            self.oldest[each] = min(oldest, self.oldest.get(each, oldest))

    def _complaint(self, text: bytes, number: int, error: Exception) -> str:
        shown = text.rstrip(b"\n")[:_SHOWN_BYTES].decode(errors="replace")
        malformed = isinstance(error, msgspec.DecodeError | UnicodeDecodeError)
        if malformed and not isinstance(error, msgspec.ValidationError) and text[-1:] != b"\n":
            what = "it is cut off: was the dump stopped before its end?"
        else:
            what = f"{error}: docs/state.md says what a dump looks like"
        return f"{self.path}, line {number} ({shown}): {what}"


_LINE = msgspec.json.Decoder(_Line)


def _bytes(found: _Field) -> bytes | None:
    """What the JSON in a dump stands for: text for itself in UTF-8, null for nothing, an object
    with `base64` alone for those bytes, all else for its own JSON without blanks."""
    assert isinstance(found, msgspec.Raw)
    content = msgspec.json.decode(found)
    if content is None:
        return None
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, dict) and content.keys() == {"base64"}:
        try:
            return base64.b64decode(content["base64"], validate=True)
        except (binascii.Error, TypeError) as error:
            raise ValueError(f"its base64 is none ({error})") from error
    return msgspec.json.encode(content)
