"""From rows of batches and transactions to anomalies: the first of each code, and how many."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eoscheck.audit.checks.outcome import Anomaly, Found
from eoscheck.audit.findings import Code
from eoscheck.audit.rows.records import Place
from eoscheck.logformat.batches import Batches


@dataclass(kw_only=True)
class _Kept:
    """The first `limit` anomalies of one code, and the number of all."""

    limit: int
    total: int = 0
    anomalies: list[Anomaly] = field(default_factory=list)

    @property
    def room(self) -> int:
        return max(0, self.limit - len(self.anomalies))


class Findings:
    """Keeps the first `limit` of each code."""

    def __init__(self, topic: str, *, limit: int) -> None:
        self._topic = topic
        self._limit = limit
        self._by_code: dict[Code, _Kept] = {}

    def found(self) -> list[Found]:
        return [
            Found(code=code, total=kept.total, anomalies=list(kept.anomalies))
            for code, kept in self._by_code.items()
            if kept.total
        ]

    def batches(
        self,
        code: Code,
        partition: int,
        batches: Batches,
        rows: NDArray[np.int64],
        detail: str,
    ) -> None:
        kept = self._of(code)
        kept.total += len(rows)
        for row in rows[: kept.room].tolist():
            base = int(batches.base_offset[row])
            kept.anomalies.append(
                Anomaly(
                    place=Place(self._topic, partition, base),
                    offsets=_ends(base, int(batches.last_offset[row])),
                    detail=detail,
                    facts={
                        "producer_id": int(batches.producer_id[row]),
                        "producer_epoch": int(batches.epoch[row]),
                        "base_sequence": int(batches.base_sequence[row]),
                    },
                )
            )

    def transactions(
        self, code: Code, partition: int, ended: NDArray[Any], what: str, detail: str
    ) -> None:
        kept = self._of(code)
        kept.total += len(ended)
        for row in ended[: kept.room]:
            first = int(row[f"{what}_first"])
            last = int(row[f"{what}_last"]) if what != "zombie" else first
            kept.anomalies.append(
                Anomaly(
                    place=Place(self._topic, partition, first),
                    offsets=_ends(first, last),
                    detail=detail.format(**{name: row[name] for name in row.dtype.names}),
                    facts=transaction_facts(row),
                )
            )

    def _of(self, code: Code) -> _Kept:
        return self._by_code.setdefault(code, _Kept(limit=self._limit))


def _ends(first: int, last: int) -> list[int]:
    return [first] if first == last else [first, last]


def transaction_facts(row: Any) -> dict[str, Any]:
    """A transaction as evidence."""
    return {
        "producer_id": int(row["producer_id"]),
        "producer_epoch": int(row["epoch"]),
        "transaction": {
            "first_offset": int(row["first_offset"]),
            "marker_offset": int(row["marker_offset"]),
            "marker": "commit" if row["committed"] else "abort",
            "marker_epoch": int(row["marker_epoch"]),
            "records": int(row["records"]),
        },
    }
