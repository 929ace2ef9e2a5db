"""Who holds a partition back, by scripted answers of leader and coordinator."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from eoscheck.audit.batches.held import open_transactions
from eoscheck.audit.checks.transactions import OpenAtCut
from eoscheck.cluster.transactions import ActiveProducer, OpenTransaction

PLACE = ("out", 2)


def producer(producer_id: int, open_since: int | None) -> ActiveProducer:
    return ActiveProducer(
        producer_id=producer_id,
        epoch=1,
        last_sequence=0,
        last_timestamp_ms=5,
        coordinator_epoch=0,
        open_since=open_since,
    )


def transaction(producer_id: int, *partitions: tuple[str, int]) -> OpenTransaction:
    return OpenTransaction(
        transactional_id="app",
        producer_id=producer_id,
        epoch=1,
        started_ms=0,
        timeout_ms=1000,
        partitions=list(partitions),
    )


@dataclass
class Transactions:
    """`leader` answers in turn, the last one again and again."""

    leader: list[list[ActiveProducer]]
    known: list[OpenTransaction] = field(default_factory=list)
    overdue: bool = False
    asked_longer_than: list[int] = field(default_factory=list)

    def producers(self, topic: str, partition: int) -> list[ActiveProducer]:
        assert (topic, partition) == PLACE
        return self.leader.pop(0) if len(self.leader) > 1 else self.leader[0]

    def unfinished(
        self, producer_ids: Iterable[int], *, longer_than_ms: int | None = None
    ) -> list[OpenTransaction]:
        found = [each for each in self.known if each.producer_id in producer_ids]
        if longer_than_ms is None:
            return found
        self.asked_longer_than.append(longer_than_ms)
        return found if self.overdue else []


def ask(transactions: Transactions, cut: int = 100) -> list[OpenAtCut]:
    return open_transactions(
        {PLACE: cut},
        transactions=transactions,  # type: ignore[arg-type]
        sweep_ms=500,
    )


def test_a_transaction_that_ends_between_two_questions_is_nobody_s() -> None:
    ending = Transactions([[producer(7, 40)], [producer(7, None)]])
    assert ask(ending) == []
    began_another = Transactions([[producer(7, 40)], [producer(7, 60)]])
    assert ask(began_another) == []


def test_one_that_stays_open_and_that_no_coordinator_knows_is_told_so() -> None:
    (found,) = ask(Transactions([[producer(7, 40)]]))
    assert (found.place, found.producer_id, found.coordinator) == (("out", 2, 40), 7, None)


def test_a_coordinator_that_knows_the_producer_and_not_the_partition_knows_nothing_of_it() -> None:
    elsewhere = Transactions([[producer(7, 40)]], known=[transaction(7, ("out", 3))])
    (found,) = ask(elsewhere)
    assert found.coordinator is None


def test_overdue_is_what_the_coordinator_s_own_clock_says() -> None:
    for overdue in (False, True):
        known = Transactions([[producer(7, 40)]], [transaction(7, PLACE)], overdue=overdue)
        (found,) = ask(known)
        assert found.coordinator is not None
        assert found.coordinator.overdue is overdue
        assert known.asked_longer_than == [1000 + 500]


def test_only_what_began_below_the_cut_matters() -> None:
    producers = [producer(7, 100), producer(8, 99), producer(9, None)]
    assert [found.producer_id for found in ask(Transactions([producers]))] == [8]
