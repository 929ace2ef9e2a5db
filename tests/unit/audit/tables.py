"""Tables as a few lines of Python, and as the columns that the checks take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from eoscheck.audit.checks.outcome import Checked, Doubt
from eoscheck.audit.checks.tables import TableRows
from eoscheck.audit.rows.block import Numbers
from eoscheck.audit.rows.columns import encode
from eoscheck.audit.rows.digests import digest_values


class Put(NamedTuple):
    """`value` None is a tombstone. `partition` -1: it is not known."""

    partition: int
    offset: int
    key: str
    value: str | None
    window: int | None = None


def table(name: str, rows: Sequence[Put], *, topic: bool = True, **more: Any) -> TableRows:
    ordered = sorted(rows, key=lambda row: (row.partition, row.offset))
    starts = [row.window for row in ordered]
    return TableRows(
        name=name,
        topic=name if topic else None,
        partition=np.array([row.partition for row in ordered], dtype=np.int64),
        offset=np.array([row.offset for row in ordered], dtype=np.int64),
        key=encode([row.key for row in ordered])[0] if ordered else digest_values([]),
        value=digest_values([None if r.value is None else r.value.encode() for r in ordered]),
        window=None
        if all(start is None for start in starts)
        else Numbers(np.array(starts, dtype=np.int64), None),
        **more,
    )


def dump(rows: Sequence[Put], *, below: Mapping[int, int] | None = None, **more: Any) -> TableRows:
    ordered = sorted(rows, key=lambda row: (row.partition, row.offset))
    return table(
        "dump",
        rows,
        topic=False,
        below=below,
        name_of=lambda row: ordered[row].key,
        **more,
    )


def reasons(checked: Checked) -> list[str]:
    """Why something is not judged, as a report says it."""
    return [
        unknown.said().reason if isinstance(unknown, Doubt) else unknown.reason
        for unknown in checked.unknowns
    ]
