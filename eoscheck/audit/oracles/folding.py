"""A fold of the input that the user writes: the state that each key should have (docs/oracles.md).

`python:module:NAME` names `NAME(state, key, value, headers) -> state`. Beside it in the module may
stand `NAME_key(key, value, headers)`, the key (or keys) that a record counts for; `NAME_finish(key,
state)`, the value that the state should have become; `NAME_found(key, value, headers)`, what of a
record of the output or the changelog is compared with it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from eoscheck.audit.checks.tables import TableRows
from eoscheck.audit.identity import Headers, canonical, parse, user_function
from eoscheck.audit.rows.columns import Digests, encode
from eoscheck.audit.rows.digests import digest_values
from eoscheck.audit.rows.records import Content, Place
from eoscheck.errors import UsageError
from eoscheck.history.events import Identity

_CHUNK = 10_000


@dataclass(frozen=True, kw_only=True)
class FoldFunctions:
    """`found` is the expression to read the other side with, None for whole values, byte by byte.

    `keys` gives the keys that a record counts for, None for a record without one.
    """

    name: str
    fold: Callable[[Any, bytes | None, bytes | None, Headers], Any]
    keys: Callable[[bytes | None, bytes | None, Headers], Sequence[Identity] | None]
    finish: Callable[[Identity, Any], Any]
    found: str | None


def load_fold(expression: str) -> FoldFunctions:
    """Raises UsageError where there is no such module or function."""
    kind, _colon, rest = expression.partition(":")
    if kind != "python":
        raise UsageError(f"a fold is python:module:function, not {expression!r}")
    fold = user_function(expression)
    module_name, _colon, name = rest.partition(":")
    module = sys.modules[module_name]

    def beside(suffix: str) -> Any:
        function = getattr(module, name + suffix, None)
        if function is not None and not callable(function):
            raise UsageError(f"{module_name}.{name}{suffix} is no function")
        return function

    return FoldFunctions(
        name=f"fold {module_name}:{name}",
        fold=fold,
        keys=_keys_by(beside("_key")),
        finish=beside("_finish") or (lambda _key, state: state),
        found=f"{expression}_found" if beside("_found") is not None else None,
    )


@dataclass(slots=True)
class _Entry:
    """`offset` of the last record that counts. `touched_at`: the first one that is not due."""

    state: Any
    offset: int
    touched_at: int | None = None


class Folding:
    """Takes the committed records of the input in batches, each partition's in the order of its
    offsets. Keeps one state for each key of each partition, and no record.

    A record at or above `due_below` of its partition is not folded: nobody can tell yet whether
    the subject has dealt with it.
    """

    def __init__(
        self,
        topic: str,
        functions: FoldFunctions,
        *,
        due_below: Mapping[int, int] | None = None,
    ) -> None:
        self.topic = topic
        self._functions = functions
        self._due_below = due_below
        self._states: dict[int, dict[Identity, _Entry]] = {}
        self._next: dict[int, int] = {}
        self._keyless = 0
        self._failure: str | None = None

    def add(
        self, partitions: Sequence[int], offsets: Sequence[int], contents: Sequence[Content]
    ) -> None:
        """Never raises for what the user's functions do: they are not called again then."""
        if self._failure is not None:
            return
        for partition, offset, content in zip(partitions, offsets, contents, strict=True):
            if offset < self._next.get(partition, 0):
                continue  # the client handed it over twice, after a reconnect
            self._next[partition] = offset + 1
            try:
                self._fold(partition, offset, content)
            except Exception as error:  # noqa: BLE001 - the user's code
                place = Place(self.topic, partition, offset)
                self._failure = f"{self._functions.name} failed at {place}: {_named(error)}"
                return

    def table(
        self, *, begun_below: Mapping[int, int] | None = None, settled: bool = True
    ) -> TableRows | str:
        """The value that each key should have, or in words why there is none.

        Open are keys with records that are not due but below `begun_below`, and all of them where
        the subject is not `settled`: it may still be at work on the last of the due ones.
        """
        if self._failure is not None:
            return self._failure
        if self._keyless:
            return f"{self._keyless} records of {self.topic} have no key to fold them by"
        begun = begun_below or {}
        names: list[Identity] = []
        parts = []
        try:
            for partition, states in sorted(self._states.items()):
                keys = sorted(states, key=lambda key: states[key].offset)
                names += keys
                for at in range(0, len(keys), _CHUNK):
                    some = [(key, states[key]) for key in keys[at : at + _CHUNK]]
                    parts.append(self._part(partition, some, begun.get(partition, 0)))
        except Exception as error:  # noqa: BLE001 - the user's code
            return f"{self._functions.name} failed at its end: {_named(error)}"
        parts = parts or [self._part(0, [], 0)]
        partitions, offsets, keys_low, keys_high, low, high, is_open = map(
            np.concatenate, zip(*parts, strict=True)
        )
        return TableRows(
            name=self._functions.name,
            topic=self.topic,
            partition=partitions,
            offset=offsets,
            key=Digests(keys_low, keys_high),
            value=Digests(low, high),
            open=is_open if settled else np.ones_like(is_open),
            name_of=lambda row: names[row],
        )

    def _fold(self, partition: int, offset: int, content: Content) -> None:
        due = self._due_below is None or offset < self._due_below.get(partition, 0)
        keys = self._functions.keys(*content)
        if keys is None:
            self._keyless += 1
            return
        states = self._states.setdefault(partition, {})
        for key in keys:
            entry = states.get(key)
            if entry is None:
                entry = states[key] = _Entry(None, offset)
            if due:
                entry.state = self._functions.fold(entry.state, *content)
                entry.offset = offset
            elif entry.touched_at is None:
                entry.touched_at = offset

    def _part(
        self, partition: int, rows: Sequence[tuple[Identity, _Entry]], begun_below: int
    ) -> tuple[NDArray[Any], ...]:
        """Columns of a few keys, so that what Python needs for each does not add up."""
        finished = [self._functions.finish(key, entry.state) for key, entry in rows]
        if self._functions.found is None:
            values = digest_values([_as_bytes(each) for each in finished])
        else:
            values = encode([_as_identity(each) for each in finished])[0]
        touched = [entry.touched_at for _key, entry in rows]
        return (
            np.full(len(rows), partition, dtype=np.int64),
            np.array([entry.offset for _key, entry in rows], dtype=np.int64),
            *encode([key for key, _entry in rows])[0],
            *values,
            np.array([at is not None and at < begun_below for at in touched], dtype=np.bool_),
        )


def _keys_by(
    function: Any,
) -> Callable[[bytes | None, bytes | None, Headers], Sequence[Identity] | None]:
    record_key = parse("key")

    def own(
        key: bytes | None, _value: bytes | None, _headers: Headers
    ) -> Sequence[Identity] | None:
        found = record_key(key, None, None)
        return None if found is None else (found,)

    def users(key: bytes | None, value: bytes | None, headers: Headers) -> Sequence[Identity]:
        found = function(key, value, headers)
        several = found if isinstance(found, list | tuple) else [found]
        identities = [_as_identity(each) for each in several]
        return [each for each in identities if each is not None]

    return own if function is None else users


def _as_bytes(value: Any) -> bytes | None:
    """Bytes as they are, text in UTF-8, all else as JSON without blanks."""
    if value is None or isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode()
    return msgspec.json.encode(value)


def _as_identity(value: Any) -> Identity | None:
    """As expressions have it: bytes as text, plain integers as integers."""
    if isinstance(value, bytes):
        return parse("key")(value, None, None)
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, str):
        return canonical(value)
    raise TypeError(f"{type(value).__name__} can be no key and is not compared: give text or int")


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
