"""Who holds a partition back: asks the leaders and the coordinators (KIP-664)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from eoscheck.audit.checks.outcome import Checked
from eoscheck.audit.checks.transactions import (
    CoordinatorView,
    OpenAtCut,
    check_open_transactions,
)
from eoscheck.audit.findings import Unknown
from eoscheck.audit.rows.records import Place
from eoscheck.audit.spec import AuditSpec
from eoscheck.cluster.configs import ConfigView
from eoscheck.cluster.rights import sees_every_transaction
from eoscheck.cluster.transactions import ActiveProducer, OpenTransaction, TransactionView
from eoscheck.errors import EoscheckError


def check_held(
    cuts: Mapping[tuple[str, int], int],
    *,
    client_config: Mapping[str, str],
    configs: ConfigView,
    spec: AuditSpec,
) -> Checked:
    """Judges what stood before the `cuts` that were not reached. Nothing is asked where all were.

    Never fails: what the cluster does not tell is unknown.
    """
    if not cuts:
        return Checked()
    try:
        sweep_ms = configs.transaction_sweep_ms()
        with TransactionView(client_config) as transactions:
            found = open_transactions(cuts, transactions=transactions, sweep_ms=sweep_ms)
        hidden = [each for each in found if each.coordinator is None]
        if hidden and sees_every_transaction(client_config):
            hidden = []
    except EoscheckError as error:
        reason = f"held back by an open transaction that cannot be looked up: {error}"
        return Checked(unknowns=[_unknown(place, reason) for place in cuts])
    checked = check_open_transactions(
        [each for each in found if each not in hidden],
        patience_s=spec.patience_s,
        sweep_ms=sweep_ms,
        limit=spec.max_findings,
    )
    explained = {each.place[:2] for each in found}
    ended = [
        _unknown(place, "a transaction was open there, and ended just now: audit again")
        for place in cuts
        if place not in explained
    ]
    unseen = [
        _unknown(
            each.place[:2],
            f"held back by an open transaction of producer {each.producer_id}, which its "
            "coordinator may hide from us: DESCRIBE on every TRANSACTIONAL_ID is needed",
        )
        for each in hidden
    ]
    return Checked(found=checked.found, unknowns=[*checked.unknowns, *unseen, *ended])


def _unknown(place: tuple[str, int], reason: str) -> Unknown:
    topic, partition = place
    return Unknown(subject=f"{topic}-{partition}", reason=reason)


def open_transactions(
    cuts: Mapping[tuple[str, int], int], *, transactions: TransactionView, sweep_ms: int
) -> list[OpenAtCut]:
    """The transactions that are open below `cuts` ((topic, partition) -> offset), as their
    coordinators know them. Empty where they ended meanwhile.

    Raises InfrastructureError where the cluster does not tell.
    """
    return [
        found
        for (topic, partition), cut in cuts.items()
        for producer in _open_below(transactions, topic, partition, cut)
        for found in _as_coordinated(
            transactions, topic, partition, producer, cut=cut, sweep_ms=sweep_ms
        )
    ]


def _open_below(
    transactions: TransactionView, topic: str, partition: int, cut: int
) -> list[ActiveProducer]:
    return [
        producer
        for producer in transactions.producers(topic, partition)
        if producer.open_since is not None and producer.open_since < cut
    ]


def _as_coordinated(
    transactions: TransactionView,
    topic: str,
    partition: int,
    producer: ActiveProducer,
    *,
    cut: int,
    sweep_ms: int,
) -> Iterator[OpenAtCut]:
    known = [
        transaction
        for transaction in transactions.unfinished([producer.producer_id])
        if (topic, partition) in transaction.partitions
    ]
    if not known and producer not in _open_below(transactions, topic, partition, cut):
        return  # it ended between the two questions: its marker comes before "complete"
    assert producer.open_since is not None
    yield OpenAtCut(
        place=Place(topic, partition, producer.open_since),
        cut=cut,
        producer_id=producer.producer_id,
        epoch=producer.epoch,
        last_timestamp_ms=producer.last_timestamp_ms,
        coordinator=_coordinator_view(transactions, known[0], sweep_ms) if known else None,
    )


def _coordinator_view(
    transactions: TransactionView, known: OpenTransaction, sweep_ms: int
) -> CoordinatorView:
    overdue = transactions.unfinished(
        [known.producer_id], longer_than_ms=known.timeout_ms + sweep_ms
    )
    return CoordinatorView(
        transactional_id=known.transactional_id,
        state=known.state,
        epoch=known.epoch,
        started_ms=known.started_ms,
        timeout_ms=known.timeout_ms,
        overdue=bool(overdue),
    )
