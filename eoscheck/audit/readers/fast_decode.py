"""Decodes a fetched part to blocks: compiled, and by Python where a record is hard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eoscheck.audit.readers.fast_plan import Asked, Evaluated, Use, program
from eoscheck.audit.rows.block import Block, Column, Numbers, Wanted
from eoscheck.audit.rows.columns import Digests, Flags, split_number
from eoscheck.audit.rows.digests import digest_all
from eoscheck.audit.rows.records import Misfits, Place
from eoscheck.history.events import Identity
from eoscheck.logformat import Batches, decompress, decompress_into, record_at
from eoscheck.logformat.compiling import compiled_module
from eoscheck.logformat.layout import RECORDS_START, SHORTEST_RECORD

_SHOWN = 5
_ARENA = 16 * 1024 * 1024
"""Room for decompressed batches. One that does not fit has memory of its own."""
_INTEGER, _MISFIT, _HARD = 1, 2, 3
_PLAIN = range(-(10**18) + 1, 10**18)
_INT64 = range(-(2**63), 2**63)
_LONGEST = 18


@dataclass(kw_only=True)
class _Counted:
    """How many there were, and the first of them."""

    count: int = 0
    first: list[Place] = field(default_factory=list)

    def note(self, topic: str, partition: int, offsets: NDArray[np.int64]) -> None:
        self.count += len(offsets)
        for offset in offsets[: _SHOWN - len(self.first)].tolist():
            self.first.append(Place(topic, partition, offset))


class Decoder:
    """Of one topic. `unreadable` are batches whose records contradict themselves, or whose
    compressed stream is broken or larger than is believed, though their CRC may hold."""

    def __init__(self, topic: str, wanted: Wanted) -> None:
        self._decode = compiled_module("eoscheck.audit.readers.compiled").decode
        self._topic = topic
        self._program = program(wanted)
        self._arena: NDArray[np.uint8] | None = None
        self._misfits: dict[tuple[str, Use, str | None], _Counted] = {
            (each.text, asked.use, asked.name): _Counted()
            for each in self._program.evaluated
            for asked in each.asked
            if asked.counted
            and asked.use in ("identity", "number")
            and (asked.name is None or not wanted.columns[asked.name].optional)
        }
        self._identity = self._program.evaluated[0].asked[0]
        self.unreadable = _Counted()

    def compile(self) -> None:
        """Now, so that the first record need not wait for it: by decoding nothing."""
        plan, nothing = self._program, np.zeros(0, dtype=np.int64)
        out = _Columns(0, len(plan.evaluated), plan.digest_slots, plan.number_slots)
        table = _Table(rows=nothing, cells=np.empty((0, 7), dtype=np.int64))
        self._fill(np.zeros(0, dtype=np.uint8), table, out)

    @property
    def unidentified(self) -> int:
        """Records that the identity does not fit: they are in no block."""
        return self._misfits[self._program.evaluated[0].text, "identity", None].count

    def misfits(self) -> list[Misfits]:
        return [
            Misfits(expression=text, count=counted.count, first=counted.first)
            for (text, _use, _name), counted in self._misfits.items()
            if counted.count
        ]

    def blocks(
        self,
        partition: int,
        data: memoryview,
        batches: Batches,
        chosen: Flags,
        *,
        lowest: int,
        cut: int,
    ) -> Iterator[Block]:
        """The records of the `chosen` batches with lowest <= offset < cut, in their order."""
        chosen = chosen & (batches.last_offset >= lowest) & (batches.base_offset < cut)
        rows = np.flatnonzero(chosen)
        if not len(rows):
            return
        whole = np.frombuffer(data, dtype=np.uint8)
        if not whole.flags.writeable:
            whole = whole.copy()  # one type of array, one compilation
        run = _Run(partition=partition, batches=batches, lowest=lowest, cut=cut)
        packed = batches.codec[rows] > 0
        if not packed.any():
            yield from self._rows(run, whole, run.table(rows))
            return
        for group in np.split(rows, np.flatnonzero(np.diff(packed)) + 1):
            if batches.codec[group[0]]:
                yield from self._unpacked(run, data, group)
            else:
                yield from self._rows(run, whole, run.table(group))

    def _unpacked(self, run: _Run, data: memoryview, rows: NDArray[np.int64]) -> Iterator[Block]:
        if self._arena is None:
            self._arena = np.empty(_ARENA, dtype=np.uint8)
        arena, filled, first = self._arena, 0, 0
        ends: list[int] = []
        for number, row in enumerate(rows.tolist()):
            payload = data[run.batches.start[row] + RECORDS_START : run.batches.end[row]]
            codec = int(run.batches.codec[row])
            written = decompress_into(payload, codec, arena[filled:])
            if written is None:
                # No room, or broken: what there is goes first.
                yield from self._rows(run, arena, run.table(rows[first:number], ends))
                first, filled, ends = number, 0, []
                written = decompress_into(payload, codec, arena)
            if written is None:
                alone = decompress(payload, codec)
                first = number + 1
                if alone is None:
                    self._note_unreadable(run, rows[number : number + 1])
                else:
                    table = run.table(rows[number : number + 1], [len(alone)])
                    yield from self._rows(run, alone, table)
                continue
            filled += written
            ends.append(filled)
        yield from self._rows(run, arena, run.table(rows[first:], ends))

    def _rows(self, run: _Run, data: NDArray[np.uint8], table: _Table) -> Iterator[Block]:
        if not len(table.rows):
            return
        believable = table.believable()
        if not believable.all():
            self._note_unreadable(run, table.rows[~believable])
            table = table.only(believable)
        size = int(table.cells[:, 4].sum())
        if not size:
            return
        plan = self._program
        out = _Columns(size, len(plan.evaluated), plan.digest_slots, plan.number_slots)
        rows, broken = self._fill(data, table, out)
        if broken.any():
            self._note_unreadable(run, table.rows[broken])
        out.cut(rows)
        for number, each in enumerate(plan.evaluated):
            self._finish(run, data, out, each, out.kinds[number])
        if rows:
            yield self._block(run.partition, out)

    def _fill(
        self, data: NDArray[np.uint8], table: _Table, out: _Columns
    ) -> tuple[int, NDArray[np.bool_]]:
        """How many rows there are, and which batches contradict themselves."""
        plan = self._program
        broken = np.zeros(len(table.rows), dtype=np.bool_)
        rows: int = self._decode(
            data,
            table.cells,
            plan.names,
            plan.steps,
            plan.parts,
            plan.expressions,
            plan.extras,
            out.offset,
            out.place,
            out.kinds,
            out.low,
            out.high,
            out.number,
            out.known,
            broken,
        )
        return rows, broken

    def _finish(
        self,
        run: _Run,
        data: NDArray[np.uint8],
        out: _Columns,
        expression: Evaluated,
        kinds: NDArray[np.uint8],
    ) -> None:
        """Evaluates hard rows by Python, and counts those that do not fit."""
        hard = np.flatnonzero(kinds == _HARD)
        if len(hard):
            view = data.data
            found = [_evaluate(expression, view, at) for at in out.place[hard].tolist()]
            kinds[hard] = [_kind(each) for each in found]
            for asked in {(each.use, each.slot): each for each in expression.asked}.values():
                out.patch(asked, hard, found)
        for asked in expression.asked:
            counted = self._misfits.get((expression.text, asked.use, asked.name))
            if counted is None:
                continue
            misfit = kinds == _MISFIT if asked.use == "identity" else kinds != _INTEGER
            if misfit.any():
                counted.note(self._topic, run.partition, out.offset[misfit])

    def _block(self, partition: int, out: _Columns) -> Block:
        slot = self._identity.slot
        kept: Any = slice(None)
        if (out.kinds[0] == _MISFIT).any():
            kept = out.kinds[0] != _MISFIT
        columns: dict[str, Column] = {
            name: Digests(out.low[at][kept], out.high[at][kept])
            for name, at in self._program.digests.items()
        }
        for name, at in self._program.numbers.items():
            known = out.known[at][kept]
            columns[name] = Numbers(out.number[at][kept], None if known.all() else known)
        return Block(
            partition=partition,
            offset=out.offset[kept],
            identity=Digests(out.low[slot][kept], out.high[slot][kept]),
            columns=columns,
        )

    def _note_unreadable(self, run: _Run, rows: NDArray[np.int64]) -> None:
        self.unreadable.note(self._topic, run.partition, run.batches.base_offset[rows])


@dataclass(frozen=True, kw_only=True)
class _Table:
    """Batches for the compiled decoder: `rows` of the part, and its `cells` for each."""

    rows: NDArray[np.int64]
    cells: NDArray[np.int64]

    def believable(self) -> Flags:
        """Where the count could fit into the bytes: memory is never asked for on a lie."""
        count, room = self.cells[:, 4], self.cells[:, 1] - self.cells[:, 0]
        return np.asarray((count >= 0) & (count * SHORTEST_RECORD <= room))

    def only(self, chosen: Flags) -> _Table:
        return _Table(rows=self.rows[chosen], cells=self.cells[chosen])


@dataclass(frozen=True, kw_only=True)
class _Run:
    """What is read of one part."""

    partition: int
    batches: Batches
    lowest: int
    cut: int

    def table(self, rows: NDArray[np.int64], ends: list[int] | None = None) -> _Table:
        """Of batches in the part itself, or of decompressed ones that end there."""
        batches = self.batches
        cells = np.empty((len(rows), 7), dtype=np.int64)
        if ends is None:
            cells[:, 0] = batches.start[rows] + RECORDS_START
            cells[:, 1] = batches.end[rows]
        else:
            cells[:, 0] = [0, *ends[:-1]] if ends else []
            cells[:, 1] = ends
        cells[:, 2] = batches.base_offset[rows]
        cells[:, 3] = batches.last_offset[rows] - batches.base_offset[rows]
        cells[:, 4] = batches.records[rows]
        cells[:, 5] = self.lowest
        cells[:, 6] = self.cut
        return _Table(rows=rows, cells=cells)


class _Columns:
    """What the compiled decoder writes: a column each for `size` rows at most."""

    def __init__(self, size: int, expressions: int, digests: int, numbers: int) -> None:
        self.offset = np.empty(size, dtype=np.int64)
        self.place = np.empty(size, dtype=np.int64)
        self.kinds = np.empty((expressions, size), dtype=np.uint8)
        self.low = np.empty((digests, size), dtype=np.int64)
        self.high = np.empty((digests, size), dtype=np.int64)
        self.number = np.empty((numbers, size), dtype=np.int64)
        self.known = np.empty((numbers, size), dtype=np.bool_)

    def cut(self, rows: int) -> None:
        self.offset, self.place = self.offset[:rows], self.place[:rows]
        self.kinds = self.kinds[:, :rows]
        self.low, self.high = self.low[:, :rows], self.high[:, :rows]
        self.number, self.known = self.number[:, :rows], self.known[:, :rows]

    def patch(self, asked: Asked, rows: NDArray[np.int64], found: list[Identity | None]) -> None:
        match asked.use:
            case "identity":
                self._patch_digests(asked.slot, rows, found)
            case "source":
                self._patch_digests(asked.slot, rows, [_sequence(each)[0] for each in found])
            case "number":
                self._patch_numbers(asked.slot, rows, found)
            case "sequence":
                self._patch_numbers(asked.slot, rows, [_sequence(each)[1] for each in found])

    def _patch_digests(
        self, slot: int, rows: NDArray[np.int64], found: list[Identity | None]
    ) -> None:
        texts = [each for each in found if each is not None and not _is_plain(each)]
        digests = digest_all([str(text).encode() for text in texts])
        number = 0
        for row, each in zip(rows.tolist(), found, strict=True):
            if each is None:
                low, high = -1, -1
            elif isinstance(each, int) and each in _PLAIN:
                low, high = each, 0
            else:
                low, high = int(digests.low[number]), int(digests.high[number])
                number += 1
            self.low[slot, row], self.high[slot, row] = low, high

    def _patch_numbers(
        self, slot: int, rows: NDArray[np.int64], found: list[Identity | None]
    ) -> None:
        values = [each if isinstance(each, int) and each in _INT64 else None for each in found]
        self.known[slot, rows] = [value is not None for value in values]
        self.number[slot, rows] = [value or 0 for value in values]


def _evaluate(expression: Evaluated, data: memoryview, at: int) -> Identity | None:
    key, value, headers = record_at(data, at)
    named = [(name.decode(errors="replace"), content) for name, content in headers]
    return expression.identify(key, value, named)


def _is_plain(found: Identity) -> bool:
    return isinstance(found, int) and found in _PLAIN


def _kind(found: Identity | None) -> int:
    if found is None:
        return _MISFIT
    return _INTEGER if isinstance(found, int) else 0


def _sequence(found: Identity | None) -> tuple[str | None, int | None]:
    """As `columns.as_sequence`, for one."""
    if isinstance(found, str):
        source, digits = split_number(found)
        return (source, int(digits)) if 0 < len(digits) <= _LONGEST else (None, None)
    return ("" if found is not None else None), found
