"""Who wrote the records that a finding shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

import numpy as np

from eoscheck.audit.findings import Hazard, HazardCode
from eoscheck.audit.records import Place, Records
from eoscheck.cluster.batches import BatchHeader, BatchView
from eoscheck.cluster.transactions import TransactionView
from eoscheck.errors import EoscheckError


class Writers:
    """Connects when it is first asked. Where the cluster does not tell, a finding simply says less:
    no verdict depends on it."""

    def __init__(self, client_config: Mapping[str, str]) -> None:
        self._client_config = client_config
        self._stack = ExitStack()
        self._batches: BatchView | None = None
        self._transactions: TransactionView | None = None
        self._names: dict[int, str | None] = {}
        self._refused = False

    def of(self, place: Place) -> dict[str, Any]:
        """Producer id, epoch and base sequence of the record's batch, and the transactional id
        where its coordinator still knows it; empty where nobody tells."""
        header = self._header(place)
        if header is None or header.producer_id is None:
            return {}
        known: dict[str, Any] = {
            "producer_id": header.producer_id,
            "epoch": header.epoch,
            "base_sequence": header.base_sequence,
        }
        name = self._transactional_id(header.producer_id) if header.transactional else None
        return known if name is None else {**known, "transactional_id": name}

    def outside_transactions(self, records: Records) -> list[Hazard]:
        """The hazard NOT_TRANSACTIONAL of each partition whose last record was written outside a
        transaction: nothing is wrong yet, but a crash would duplicate or lose."""
        return [
            Hazard(
                code=HazardCode.NOT_TRANSACTIONAL,
                topic=place.topic,
                partition=place.partition,
                offset=place.offset,
                detail=f"{place} was written outside a transaction: is exactly-once really on?",
            )
            for place in _last_places(records)
            if (header := self._header(place)) is not None and not header.transactional
        ]

    def _header(self, place: Place) -> BatchHeader | None:
        self._connect()
        return self._batches.header(*place) if self._batches is not None else None

    def _transactional_id(self, producer_id: int) -> str | None:
        if producer_id not in self._names and self._transactions is not None:
            try:
                known = self._transactions.transactional_ids([producer_id])
            except EoscheckError:
                known = {}
            self._names[producer_id] = known.get(producer_id)
        return self._names.get(producer_id)

    def _connect(self) -> None:
        if self._batches is not None or self._refused:
            return
        try:
            self._batches = self._stack.enter_context(BatchView(self._client_config))
            self._transactions = self._stack.enter_context(TransactionView(self._client_config))
        except EoscheckError:
            self._refused = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()


def _last_places(records: Records) -> Iterable[Place]:
    ends = np.flatnonzero(np.diff(records.partition, append=-1))
    return [records.place(row) for row in ends.tolist()]
