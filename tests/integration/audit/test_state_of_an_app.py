"""State, windows, restores and oracles of a real app on a real broker, check by check."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from eoscheck.audit.checks.golden import check_golden
from eoscheck.audit.checks.invariants import ZeroSum, check_monotonic, check_zero_by_group
from eoscheck.audit.checks.outcome import Checked
from eoscheck.audit.checks.retention import check_retention
from eoscheck.audit.checks.state import check_tables
from eoscheck.audit.checks.tables import TableRows
from eoscheck.audit.findings import Code
from eoscheck.audit.oracles.dumps import Dump
from eoscheck.audit.oracles.folding import Folding, load_fold
from eoscheck.audit.oracles.windows import Retention, StreamTimes
from eoscheck.cluster import Cluster
from eoscheck.history.restores import RestoreEnded
from eoscheck.subject.restores import restores_in
from tests.integration.audit.messages import contents_of, grouped_of, table_of
from tests.integration.reference_app.app_driver import ROOT, Instance
from tests.integration.reference_app.payments_driver import Payments
from tests.integration.reference_app.whole_payments import WholePayments

HOUR_MS = 3_600_000


def balance(state: int | None, _key: Any, value: bytes, _headers: Any) -> int:
    return (state or 0) + int(json.loads(value)["amount"])


def balance_finish(_key: Any, state: int) -> bytes:
    return b'{"balance":%d}' % state


def signed(_key: Any, value: bytes, _headers: Any) -> int:
    entry = json.loads(value)
    return int(entry["amount"] if entry["side"] == "debit" else -entry["amount"])


@dataclass
class TimedPayments(WholePayments):
    """Its payments are at the time that the test says it is."""

    now_ms: int = 0

    def payment(self, chance: random.Random, accounts: int) -> dict[str, Any]:
        return {**super().payment(chance, accounts), "time_ms": self.now_ms}

    def feed_at(self, now_ms: int, count: int) -> None:
        self.now_ms = now_ms
        self.feed(count)
        self.wait_drained()


@pytest.fixture
def payments(
    cluster: Cluster, fresh_name: Callable[[str], str], tmp_path: Path
) -> Iterator[Payments]:
    app = Payments(cluster.bootstrap_servers, fresh_name("app"), tmp_path)
    yield app
    app.stop()


@pytest.fixture
def timed(
    cluster: Cluster, fresh_name: Callable[[str], str], tmp_path: Path
) -> Iterator[TimedPayments]:
    app = TimedPayments(cluster.bootstrap_servers, fresh_name("app"), tmp_path)
    yield app
    app.stop()


def dumped(app: Payments, instance: Instance, store: str, *, window: str | None = None) -> Dump:
    command = [sys.executable, "-m", app.module, "--application-id", app.name]
    command += ["--state-dir", str(instance.state_dir), "--dump-store", store, *app.options]
    found = subprocess.run(command, capture_output=True, check=True, cwd=ROOT, timeout=60)
    path = app.folder / f"{store}.ndjson"
    path.write_bytes(found.stdout)
    return Dump(path=path, window=window)


def stored(dump: Dump, *, times: StreamTimes | None = None) -> TableRows:
    (block,) = dump.blocks()
    return dump.table(block, newest=None if times is None else times.newest)


def folded(app: Payments) -> TableRows:
    fold = Folding(app.input, load_fold(f"python:{__name__}:balance"))
    for message in app.read(app.input):
        content = (message.key(), message.value(), [])
        fold.add([message.partition()], [message.offset()], [content])  # type: ignore[list-item]
    found = fold.table()
    assert isinstance(found, TableRows)
    return found


def silent(checked: Checked) -> None:
    assert not checked.found
    assert not checked.unknowns


def test_changelog_dump_and_fold_agree_and_the_one_that_is_changed_is_named(
    payments: Payments,
) -> None:
    instance = payments.instance()
    instance.start()
    payments.feed_aborted(50)
    payments.feed(300)
    payments.wait_drained()
    assert instance.terminate() == 0
    log = table_of(payments.changelog, payments.read(payments.changelog))
    dump, fold = stored(dumped(payments, instance, "balances")), folded(payments)
    checked = check_tables(log, [dump, fold], limit=10)
    silent(checked)
    assert checked.counts["judged_keys"] == 50

    path = payments.folder / "balances.ndjson"
    lines = path.read_text().splitlines()
    number = next(n for n, line in enumerate(lines) if '"account-7"' in line)
    lines[number] = json.dumps({**json.loads(lines[number]), "value": {"balance": 1}})
    path.write_text("\n".join(lines) + "\n")
    (found,) = check_tables(log, [stored(Dump(path=path)), fold], limit=10).found
    (anomaly,) = found.anomalies
    assert anomaly.detail == (
        f"dump balances.ndjson has another value than {payments.changelog}; "
        f"fold {__name__}:balance agrees with {payments.changelog}"
    )

    # A changelog by a task that wrote the last balance of one key twice too high.
    at_fault = payments.producer()
    at_fault.produce(payments.changelog, b'{"balance":2}', b"account-7", anomaly.place.partition)
    assert at_fault.flush(10) == 0
    log = table_of(payments.changelog, payments.read(payments.changelog))
    (found,) = check_tables(log, [fold], limit=10).found
    assert found.total == 1
    assert found.anomalies[0].place.partition == anomaly.place.partition


def test_a_dump_of_an_earlier_moment_agrees_with_the_changelog_of_that_moment(
    payments: Payments,
) -> None:
    instance = payments.instance()
    instance.start()
    payments.feed(200)
    payments.wait_drained()
    assert instance.terminate() == 0
    dump = stored(dumped(payments, instance, "balances"))
    instance.start()
    payments.feed(200)
    payments.wait_drained()
    log = table_of(payments.changelog, payments.read(payments.changelog))
    silent(check_tables(log, [dump], compacted=False, limit=10))


@pytest.mark.parametrize(
    ("bug", "right"), [((), True), (("--bug", "window-retention-ignored"), False)]
)
def test_windows_that_outlive_their_retention_are_seen_in_a_dump(
    timed: TimedPayments, bug: tuple[str, ...], *, right: bool
) -> None:
    instance = timed.instance(*bug)
    instance.start()
    for number in range(1, 4):
        timed.feed_at(number * HOUR_MS, 100)
    assert instance.terminate() == 0
    topic = f"{timed.name}-payment-counts-changelog"
    messages = timed.read(topic)
    log = table_of(topic, messages, window="prefix")
    assert log.window is not None
    times = StreamTimes()
    for partition in set(log.partition.tolist()):
        rows = (log.partition == partition).nonzero()[0]
        one = log.take(rows)
        assert one.window is not None
        times.add(partition, one.offset, one.window)
    dump = stored(dumped(timed, instance, "payment-counts", window="prefix"), times=times)
    retention = Retention(retention_ms=timed.rule.size_ms + timed.rule.grace_ms)
    checked = check_retention(dump, log, retention=retention, limit=10)
    silent(check_tables(log, [dump], retention=retention, limit=10))
    if right:
        silent(checked)
        return
    (found,) = checked.found
    assert found.code is Code.RETENTION_BREACH
    assert {each.facts["window_start_ms"] for each in found.anomalies} <= {HOUR_MS, 2 * HOUR_MS}
    assert found.anomalies[0].identity is not None


def test_what_an_app_prints_about_its_restores_is_read_from_its_log(payments: Payments) -> None:
    instance = payments.instance()
    instance.start()
    payments.feed(200)
    payments.wait_drained()
    instance.kill()
    instance.wipe()
    began = time.time()
    instance.start()
    payments.feed(1)
    payments.wait_drained()
    ends = payments.ends(payments.changelog)
    restores = [
        event
        for event in restores_in(
            instance.state_dir.with_suffix(".log"),
            instance=0,
            since_start=lambda unix: unix - began,
        )
        if isinstance(event, RestoreEnded) and event.t > -1
    ]
    assert {event.store for event in restores} == {"balances"}
    reached = {event.partition: event.restored_to for event in restores}
    assert reached.keys() == ends.keys()
    assert all(0 <= ends[partition] - to <= 2 for partition, to in reached.items())


def test_the_same_input_without_faults_gives_the_golden_run(
    cluster: Cluster, payments: Payments, fresh_name: Callable[[str], str], tmp_path: Path
) -> None:
    payments.feed(300)
    golden = Payments(cluster.bootstrap_servers, fresh_name("golden"), tmp_path / "golden")
    (tmp_path / "golden").mkdir()
    golden.input = payments.input
    try:
        golden.instance("--commit-interval-ms", "50").start()
        payments.instance("--commit-interval-ms", "500").start()
        golden.wait_drained()
        payments.wait_drained()
        right = contents_of(golden.output, golden.read(golden.output))
        output = contents_of(payments.output, payments.read(payments.output))
        silent(check_golden(output, right, limit=10))
        producer = payments.producer()
        producer.produce(payments.output, b'{"payment_id":1}', b"account-1", 0)
        assert producer.flush(10) == 0
        output = contents_of(payments.output, payments.read(payments.output))
        (found,) = check_golden(output, right, limit=10).found
        assert found.total == 1
        assert found.anomalies[0].place.topic == payments.output
    finally:
        golden.stop()


def test_debits_and_credits_sum_to_zero_until_one_is_written_alone(timed: TimedPayments) -> None:
    instance = timed.instance()
    instance.start()
    timed.feed_at(HOUR_MS, 200)

    def ledger() -> tuple[Checked, Checked]:
        messages = timed.read(timed.ledger)
        rows = grouped_of(
            timed.ledger,
            messages,
            identity="json:/payment_id+json:/side",
            group="json:/payment_id",
            number=f"python:{__name__}:signed",
        )
        zero = ZeroSum(topic=timed.ledger)
        zero.add(0, rows.number)
        return zero.check(), check_zero_by_group(rows, limit=10)

    for checked in ledger():
        silent(checked)
    entry = {"payment_id": 10**6, "account": "a", "side": "debit", "amount": 7}
    producer = timed.producer()
    producer.produce(timed.ledger, json.dumps(entry).encode(), b"a", 1)
    assert producer.flush(10) == 0
    whole, by_payment = ledger()
    assert whole.found[0].anomalies[0].facts["sum"] == 7
    (found,) = by_payment.found[0].anomalies
    assert found.place.partition == 1


def test_balances_of_payments_rise_until_one_does_not(payments: Payments) -> None:
    payments.instance().start()
    payments.feed(200)
    payments.wait_drained()

    def receipts() -> Checked:
        messages = payments.read(payments.output)
        rows = grouped_of(
            payments.output,
            messages,
            identity="json:/payment_id",
            group="key",
            number="json:/balance",
        )
        return check_monotonic(rows, limit=10)

    silent(receipts())
    stale = payments.read(payments.output)[0]
    content = {**json.loads(stale.value() or b""), "payment_id": 10**6, "balance": -1}
    producer = payments.producer()
    producer.produce(
        payments.output, json.dumps(content).encode(), stale.key(), stale.partition() or 0
    )
    assert producer.flush(10) == 0
    (found,) = receipts().found
    assert found.total == 1
    assert found.anomalies[0].facts["result"] == -1
