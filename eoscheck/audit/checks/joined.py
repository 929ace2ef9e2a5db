"""Both sides of a pipeline with their identities numbered alike: what most checks work on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from eoscheck.audit.multiplicity import Bounds, Expected, expected
from eoscheck.audit.rows.columns import (
    Digests,
    Flags,
    Integers,
    encode,
    enumerate_identities,
    sorted_numbers,
)
from eoscheck.audit.rows.records import Place, Records
from eoscheck.history.events import Identity

_SHOWN = 100


@dataclass(frozen=True, kw_only=True)
class Acknowledged:
    """Input records that the load's history says were written. Columns of equal length."""

    identities: Sequence[Identity]
    partitions: Sequence[int]
    offsets: Sequence[int]


@dataclass(frozen=True, kw_only=True)
class Side:
    """The records of one topic. `code` numbers their identities, alike on both sides; `gaps` says
    in words why records that were committed may be missing here, and is empty where none can be."""

    records: Records
    code: Integers
    gaps: Sequence[str] = ()

    def copies(self, identities: int, chosen: Flags | None = None) -> Integers:
        """How many records each identity has, of all or of the `chosen` rows."""
        code = self.code if chosen is None else self.code[chosen]
        return np.bincount(code, minlength=identities)

    def rows_of(self, code: int) -> list[int]:
        """Where an identity stands: at most its first hundred rows."""
        order, codes = self._by_code
        start, end = np.searchsorted(codes, [code, code + 1])
        rows: list[int] = order[start : min(end, start + _SHOWN)].tolist()
        return rows

    @cached_property
    def _by_code(self) -> tuple[Integers, Integers]:
        order = sorted_numbers(self.code, np.zeros_like(self.code))
        return order, self.code[order]


@dataclass(frozen=True, kw_only=True)
class Joined:
    """`due` tells the input rows whose outputs must be there, `pending` those that the subject may
    have dealt with while the topics were read. `settled` is false where it may still be at work on
    the last of the due ones. `bounds`: how many outputs each input row must and may have, by
    default one. `partial`: only a part of the input was asked for."""

    output: Side
    input: Side | None
    identities: int
    due: Flags
    pending: Flags
    settled: bool = True
    bounds: Bounds | None = None
    partial: bool = False
    acknowledged: Acknowledged | None = None
    acknowledged_code: Integers = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def expected(self, chosen: Flags | None = None) -> Expected:
        """By identity: how many outputs the inputs must and may have, of all or of the `chosen`."""
        assert self.input is not None
        if self.bounds is None:
            copies = self.input.copies(self.identities, chosen)
            return Expected(copies, copies)
        return expected(self.input.code, self.identities, self.bounds, chosen)


def join(
    output: Records,
    input: Records | None = None,  # noqa: A002 - the word of the trade
    *,
    due: Flags | None = None,
    pending: Flags | None = None,
    settled: bool = True,
    bounds: Bounds | None = None,
    partial: bool = False,
    output_gaps: Sequence[str] = (),
    input_gaps: Sequence[str] = (),
    acknowledged: Acknowledged | None = None,
) -> Joined:
    """`due` defaults to every row of the input, `pending` to none."""
    nothing = Digests(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    inputs = input.identity if input is not None else nothing
    sent = encode(acknowledged.identities)[0] if acknowledged is not None else nothing
    (output_code, input_code, sent_code), identities = enumerate_identities(
        output.identity, inputs, sent
    )
    return Joined(
        output=Side(records=output, code=output_code, gaps=output_gaps),
        input=None if input is None else Side(records=input, code=input_code, gaps=input_gaps),
        identities=identities,
        due=np.ones(len(input_code), dtype=np.bool_) if due is None else due,
        pending=np.zeros(len(input_code), dtype=np.bool_) if pending is None else pending,
        settled=settled,
        bounds=bounds,
        partial=partial,
        acknowledged=acknowledged,
        acknowledged_code=sent_code,
    )


def first_rows_by_code(
    side: Side, chosen: Flags, *, limit: int, among: Flags | None = None
) -> list[list[int]]:
    """The rows of each of the first `limit` identities that are `chosen` (a flag for each code), in
    the order of their first rows; at most a hundred of each. `among` leaves out rows."""
    eligible = chosen[side.code] if among is None else chosen[side.code] & among
    rows = np.flatnonzero(eligible)
    codes = side.code[rows]
    distinct, first = np.unique(codes, return_index=True)
    wanted = distinct[np.argsort(first)[:limit]]
    grouped: dict[int, list[int]] = {int(code): [] for code in wanted}
    for row in rows[np.isin(codes, wanted)]:
        shown = grouped[int(side.code[row])]
        if len(shown) < _SHOWN:
            shown.append(int(row))
    return list(grouped.values())


def places_of(side: Side, code: int) -> list[Place]:
    """Where an identity stands: at most its first hundred places."""
    return places(side.records, side.rows_of(code))


def places(records: Records, rows: Sequence[int]) -> list[Place]:
    return [records.place(row) for row in rows]


def offsets_beside(found: Sequence[Place]) -> list[int]:
    """The offsets of those that lie in the same partition as the first."""
    return [place.offset for place in found if place.partition == found[0].partition]
