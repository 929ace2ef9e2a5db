"""A storm of SIGKILLs over three instances of the payments app, each while it is at work."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from eoscheck.cluster.transactions import TransactionView
from tests.integration.reference_app.app_driver import PARTITIONS, Instance, wait_for
from tests.integration.reference_app.whole_payments import WholePayments

OPTIONS = (
    *("--session-timeout-ms", "1500", "--heartbeat-interval-ms", "300"),
    *("--transaction-timeout-ms", "3000", "--commit-interval-ms", "200"),
    *("--num-standby-replicas", "2"),
)
RATE = 1000


class Kill(StrEnum):
    """What becomes of the victim. It hands over where it stays down until others run its tasks."""

    RESTART = "restarted at once"
    WIPED = "restarted at once, wiped"
    HAND_OVER = "outlasted the session"
    HAND_OVER_WIPED = "outlasted the session, wiped"

    @property
    def wipes(self) -> bool:
        return self in (Kill.WIPED, Kill.HAND_OVER_WIPED)

    @property
    def hands_over(self) -> bool:
        return self in (Kill.HAND_OVER, Kill.HAND_OVER_WIPED)


def mixed(kills: int, chance: random.Random) -> list[Kill]:
    """Every second one is an ordinary crash, the others take turns."""
    turns = (Kill.HAND_OVER, Kill.WIPED, Kill.HAND_OVER_WIPED)
    mix = [Kill.RESTART if number % 2 else turns[number // 2 % 3] for number in range(kills)]
    chance.shuffle(mix)
    return mix


@dataclass
class Tally:
    """`open`: kills that left a transaction open; `promoted`: tasks that went on from a standby."""

    kills: Counter[Kill] = field(default_factory=Counter)
    open: int = 0
    promoted: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        kinds = ", ".join(f"{number} {kill}" for kill, number in sorted(self.kills.items()))
        return (
            f"{self.kills.total()} kills, {self.open} left a transaction open "
            f"({kinds}; {self.promoted} standbys promoted)"
        )


@dataclass
class Storm:
    payments: WholePayments
    transactions: TransactionView
    seed: int
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        self.instances = [self.payments.instance(*OPTIONS) for _ in range(3)]

    def run(self, *, kills: int) -> Tally:
        began = time.monotonic()
        chance = random.Random(self.seed)
        for instance in self.instances:
            instance.start()
        with self.payments.feeding(rate=RATE):
            for kill in mixed(kills, chance):
                victim = wait_for("an instance at work", lambda: self._at_work(chance))
                time.sleep(chance.uniform(0, 0.2))  # any instant of the commit cycle
                self._kill(victim, kill)
        self.payments.wait_drained()
        self.tally.seconds = time.monotonic() - began
        return self.tally

    def _at_work(self, chance: random.Random) -> Instance | None:
        busy = [instance for instance in self.instances if instance.at_work()]
        return chance.choice(busy) if busy else None

    def _kill(self, victim: Instance, kill: Kill) -> None:
        heirs = [instance for instance in self.instances if instance is not victim]
        if kill.hands_over:
            wait_for("standbys of the victim's tasks", lambda: _copied(victim, heirs))
        ids = {worker["transactional_id"] for worker in victim.metrics()["workers"]}
        orphaned = victim.owned()
        copies = [_standbys(heir) for heir in heirs]
        killed_at = time.time()
        victim.kill()
        ongoing = {each.transactional_id for each in self.transactions.ongoing()}
        self.tally.open += bool(ids & ongoing)
        self.tally.kills[kill] += 1
        if kill.hands_over:
            wait_for("heirs of all partitions", lambda: _owned(heirs) == set(range(PARTITIONS)))
            for heir, copied in zip(heirs, copies, strict=True):
                taken = copied.intersection(orphaned)
                self.tally.promoted += len(taken & _went_on(heir, since=killed_at))
        if kill.wipes:
            victim.wipe()
        victim.start()


def _owned(instances: Sequence[Instance]) -> set[int]:
    return {partition for instance in instances for partition in instance.owned()}


def _standbys(instance: Instance) -> set[int]:
    """Partitions whose balances it has a copy of."""
    return {
        standby["partition"]
        for standby in instance.metrics().get("standbys", [])
        if standby["offsets"].get("balances", 0) > 0
    }


def _copied(victim: Instance, heirs: Sequence[Instance]) -> bool:
    owned = victim.owned()
    return bool(owned) and all(_standbys(heir).issuperset(owned) for heir in heirs)


def _went_on(instance: Instance, *, since: float) -> set[int]:
    """Partitions whose balances were not restored from the beginning."""
    return {
        restore["partition"]
        for restore in instance.metrics().get("restores", [])
        if restore["store"] == "balances" and restore["ended_at"] > since and restore["start"] > 0
    }
