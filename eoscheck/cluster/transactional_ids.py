"""What coordinators remember of producers that are not at work: their names and time-outs."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from eoscheck.cluster.transactions import TransactionView

_AT_ONCE = 500
"""Producer ids of one question."""


class TransactionalId(msgspec.Struct, frozen=True, kw_only=True):
    """`state` is Kafka's word for its last transaction (`Empty` where it never had one)."""

    name: str
    producer_id: int
    epoch: int
    timeout_ms: int
    state: str


class TransactionalIdView(TransactionView):
    """Coordinators forget a transactional id that was silent for `transactional.id.expiration.ms`
    (7 days); whoever may not describe it is not told of it."""

    def known(self, producer_ids: Iterable[int]) -> dict[int, TransactionalId]:
        """By producer id. Raises InfrastructureError as all questions do."""
        wanted = list(dict.fromkeys(producer_ids))
        found: dict[int, TransactionalId] = {}
        for start in range(0, len(wanted), _AT_ONCE):
            names = list(self.transactional_ids(wanted[start : start + _AT_ONCE]).values())
            for name, described in self._describe(names) if names else ():
                found[described.producer_id] = TransactionalId(
                    name=name,
                    producer_id=described.producer_id,
                    epoch=described.producer_epoch,
                    timeout_ms=described.transaction_timeout_ms,
                    state=described.state.value,
                )
        return found
