"""The payments app as processes on a real broker, judged by its topics alone."""

from __future__ import annotations

import subprocess
import sys

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from tests.integration.reference_app.payments_driver import Payments, wait_for


def test_every_payment_has_exactly_one_receipt_after_a_storm_of_kills(payments: Payments) -> None:
    pair = payments.start_pair("--transaction-timeout-ms", "3000")
    payments.kill_at_work(pair, kills=3, seed=1, wipe=[1])
    audit = payments.audit()
    assert audit.receipts > 1000
    assert audit.clean, audit


@pytest.mark.accept
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_long_storm_with_dynamic_members(payments: Payments, seed: int) -> None:
    pair = payments.start_pair("--transaction-timeout-ms", "6000", static=False)
    payments.kill_at_work(pair, kills=10, seed=seed, wipe=[3, 7])
    audit = payments.audit()
    assert audit.clean, audit


@pytest.mark.accept
@pytest.mark.parametrize("transaction_timeout_ms", ["3000", "20000"])
def test_an_instance_that_comes_back_as_a_zombie_writes_nothing_twice(
    payments: Payments, transaction_timeout_ms: str
) -> None:
    """Paused beyond its session: its partitions have another owner when it goes on."""
    options = ("--transaction-timeout-ms", transaction_timeout_ms, "--commit-interval-ms", "500")
    pair = payments.start_pair(*options, static=False)
    with payments.feeding(rate=2000):
        for zombie, heir in (pair, pair[::-1]):
            wait_for("both at work", lambda: all(one.at_work() for one in pair))
            zombie.pause()
            wait_for("an heir of all partitions", lambda heir=heir: len(heir.owned()) == 4)
            zombie.resume()
            wait_for("the zombie's return", lambda zombie=zombie: 0 < len(zombie.owned()) < 4)
    payments.wait_drained()
    audit = payments.audit()
    assert audit.clean, audit


def test_at_least_once_loses_nothing(payments: Payments) -> None:
    pair = payments.start_pair(
        *("--processing-guarantee", "at_least_once", "--commit-interval-ms", "500")
    )
    payments.kill_at_work(pair, kills=2, seed=2)
    audit = payments.audit()
    assert audit.duplicates, "no kill hit work in progress: the test proved nothing"
    assert not audit.lost
    assert not audit.phantoms


def test_a_kept_directory_restores_the_tail_and_a_clean_close_leaves_none(
    payments: Payments,
) -> None:
    instance = payments.instance()
    payments.feed(20_000, accounts=2_000)
    instance.start()
    payments.wait_drained()
    wait_for("its end in the metrics", lambda: instance.metrics()["records"] == 20_000)
    instance.kill()
    instance.start()
    wait_for("the restart after SIGKILL", instance.running)
    killed = [restore["records"] for restore in instance.metrics()["restores"]]
    assert killed == [0, 0, 0, 0], "all was committed, so nothing had to be read again"

    payments.feed(100, accounts=2_000)
    payments.wait_drained()
    assert instance.terminate() == 0
    assert instance.metrics()["reason"] == "stopped by a signal, closed cleanly"
    instance.start()
    wait_for("the restart after SIGTERM", instance.running)
    assert [restore["records"] for restore in instance.metrics()["restores"]] == [0, 0, 0, 0]

    instance.kill()
    instance.wipe()
    instance.start()
    wait_for("the restart without its directory", instance.running)
    assert sum(restore["records"] for restore in instance.metrics()["restores"]) >= 2_000
    assert payments.audit().clean


def test_a_failed_output_aborts_and_everything_is_processed_again_once(payments: Payments) -> None:
    """The broker refuses receipts for a while: overlay, position and outputs all go back."""
    instance = payments.instance()
    instance.start()
    payments.feed(200)
    payments.wait_drained()
    output = ConfigResource(ResourceType.TOPIC, payments.output)

    def set_limit(operation: AlterConfigOpType) -> None:
        # Room for a transaction's markers, not for a batch with a receipt in it.
        limit = ConfigEntry("max.message.bytes", "100", incremental_operation=operation)
        output.incremental_configs = [limit]
        payments.admin.incremental_alter_configs([output])[output].result()

    set_limit(AlterConfigOpType.SET)
    payments.feed(200)
    wait_for("an abort", lambda: instance.metrics()["aborts"] >= 2)
    set_limit(AlterConfigOpType.DELETE)
    payments.wait_drained()
    assert instance.metrics()["sessions"] == 1, "an abort does not end the session"
    audit = payments.audit()
    assert audit.clean, audit


def test_a_fenced_producer_is_replaced_and_nothing_is_lost(payments: Payments) -> None:
    instance = payments.instance()
    instance.start()
    with payments.feeding(rate=1000):
        wait_for("the instance at work", instance.at_work)
        (worker,) = instance.metrics()["workers"]
        usurper = payments.producer(**{"transactional.id": worker["transactional_id"]})
        usurper.init_transactions(10)
        wait_for("a second session", lambda: instance.metrics()["sessions"] >= 2)
        wait_for("work in it", instance.at_work)
    payments.wait_drained()
    audit = payments.audit()
    assert audit.clean, audit


HALF_A_REBALANCE = """
import os, sys
from confluent_kafka import Consumer
consumer = Consumer({"bootstrap.servers": sys.argv[1], "group.id": sys.argv[2],
                     "group.instance.id": "member-0-0", "session.timeout.ms": 30000,
                     "partition.assignment.strategy": "cooperative-sticky"})
consumer.subscribe([sys.argv[3]],
                   on_assign=lambda consumer, places: print(len(places), flush=True),
                   on_revoke=lambda *_: os._exit(0))
while True:
    consumer.consume(1, 0.1)
"""


def test_partitions_given_up_by_a_member_that_died_in_the_rebalance_find_an_owner(
    payments: Payments,
) -> None:
    """Its static successor is given what it had kept; for the others nobody would ever ask."""
    command = [sys.executable, "-c", HALF_A_REBALANCE]
    successor, other = payments.instance(), payments.instance()
    with subprocess.Popen(
        [*command, payments.bootstrap, payments.name, payments.input], stdout=subprocess.PIPE
    ) as former:
        assert former.stdout is not None
        assert former.stdout.readline() == b"4\n"
        other.start()
        assert former.wait(30) == 0, "it dies as it gives two partitions up"
    successor.start()
    payments.feed(200)
    payments.wait_drained(timeout_s=20)
    audit = payments.audit()
    assert audit.clean, audit


def test_a_record_that_cannot_be_processed_stops_the_app_and_is_named(payments: Payments) -> None:
    payments.producer().produce(payments.input, b"not json", b"account-1", 0)
    poison = payments.producer()
    poison.produce(payments.input, b"not json", b"account-1", 0)
    poison.flush()
    instance = payments.instance()
    instance.start()
    assert instance.wait() == 1
    assert f"{payments.input}-0 offset 0 cannot be processed" in instance.metrics()["reason"]


def test_a_missing_topic_is_one_clear_line(payments: Payments) -> None:
    instance = payments.instance("--output", "no-such-topic")
    instance.start()
    assert instance.wait() == 2
    assert "'no-such-topic' does not exist: create it first" in instance.log
    assert "Traceback" not in instance.log
