"""Records that are not what the load wrote, or not where it wrote them (CORRUPTED).

Judged by the seal that the load puts into a header of each record, and on the load's own topic
only: an app that copies headers passes the seal on to records which it does not fit.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntFlag
from typing import cast
from zlib import crc32

import numpy as np

from eoscheck.audit.checks.outcome import Anomaly, Checked, Found
from eoscheck.audit.findings import Code
from eoscheck.audit.identity import Headers
from eoscheck.audit.rows.block import Block, Numbers
from eoscheck.audit.rows.records import Place
from eoscheck.load.seal import find_seal, read_seal


class Flaw(IntFlag):
    """What is wrong with a record, by its seal: several may be at once."""

    KEY = 1
    VALUE = 2
    TOPIC = 4
    PARTITION = 8
    SEAL = 16


_WORDS = {
    Flaw.KEY: "its key is not the one that was written",
    Flaw.VALUE: "its value is not the one that was written",
    Flaw.TOPIC: "it was written to another topic",
    Flaw.PARTITION: "it was written to another partition",
    Flaw.SEAL: "its seal is damaged",
}


def flaws(
    key: bytes | None,
    value: bytes | None,
    headers: Headers,
    *,
    topic: str,
    partition: int,
    own: bool = True,
) -> Flaw | None:
    """What is wrong with one record; `Flaw(0)` where nothing is. None where it is not judged: it
    has no seal, or names another topic and the load did not write to this one (`own`)."""
    sealed, content = find_seal(headers)
    if not sealed:
        return None
    seal = read_seal(content)
    if seal is None:
        return Flaw.SEAL if own else None
    if seal.topic != topic and not own:
        return None
    found = Flaw(0)
    if seal.key != crc32(key or b""):
        found |= Flaw.KEY
    if value is None or seal.value != crc32(value):
        found |= Flaw.VALUE
    if seal.topic != topic:
        found |= Flaw.TOPIC
    if seal.partition not in (None, partition):
        found |= Flaw.PARTITION
    return found


def flaw_column(
    contents: Sequence[tuple[bytes | None, bytes | None, Headers]],
    partitions: Sequence[int],
    *,
    topic: str,
    own: bool = True,
) -> Numbers:
    """`flaws` of each (key, value, headers), in its partition; not known where it is not judged."""
    found = [
        flaws(*content, topic=topic, partition=partition, own=own)
        for content, partition in zip(contents, partitions, strict=True)
    ]
    known = np.array([each is not None for each in found], dtype=np.bool_)
    return Numbers(
        np.array([each or 0 for each in found], dtype=np.int64), None if known.all() else known
    )


class Contents:
    """Takes the blocks of one topic, each partition's in the order of its log, and keeps only the
    places of the first `limit` flawed records of each. `column` names that of kind `seal`."""

    def __init__(self, topic: str, *, limit: int, column: str = "seal") -> None:
        self._topic = topic
        self._column = column
        self._limit = limit
        self._judged = 0
        self._total = 0
        self._flawed: dict[int, list[tuple[int, int]]] = {}

    @property
    def columns(self) -> frozenset[str]:
        return frozenset({self._column})

    def add(self, block: Block) -> None:
        offset, flaw = block.offset, cast(Numbers, block.columns[self._column])
        known = flaw.known
        self._judged += len(offset) if known is None else int(known.sum())
        rows = np.flatnonzero(flaw.value if known is None else flaw.value * known)
        self._total += len(rows)
        kept = self._flawed.setdefault(block.partition, [])
        rows = rows[: self._limit - len(kept)]
        kept += zip(offset[rows].tolist(), flaw.value[rows].tolist(), strict=True)

    def finish(self) -> Checked:
        anomalies = [
            self._anomaly(Place(self._topic, partition, offset), Flaw(flaw))
            for partition, kept in sorted(self._flawed.items())
            for offset, flaw in kept
        ]
        found = Found(code=Code.CORRUPTED, total=self._total, anomalies=anomalies[: self._limit])
        return Checked(found=[found], counts={"sealed_records": self._judged})

    def _anomaly(self, place: Place, flaw: Flaw) -> Anomaly:
        parts = [each for each in Flaw if each in flaw]
        return Anomaly(
            place=place,
            offsets=[place.offset],
            detail="by the seal that the load put on it, "
            + ", and ".join(_WORDS[each] for each in parts),
            related={"records": [place]},
            facts={"flaws": [str(each.name).lower() for each in parts]},
        )
