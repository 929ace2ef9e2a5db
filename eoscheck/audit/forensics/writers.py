"""Who wrote the records that a finding shows: their batches, and the transaction they belong to."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from eoscheck.audit.forensics.neighbourhood import BatchFacts, Neighbourhood, Surroundings
from eoscheck.audit.rows.records import Place
from eoscheck.closing import Closing
from eoscheck.cluster.raw_fetch import RawFetch
from eoscheck.cluster.transactions import TransactionView
from eoscheck.errors import EoscheckError


class Writers(Closing):
    """Connects when it is first asked. Where the cluster does not tell, a finding simply says less:
    no verdict depends on it. `neighbourhood` is where batches are read; one of its own if None."""

    def __init__(
        self, client_config: Mapping[str, str], *, neighbourhood: Neighbourhood | None = None
    ) -> None:
        self._client_config = client_config
        self._stack = ExitStack()
        self._neighbourhood = neighbourhood
        self._transactions: TransactionView | None = None
        self._names: dict[int, str | None] = {}
        self._asked = False

    def of(self, place: Place) -> dict[str, Any]:
        """Of the record's batch: producer id, epoch, base sequence, and the transactional id where
        its coordinator still knows it. `batches` are the one before, the one itself and the one
        after, `transaction` its begin and end. Empty where nobody tells."""
        around = self._batches_around(place)
        if around is None or around.of is None:
            return {}
        batches = {
            name: batch.shown()
            for name, batch in (
                ("before", around.before),
                ("of", around.of),
                ("after", around.after),
            )
            if batch is not None
        }
        return {
            **self._writer(around.of),
            "batches": batches,
            **self._transaction(place, around.of),
        }

    def time_ms(self, place: Place) -> int | None:
        """When the batch of a place was written, by its first record; None where nobody tells."""
        around = self._batches_around(place)
        return around.of.time_ms if around is not None and around.of is not None else None

    def _writer(self, batch: BatchFacts) -> dict[str, Any]:
        if batch.producer_id is None:
            return {}
        known: dict[str, Any] = {
            "producer_id": batch.producer_id,
            "epoch": batch.epoch,
            "base_sequence": batch.base_sequence,
        }
        name = self.transactional_id(batch.producer_id) if batch.transactional else None
        return known if name is None else {**known, "transactional_id": name}

    def _transaction(self, place: Place, batch: BatchFacts) -> dict[str, Any]:
        if not batch.transactional or self._neighbourhood is None:
            return {}
        found = self._neighbourhood.transaction(place)
        return {} if found is None else {"transaction": found.shown()}

    def _batches_around(self, place: Place) -> Surroundings | None:
        self._connect()
        return self._neighbourhood.surroundings(place) if self._neighbourhood is not None else None

    def transactional_id(self, producer_id: int) -> str | None:
        """None where no coordinator remembers it."""
        self._connect()
        if producer_id not in self._names and self._transactions is not None:
            try:
                known = self._transactions.transactional_ids([producer_id])
            except EoscheckError:
                known = {}
            self._names[producer_id] = known.get(producer_id)
        return self._names.get(producer_id)

    def _connect(self) -> None:
        if self._asked:
            return
        self._asked = True
        try:
            if self._neighbourhood is None:
                log = self._stack.enter_context(RawFetch(self._client_config))
                self._neighbourhood = Neighbourhood(log)
            self._transactions = self._stack.enter_context(TransactionView(self._client_config))
        except EoscheckError:
            return  # who wrote is not told: neither refused nor missing rights change a verdict

    def close(self) -> None:
        self._stack.close()
