"""Double entry: two records for each payment, never in the same partition."""

from __future__ import annotations

import pytest

from reference_app.payments.ledger import apart
from reference_app.payments.model import Entry, Side
from reference_app.payments.topology import payments_topology
from reference_app.streams.changelog import check_outputs
from reference_app.streams.errors import ConfigurationError
from tests.unit.reference_app.driven import driven


def posted(**payment: object) -> list[tuple[str, int, dict[str, object]]]:
    with driven(payments_topology(ledger="ledger")) as task:
        task.process("alice", {"payment_id": 7, "account": "alice", "amount": 500, **payment})
        return [(sent.key, sent.partition, sent.value) for sent in task.to("ledger")]


def test_a_payment_is_a_debit_and_a_credit_in_different_partitions() -> None:
    assert posted(counterparty="bob") == [
        ("alice", 3, {"payment_id": 7, "account": "alice", "side": "debit", "amount": 500}),
        ("bob", 0, {"payment_id": 7, "account": "bob", "side": "credit", "amount": 500}),
    ]


def test_without_a_counterparty_the_credit_goes_to_clearing() -> None:
    assert [key for key, _, _ in posted()] == ["alice", "clearing"]


@pytest.mark.parametrize("partitions", [2, 3, 7])
def test_debit_and_credit_are_apart_whatever_the_partitions_and_the_payment(
    partitions: int,
) -> None:
    for number in range(-20, 20):
        debit, credit = (
            apart("key", Entry(number, "a", side, 1), partitions)
            for side in (Side.DEBIT, Side.CREDIT)
        )
        assert debit != credit
        assert {debit, credit} <= set(range(partitions))


def test_a_ledger_of_one_partition_is_refused_with_the_fix() -> None:
    topology = payments_topology(ledger="ledger")
    with pytest.raises(ConfigurationError, match="'ledger' has 1 partitions and needs 2: give it"):
        check_outputs(topology, {"receipts": 1, "ledger": 1})
