"""Bugs of the zoo seen by their topics alone: the cheap ones, and what no verdict shows yet.

All others are proven by `tests/acceptance/test_zoo.py`.
"""

from __future__ import annotations

import json

import pytest

from tests.integration.reference_app.payments_driver import Audit, Payments

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


@pytest.mark.parametrize(("bug", "right"), [((), True), (("--bug", "crc32-partitioner"), False)])
def test_receipts_lie_in_the_partition_of_their_payments(
    payments: Payments, bug: tuple[str, ...], *, right: bool
) -> None:
    payments.feed(200)
    payments.instance(*bug).start()
    payments.wait_drained()
    placed = [
        (message.partition(), json.loads(message.value())["source"]["partition"])
        for message in payments.read(payments.output)
    ]
    assert len(placed) == 200
    assert all(output == source for output, source in placed) is right


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
