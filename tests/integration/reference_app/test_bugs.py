"""Bugs of the zoo seen by their topics alone, the cheap ones: each rule by itself, and quickly.

What an audit says of them is shown by `tests/acceptance/test_zoo.py`, and of windows by
`tests/integration/audit/test_zoo_windows.py`.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from eoscheck.cluster import Cluster
from reference_app.streams.serde import STRING
from reference_app.streams.serde import json as json_serde
from reference_app.streams.windows import WindowedStore
from tests.integration.reference_app.payments_driver import Audit, Instance, Payments
from tests.integration.reference_app.whole_payments import WholePayments

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


@dataclass
class TimedPayments(WholePayments):
    """Its payments are of one account, at the time that the test says it is."""

    now_ms: int = 0

    def payment(self, chance: random.Random, accounts: int) -> dict[str, Any]:
        return {**super().payment(chance, 1), "account": "account-0", "time_ms": self.now_ms}

    def feed_at(self, now_ms: int, count: int) -> None:
        self.now_ms = now_ms
        self.feed(count)
        self.wait_drained()


@pytest.fixture
def timed(
    cluster: Cluster, fresh_name: Callable[[str], str], tmp_path: Path
) -> Iterator[TimedPayments]:
    app = TimedPayments(cluster.bootstrap_servers, fresh_name("app"), tmp_path)
    yield app
    app.stop()


@pytest.mark.accept
@pytest.mark.parametrize(("bug", "right"), [((), True), (("--bug", "stream-time-lost"), False)])
def test_a_window_that_was_closed_stays_closed_after_a_restart(
    timed: TimedPayments, bug: tuple[str, ...], *, right: bool
) -> None:
    instance = timed.instance(*bug)
    instance.start()
    timed.feed_at(10_000, timed.rule.threshold - 1)
    timed.feed_at(20_000, 1)
    assert instance.terminate() == 0
    instance.start()
    timed.feed_at(10_500, 1)  # would be the window's last missing payment
    audit = timed.audit_whole()
    assert audit.receipts.clean
    assert bool(audit.unfounded) is not right


def windows_on_disk(instance: Instance, app: Payments) -> set[int]:
    """Starts of the windows in all of an instance's stores; it is not running."""
    found = set()
    for path in (instance.state_dir / app.name).glob("*/payment-counts"):
        store = WindowedStore(path, key=STRING, value=json_serde(int), retention_ms=2**62)
        found |= {start for (start, _), _ in store.items()}
        store.close()
    return found


@pytest.mark.accept
@pytest.mark.parametrize(
    ("bug", "right"), [((), True), (("--bug", "window-retention-ignored"), False)]
)
def test_windows_past_their_retention_leave_the_store(
    timed: TimedPayments, bug: tuple[str, ...], *, right: bool
) -> None:
    instance = timed.instance(*bug)
    instance.start()
    hour_ms = 3_600_000
    for number in range(1, 4):
        timed.feed_at(number * hour_ms, 5)
    assert instance.terminate() == 0
    found = windows_on_disk(instance, timed)
    assert 3 * hour_ms in found
    assert (found == {3 * hour_ms}) is right
