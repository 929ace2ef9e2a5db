"""What oracles make of blocks and records: watchers of stores, and the rows that checks take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from eoscheck.audit.checks.golden import ContentRows
from eoscheck.audit.checks.invariants import ZeroSum
from eoscheck.audit.checks.outcome import Checked
from eoscheck.audit.checks.restore import Restores
from eoscheck.audit.checks.tables import TableRows
from eoscheck.audit.oracles.dumps import DumpBlock
from eoscheck.audit.oracles.windows import StreamTimes
from eoscheck.audit.rows.block import Block, Column, Numbers
from eoscheck.audit.rows.columns import Digests, Integers
from eoscheck.audit.rows.records import Records
from eoscheck.audit.rows.store import Store


class _Watching:
    """Keeps what it needs of each block; it is judged with all the rest."""

    columns: frozenset[str] = frozenset()

    def finish(self) -> Checked:
        return Checked()


class Summing(_Watching):
    def __init__(self, zero: ZeroSum, column: str) -> None:
        self._zero = zero
        self._column = column
        self.columns = frozenset({column})

    def add(self, block: Block) -> None:
        amounts = block.columns[self._column]
        assert isinstance(amounts, Numbers)
        self._zero.add(block.partition, amounts)


class Together(_Watching):
    """Brings outputs together by another column than their identity."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.columns = frozenset(store.wanted.columns)

    def add(self, block: Block) -> None:
        columns = {name: block.columns[name] for name in self._store.wanted.columns}
        self._store.add(replace(block, columns=columns))


class Offsets(_Watching):
    """Shows a changelog's committed records to what judges its restores."""

    def __init__(self, restores: Restores) -> None:
        self._restores = restores

    def add(self, block: Block) -> None:
        self._restores.add(block.partition, block.offset)


class Timing(_Watching):
    """Notes the newest windows of a changelog, below the offsets that a dump is of."""

    def __init__(self, times: StreamTimes, *, below: Mapping[int, int] | None = None) -> None:
        self._times = times
        self._below = below

    def add(self, block: Block) -> None:
        window = block.columns["window"]
        assert isinstance(window, Numbers)
        below = None if self._below is None else self._below.get(block.partition, 0)
        self._times.add(block.partition, block.offset, window, below=below)


def as_block(entries: DumpBlock, partition: int) -> Block:
    rows = np.flatnonzero(entries.partition == partition)
    columns: dict[str, Column] = {"value": _digests(entries.value, rows)}
    if entries.window is not None:
        known = entries.window.known
        columns["window"] = Numbers(
            entries.window.value[rows], None if known is None else known[rows]
        )
    return Block(
        partition=partition,
        offset=entries.position[rows],
        identity=_digests(entries.key, rows),
        columns=columns,
    )


def entries_of(found: Records) -> DumpBlock:
    value = found.digests("value")
    assert value is not None
    return DumpBlock(
        partition=found.partition,
        position=found.offset,
        key=found.identity,
        value=value,
        window=found.numbers("window"),
    )


def _digests(digests: Digests, rows: Integers) -> Digests:
    return Digests(digests.low[rows], digests.high[rows])


def contents_of(found: Records, column: str) -> ContentRows:
    content = found.digests(column)
    assert content is not None
    return ContentRows(
        topic=found.topic, partition=found.partition, offset=found.offset, content=content
    )


def table_of(
    found: Records,
    *,
    key: Digests | None = None,
    value: str = "value",
    found_by: str | None = None,
    gaps: Sequence[str] = (),
    times: StreamTimes | None = None,
) -> TableRows:
    """`found_by` names the column to compare instead of the values; one that it does not fit is
    not judged."""
    values = found.digests(value)
    assert values is not None
    is_open = None
    compared = found.digests(found_by) if found_by is not None else None
    if compared is not None:
        alive = values.known()
        is_open = alive & ~compared.known()
        # What does not fit is alive all the same.
        values = Digests(
            np.where(alive & ~is_open, compared.low, values.low),
            np.where(alive & ~is_open, compared.high, values.high),
        )
    return TableRows(
        name=found.topic,
        topic=found.topic,
        partition=found.partition,
        offset=found.offset,
        key=found.identity if key is None else key,
        value=values,
        window=found.numbers("window"),
        open=is_open,
        times=times,
        gaps=gaps,
    )
