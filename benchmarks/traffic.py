"""Payments at a steady rate, whatever the subject does, and the receipts that come of them."""

from __future__ import annotations

import time
from collections.abc import Collection
from concurrent.futures import Future

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.background import Background
from benchmarks.backlog import PARTITIONS, account_name, payment
from benchmarks.bench import Bench
from eoscheck.errors import InfrastructureError
from reference_app.payments.model import SourceOffset

_TICK_S = 0.01
_FLUSH_S = 20.0
# Prime: accounts are taken in turn, unsorted.
_STRIDE = 7_919


class _Receipt(msgspec.Struct, frozen=True, gc=False):
    payment_id: int
    source: SourceOffset


class Traffic(Background):
    """`rate` payments a second, numbered from `first`. `sent` is the number of the next one."""

    def __init__(
        self, bench: Bench, topic: str, *, rate: int, accounts: int, first: int = 0
    ) -> None:
        self.rate = rate
        self.sent = first
        self._first = first
        self._topic = topic
        self._accounts = accounts
        self._producer = Producer(
            {**bench.clients, "partitioner": "murmur2_random", "linger.ms": 5}
        )
        super().__init__("traffic", self._send)

    def _send(self) -> None:
        produce, began = self._producer.produce, time.monotonic()
        while not self.stopping.wait(_TICK_S):
            due = self._first + int((time.monotonic() - began) * self.rate)
            for number in range(self.sent, due):
                account = account_name(number * _STRIDE % self._accounts)
                produce(self._topic, payment(number, account, number % 1_000), account.encode())
                self.sent = number + 1
            self._producer.poll(0)
        self._producer.flush(_FLUSH_S)


class Receipts(Background):
    """Reads the committed receipts. `count` have come so far."""

    def __init__(self, bench: Bench, topic: str) -> None:
        self.count = 0
        self._expected: tuple[int, Collection[int], Future[float]] | None = None
        self._decode = msgspec.json.Decoder(_Receipt).decode
        self._consumer = Consumer(
            {
                **bench.clients,
                "group.id": f"{topic}-reader",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 100,
            }
        )
        self._consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
        super().__init__("receipts", self._read)

    def expect(self, after: int, *, partitions: Collection[int]) -> Future[float]:
        """When the first receipt came of a payment with this number or a later one, out of one of
        these partitions of the input."""
        seen: Future[float] = Future()
        self._expected = (after, partitions, seen)
        return seen

    def _read(self) -> None:
        try:
            while not self.stopping.is_set():
                messages = self._consumer.consume(1_000, 0.05)
                now = time.monotonic()
                for message in messages:
                    if message.error() is None:
                        self.count += 1
                        self._look(self._decode(message.value() or b""), now)
        finally:
            self._consumer.close()

    def _look(self, receipt: _Receipt, now: float) -> None:
        if self._expected is None:
            return
        after, partitions, seen = self._expected
        if receipt.payment_id >= after and receipt.source.partition in partitions:
            self._expected = None
            seen.set_result(now)


def wait_caught_up(traffic: Traffic, receipts: Receipts, *, timeout_s: float) -> None:
    """Until all but the last second's payments have their receipts."""
    deadline = time.monotonic() + timeout_s
    while receipts.count < traffic.sent - traffic.rate:
        traffic.check()
        receipts.check()
        if time.monotonic() > deadline:
            missing = traffic.sent - receipts.count
            raise InfrastructureError(f"{missing} receipts missing after {timeout_s:g} s")
        time.sleep(_TICK_S)
