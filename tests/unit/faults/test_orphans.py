"""Telling which transactions a fault left open."""

from __future__ import annotations

from eoscheck.cluster.transactions import OpenTransaction
from eoscheck.faults.orphans import OrphanWatch, mark


def open_transaction(name: str, started: int, *, producer: int = 1) -> OpenTransaction:
    return OpenTransaction(
        transactional_id=name,
        producer_id=producer,
        epoch=0,
        started_ms=started,
        timeout_ms=4000,
        partitions=[("out", 0)],
    )


VICTIM, OTHER = open_transaction("app-0", 100), open_transaction("app-1", 110)
RENEWED = open_transaction("app-1", 300)


def test_what_stays_open_while_the_survivor_goes_on_was_left_behind() -> None:
    watch = OrphanWatch([VICTIM, OTHER], others=1)
    watch.look([VICTIM, OTHER])
    assert not watch.certain
    watch.look([VICTIM, RENEWED])
    assert watch.certain
    assert watch.count() == 1
    assert watch.left_open == {mark(VICTIM)}
    assert watch.evidence()["open_after"] == ["app-0"]


def test_a_victim_that_committed_just_before_left_nothing_open() -> None:
    watch = OrphanWatch([VICTIM, OTHER], others=1)
    watch.look([OTHER])  # one has ended: whose it was cannot be told yet
    assert not watch.certain
    watch.look([RENEWED])
    assert watch.certain
    assert watch.count() == 0


def test_a_transaction_that_ends_between_two_looks_is_a_survivors() -> None:
    watch = OrphanWatch([VICTIM, OTHER], others=1)
    watch.look([VICTIM, OTHER])
    watch.look([VICTIM])  # no new one yet: the group rebalances
    assert watch.certain
    assert watch.left_open == {mark(VICTIM)}


def test_what_ended_before_the_first_look_may_have_been_the_victims_last_act() -> None:
    watch = OrphanWatch([VICTIM, OTHER], others=1)
    watch.look([VICTIM])
    watch.look([VICTIM])
    assert not watch.certain
    assert watch.count() == 0  # the least it can be: it might be the survivor's


def test_two_open_and_one_survivor_are_at_least_one_even_without_any_turnover() -> None:
    watch = OrphanWatch([VICTIM, OTHER], others=1)
    watch.look([VICTIM, OTHER])
    assert not watch.certain
    assert watch.count() == 1
    assert "at least" in watch.evidence()["open_transactions_by"]


def test_without_survivors_what_stays_open_is_the_victims() -> None:
    watch = OrphanWatch([VICTIM], others=0)
    watch.look([VICTIM])
    assert watch.certain
    assert watch.count() == 1


def test_nothing_is_claimed_without_a_look() -> None:
    watch = OrphanWatch([VICTIM], others=0)
    assert not watch.certain
    assert watch.count() == 0
    assert "too short" in watch.evidence()["open_transactions_by"]


def test_a_strangers_new_transaction_is_no_proof_of_a_survivor() -> None:
    watch = OrphanWatch([VICTIM, OTHER], others=1)
    watch.look([VICTIM, OTHER, open_transaction("app-2", 400)])
    assert not watch.certain


def test_a_new_producer_under_the_victims_id_is_another_transaction() -> None:
    watch = OrphanWatch([VICTIM], others=0)
    watch.look([open_transaction("app-0", 100, producer=2)])
    assert watch.count() == 0
