"""What is wanted of each record, as tables for the compiled reader."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from eoscheck.audit.identity import Identify, parse, parts_of
from eoscheck.audit.rows.block import Wanted
from eoscheck.logformat import decompresses
from eoscheck.logformat.compiling import compiles

Table: TypeAlias = NDArray[np.int64]
Use: TypeAlias = Literal["identity", "number", "source", "sequence"]

# As in `compiled`, which cannot be imported where numba is missing.
_READS = {"key": 0, "value": 1, "header": 2, "json": 3}
_HOMES = {"murmur2": 2, "crc32": 3}
_OTHERS = ("content", "value", "home")
_CONTENT, _VALUE = 0, 1
_DEEPEST = 32
_ARRAY_INDEX = re.compile(r"0|[1-9][0-9]*")
USES: tuple[Use, ...] = ("identity", "number", "source", "sequence")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One use of an expression: a column, or the identity of the whole (`name` is None). `counted`
    where a record that it does not fit is a misfit."""

    name: str | None
    use: Use
    slot: int
    counted: bool


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """One expression: its text, Python's evaluation of it, and what it is used for."""

    text: str
    identify: Identify
    asked: list[Asked]


@dataclass(frozen=True, kw_only=True)
class Program:
    """The tables that `compiled.decode` takes, and who gets which slot of its output."""

    names: NDArray[np.uint8]
    steps: Table
    parts: Table
    expressions: Table
    extras: Table
    evaluated: list[Evaluated]
    digests: dict[str, int]
    numbers: dict[str, int]
    digest_slots: int
    number_slots: int


def fast_reader_installed() -> bool:
    """Whether the packages of the extra `fast` are there: numba and cramjam."""
    return compiles() and decompresses()


def supported(wanted: Wanted) -> bool:
    """Whether the compiled reader evaluates all of it: no `python:`, no `msgpack:`, no numbers in
    pointers, no bounds. Raises UsageError for a bad expression."""
    specs = wanted.columns.values()
    return (
        fast_reader_installed()
        and _supported(wanted.identity)
        and all(spec.kind in USES or spec.kind in _OTHERS for spec in specs)
        and all(
            _supported(spec.expression) for spec in specs if spec.kind in ("identity", "number")
        )
    )


def program(wanted: Wanted) -> Program:
    """For what is `supported`."""
    return _Writer().write(wanted)


def _supported(expression: str) -> bool:
    parse(expression)
    for part in parts_of(expression):
        kind, _colon, argument = part.partition(":")
        steps = _names(kind, argument)
        if kind not in _READS or len(steps) > _DEEPEST:
            return False
        if kind == "json" and any(_ARRAY_INDEX.fullmatch(step) for step in steps):
            return False
    return True


def _names(kind: str, argument: str) -> list[str]:
    if kind == "json":
        steps = argument.split("/")[1:]
        return [step.replace("~1", "/").replace("~0", "~") for step in steps]
    return [argument] if kind == "header" else []


class _Writer:
    def __init__(self) -> None:
        self._names = bytearray()
        self._steps: list[tuple[int, int]] = []
        self._parts: list[tuple[int, int, int]] = []
        self._expressions: list[list[int]] = []
        self._evaluated: dict[str, Evaluated] = {}
        self._digests: dict[str, int] = {}
        self._numbers: dict[str, int] = {}
        self._digest_slots = 0
        self._number_slots = 0

    def write(self, wanted: Wanted) -> Program:
        extras = []
        self._ask(None, wanted.identity, "identity")
        for name, spec in wanted.columns.items():
            match spec.kind:
                case "identity" | "number":
                    self._ask(name, spec.expression, spec.kind, optional=spec.optional)
                case "source" | "sequence":  # of the identity itself
                    self._ask(name, wanted.identity, spec.kind)
                case "content" | "value":
                    slot = self._digests[name] = self._digest_slot()
                    extras.append((_CONTENT if spec.kind == "content" else _VALUE, slot))
                case "home":
                    slot = self._numbers[name] = self._number_slot()
                    extras.append((_HOMES[spec.expression], slot))
        return Program(
            names=np.frombuffer(self._names or bytearray(1), dtype=np.uint8),
            steps=_table(self._steps, 2),
            parts=_table(self._parts, 3),
            expressions=_table(self._expressions, 6),
            extras=_table(extras, 2),
            evaluated=list(self._evaluated.values()),
            digests=self._digests,
            numbers=self._numbers,
            digest_slots=self._digest_slots,
            number_slots=self._number_slots,
        )

    def _ask(self, name: str | None, expression: str, use: Use, *, optional: bool = False) -> None:
        if expression not in self._evaluated:
            self._evaluated[expression] = Evaluated(
                text=expression, identify=parse(expression), asked=[]
            )
            self._expressions.append([*self._parts_of(expression), -1, -1, -1, -1])
        number = list(self._evaluated).index(expression)
        slots = self._expressions[number]
        place = 2 + USES.index(use)
        if slots[place] < 0:
            is_digest = use in ("identity", "source")
            slots[place] = self._digest_slot() if is_digest else self._number_slot()
        asked = Asked(name=name, use=use, slot=slots[place], counted=not optional)
        self._evaluated[expression].asked.append(asked)
        if name is not None:
            (self._digests if use in ("identity", "source") else self._numbers)[name] = asked.slot

    def _parts_of(self, expression: str) -> tuple[int, int]:
        first = len(self._parts)
        for part in parts_of(expression):
            kind, _colon, argument = part.partition(":")
            begin = len(self._steps)
            for name in _names(kind, argument):
                at = len(self._names)
                self._names += name.encode()
                self._steps.append((at, len(self._names)))
            self._parts.append((_READS[kind], begin, len(self._steps)))
        return first, len(self._parts)

    def _digest_slot(self) -> int:
        self._digest_slots += 1
        return self._digest_slots - 1

    def _number_slot(self) -> int:
        self._number_slots += 1
        return self._number_slots - 1


def _table(rows: list[Any], width: int) -> Table:
    return np.array(rows, dtype=np.int64).reshape(-1, width)
