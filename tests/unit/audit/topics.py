"""Topics as plain lists, and as the columns that the checks take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from eoscheck.audit.columns import Flags
from eoscheck.audit.records import Records, RecordsBuilder, Wanted
from eoscheck.history.events import Identity

OUTPUT = "receipts"
INPUT = "payments"


@dataclass(frozen=True)
class Row:
    """One committed record. Its offset is its place in the list, plus holes where `offset` says."""

    identity: Identity
    key: str = "k"
    number: int | None = None
    offset: int | None = None


Topic = Mapping[int, Sequence[Row]]
"""partition -> records"""


def offsets(rows: Sequence[Row]) -> list[int]:
    return [index if row.offset is None else row.offset for index, row in enumerate(rows)]


def records(name: str, topic: Topic, wanted: Wanted | None = None) -> Records:
    """As a scan would build them: JSON values with `id` and `n`, the key as it is."""
    builder = RecordsBuilder(name, wanted or Wanted(identity="json:/id"))
    for partition, rows in topic.items():
        values = [
            msgspec.json.encode(
                {"id": row.identity} | ({} if row.number is None else {"n": row.number})
            )
            for row in rows
        ]
        contents = [
            (row.key.encode(), value, None) for row, value in zip(rows, values, strict=True)
        ]
        builder.add([partition] * len(rows), offsets(rows), contents)
    assert not builder.unidentified
    return builder.finish()


def below(found: Records, limits: Mapping[int, int]) -> Flags:
    return np.array(
        [
            offset < limits.get(partition, 0)
            for partition, offset in zip(found.partition, found.offset, strict=True)
        ],
        dtype=np.bool_,
    )


def line(*identities: Identity) -> list[Row]:
    return [Row(identity) for identity in identities]
