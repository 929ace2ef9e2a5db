"""Each bug of the zoo is red under the fault that is written beside it."""

from __future__ import annotations

import pytest

from tests.integration.reference_app.payments_driver import Audit, Payments, wait_for

COMMIT = ("--commit-interval-ms", "500")


def after_kills(payments: Payments, bug: str, *, kills: int = 3) -> Audit:
    pair = payments.start_pair("--bug", bug, *COMMIT)
    payments.kill_at_work(pair, kills=kills, seed=5)
    return payments.audit()


def test_offsets_before_outputs_loses_payments(payments: Payments) -> None:
    assert after_kills(payments, "offsets-before-outputs").lost


def test_read_uncommitted_input_makes_receipts_of_aborted_payments(payments: Payments) -> None:
    payments.feed_aborted(50)
    payments.feed(50)
    payments.instance("--bug", "read-uncommitted-input").start()
    payments.wait_drained()
    assert payments.audit().phantoms


def test_without_a_bug_aborted_payments_get_no_receipt(payments: Payments) -> None:
    payments.feed_aborted(50)
    payments.feed(50)
    payments.instance().start()
    payments.wait_drained()
    audit = payments.audit()
    assert audit.receipts == 50
    assert audit.clean, audit


@pytest.mark.accept
def test_auto_commit_loses_payments(payments: Payments) -> None:
    assert after_kills(payments, "auto-commit").lost


@pytest.mark.accept
@pytest.mark.parametrize("bug", ["offsets-after-outputs", "output-outside-transaction"])
def test_outputs_without_their_offsets_are_written_twice(payments: Payments, bug: str) -> None:
    audit = after_kills(payments, bug)
    assert audit.duplicates
    assert not audit.lost


@pytest.mark.accept
@pytest.mark.parametrize("bug", ["changelog-outside-transaction", "store-written-before-commit"])
def test_state_ahead_of_its_offsets_gives_wrong_balances(payments: Payments, bug: str) -> None:
    audit = after_kills(payments, bug)
    assert audit.wrong
    assert not audit.lost
    assert not audit.duplicates


@pytest.mark.accept
@pytest.mark.parametrize(("bug", "right"), [((), True), (("--bug", "restore-to-lso"), False)])
def test_a_restore_to_the_last_stable_offset_misses_what_was_committed_above_it(
    payments: Payments, bug: tuple[str, ...], *, right: bool
) -> None:
    instance = payments.instance(*bug, *COMMIT)
    instance.start()
    payments.feed(200)
    payments.wait_drained()
    orphan = payments.leave_open_changelog(timeout_ms=15_000)
    for _ in range(2):
        instance.kill()
        instance.wipe()
        instance.start()
        payments.feed(200)
        payments.wait_drained()
    assert payments.audit().clean is right
    del orphan


@pytest.mark.accept
@pytest.mark.parametrize(
    ("bug", "right"), [((), True), (("--bug", "random-transactional-id"), False)]
)
def test_a_transaction_that_nobody_takes_up_holds_readers_back(
    payments: Payments, bug: tuple[str, ...], *, right: bool
) -> None:
    instance = payments.instance(*bug, *COMMIT, "--transaction-timeout-ms", "60000")
    instance.start()
    with payments.feeding(rate=1000):
        wait_for("the instance at work", instance.at_work)
        instance.kill()
        ends = payments.ends(payments.output)
        instance.start()
        wait_for("the restart at work", instance.at_work)

        def readable() -> bool:
            return payments.readable_to(payments.output, ends)

        if right:
            wait_for("receipts that can be read", readable, timeout_s=15)
        else:
            with pytest.raises(AssertionError, match="receipts that can be read"):
                wait_for("receipts that can be read", readable, timeout_s=15)
