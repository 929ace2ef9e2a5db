"""Drives the payments app: a feed, kills under it, an audit by its topics alone."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Producer

from tests.integration.reference_app.app_driver import PARTITIONS, App, Instance, wait_for

__all__ = ["PARTITIONS", "Audit", "Instance", "Payments", "wait_for"]


@dataclass
class Audit:
    """What the committed receipts are, against a fold of the committed input."""

    receipts: int
    lost: list[int]
    duplicates: list[int]
    phantoms: list[int]
    wrong: list[int]
    balances_differ: list[str]

    @property
    def clean(self) -> bool:
        return not (
            self.lost or self.duplicates or self.phantoms or self.wrong or self.balances_differ
        )


@dataclass
class Payments(App):
    """The payments app on topics of its own."""

    module = "reference_app.payments"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.input, self.output = f"{self.name}-payments", f"{self.name}-receipts"
        self.changelog = f"{self.name}-balances-changelog"
        self.create_topics(self.input, self.output)
        self._next_id = 0

    def kill_at_work(
        self, pair: list[Instance], *, kills: int, seed: int, wipe: Sequence[int] = ()
    ) -> None:
        """`kills` times one of `pair` is killed at work and started again, under a steady feed."""
        chance = random.Random(seed)
        with self.feeding(rate=2000):
            for number in range(kills):
                victim = chance.choice(pair)
                wait_for("an instance at work", victim.at_work)
                time.sleep(chance.uniform(0, 0.3))  # any instant of the commit cycle
                victim.kill()
                if number in wipe:
                    victim.wipe()
                victim.start()
        self.wait_drained()

    # -- input

    def feed(self, count: int, *, producer: Producer | None = None, accounts: int = 50) -> None:
        chance = random.Random(self._next_id)
        own = producer or self.producer()
        for _ in range(count):
            payment = self.payment(chance, accounts)
            own.produce(self.input, json.dumps(payment).encode(), payment["account"].encode())
            self._next_id += 1
        own.flush()

    def payment(self, chance: random.Random, accounts: int) -> dict[str, Any]:
        return {
            "payment_id": self._next_id,
            "account": f"account-{chance.randrange(accounts)}",
            "amount": chance.randrange(1, 10_000),
        }

    def feed_aborted(self, count: int) -> None:
        """Payments that were never committed: nobody may see them."""
        producer = self.producer(**{"transactional.id": f"{self.name}-feed"})
        producer.init_transactions(10)
        producer.begin_transaction()
        self.feed(count, producer=producer)
        producer.abort_transaction(10)

    def leave_open_changelog(self, *, timeout_ms: int) -> Producer:
        """What an instance leaves that died between its changelog records and their commit.

        The transaction stays open until its time-out as long as the answer is kept.
        """
        orphan = self.producer(
            **{"transactional.id": f"{self.name}-orphan", "transaction.timeout.ms": timeout_ms}
        )
        orphan.init_transactions(10)
        orphan.begin_transaction()
        for partition in range(PARTITIONS):
            orphan.produce(self.changelog, b'{"balance": -1}', b"account-0", partition)
        orphan.flush()
        return orphan

    @contextmanager
    def feeding(self, *, rate: int) -> Iterator[None]:
        """A steady feed of about `rate` payments a second while the block runs."""
        stop = threading.Event()
        producer = self.producer()

        def run() -> None:
            while not stop.wait(0.02):
                self.feed(max(rate // 50, 1), producer=producer)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    # -- what came out of it

    def audit(self) -> Audit:
        expected: dict[int, tuple[int, int, int]] = {}
        balances: Counter[str] = Counter()
        for message in self.read(self.input):
            payment = json.loads(message.value())
            balances[payment["account"]] += payment["amount"]
            expected[payment["payment_id"]] = (
                balances[payment["account"]],
                message.partition(),
                message.offset(),
            )
        seen: Counter[int] = Counter()
        wrong = []
        for message in self.read(self.output):
            receipt = json.loads(message.value())
            identity = receipt["payment_id"]
            seen[identity] += 1
            source = receipt["source"]
            told = (receipt["balance"], source["partition"], source["offset"])
            if identity in expected and told != expected[identity]:
                wrong.append(identity)
        folded: dict[str, int] = {}
        for message in self.read(self.changelog):
            folded[message.key().decode()] = json.loads(message.value())["balance"]
        accounts = balances.keys() | folded.keys()
        return Audit(
            receipts=seen.total(),
            lost=[identity for identity in expected if identity not in seen],
            duplicates=[identity for identity, count in seen.items() if count > 1],
            phantoms=[identity for identity in seen if identity not in expected],
            wrong=wrong,
            balances_differ=[a for a in accounts if balances.get(a) != folded.get(a)],
        )
