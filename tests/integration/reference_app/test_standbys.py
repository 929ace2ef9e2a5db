"""Standbys make a hand-over short, and are never ahead of what is committed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reference_app.streams.serde import STRING
from reference_app.streams.store import RocksStore
from tests.integration.reference_app.payments_driver import Instance, Payments, wait_for

FAST = ("--session-timeout-ms", "6000", "--transaction-timeout-ms", "5000")


def standby_offsets(instance: Instance) -> dict[int, int]:
    standbys = instance.metrics().get("standbys", [])
    return {standby["partition"]: standby["offsets"]["balances"] for standby in standbys}


def caught_up(instance: Instance, other: Instance, payments: Payments) -> bool:
    """`instance` has a copy of each store of `other`, up to the last record of its changelog."""
    copies, ends = standby_offsets(instance), payments.ends(payments.changelog)
    # The last offset is the marker of the last commit.
    return all(copies.get(partition, -1) >= ends[partition] - 1 for partition in other.owned())


def restores_of(instance: Instance, partitions: list[int]) -> list[dict[str, Any]]:
    restores = instance.metrics()["restores"]
    return [restore for restore in restores if restore["partition"] in partitions]


def started_pair(payments: Payments, *options: str) -> tuple[Instance, Instance]:
    """Both own two partitions each."""
    first, second = payments.start_pair(*FAST, *options, static=False)
    wait_for("both at work", lambda: all(len(one.owned()) == 2 for one in (first, second)))
    return first, second


def test_a_promoted_standby_restores_the_tail_only(payments: Payments) -> None:
    heir, victim = started_pair(payments, "--num-standby-replicas", "1")
    payments.feed(20_000, accounts=2_000)
    payments.wait_drained()
    wait_for("copies of the other's stores", lambda: caught_up(heir, victim, payments))
    copies = standby_offsets(heir)
    orphaned = victim.owned()
    victim.kill()
    payments.feed(100)
    payments.wait_drained()
    taken = restores_of(heir, orphaned)[-2:]
    assert sorted(restore["partition"] for restore in taken) == sorted(orphaned)
    for restore in taken:
        assert restore["start"] >= copies[restore["partition"]] > 100, restore
        assert restore["records"] < 100, "what was read before is not read again"
        assert restore["wiped"] is None
    assert "event=standby_closed" in heir.log
    audit = payments.audit()
    assert audit.clean, audit


def test_without_a_standby_the_same_hand_over_restores_everything(payments: Payments) -> None:
    heir, victim = started_pair(payments)
    payments.feed(20_000, accounts=2_000)
    payments.wait_drained()
    orphaned = victim.owned()
    victim.kill()
    payments.feed(100)
    payments.wait_drained()
    assert all(restore["start"] == 0 for restore in restores_of(heir, orphaned)[-2:])


def test_a_standby_does_not_hold_what_is_not_committed(payments: Payments, tmp_path: Path) -> None:
    heir, victim = started_pair(payments, "--num-standby-replicas", "1")
    payments.feed(1_000)
    payments.wait_drained()
    orphan = payments.leave_open_changelog(timeout_ms=60_000)
    payments.feed(1_000)
    payments.wait_drained()
    stable = payments.stable_ends(payments.changelog)
    wait_for("the heir's copies", lambda: len(standby_offsets(heir)) == 2)
    for partition, offset in standby_offsets(heir).items():
        assert offset <= stable[partition]
    others = victim.owned()
    assert heir.terminate() == 0
    for partition in others:
        path = heir.state_dir / payments.name / str(partition) / "balances"
        store = RocksStore(path, key=STRING, value=STRING)
        assert store.get("account-0") != '{"balance": -1}'
        store.close()
    del orphan


def test_a_storm_with_standbys_leaves_every_payment_with_one_receipt(payments: Payments) -> None:
    pair = payments.start_pair(*FAST, "--num-standby-replicas", "1")
    payments.kill_at_work(pair, kills=3, seed=4, wipe=[1])
    audit = payments.audit()
    assert audit.clean, audit
