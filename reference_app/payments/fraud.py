"""payments -> watch (window store: payment-counts) -> fraud-alerts."""

from __future__ import annotations

from dataclasses import dataclass

from confluent_kafka import Message

from reference_app.payments.model import FraudAlert, Payment
from reference_app.streams.errors import ConfigurationError
from reference_app.streams.serde import STRING, json
from reference_app.streams.topology import (
    Context,
    Processor,
    Sink,
    Step,
    TimeWindows,
    WindowStore,
)


@dataclass(frozen=True, kw_only=True)
class FraudRule:
    """An account with `threshold` payments in one window is suspicious."""

    windows: TimeWindows
    threshold: int

    def __post_init__(self) -> None:
        if self.threshold < 1:
            raise ConfigurationError("--fraud-threshold must be above 0")


def paid_at(payment: Payment, message: Message) -> int:
    """The payment's event time, else the record's timestamp."""
    time_ms = payment.time_ms
    if time_ms is not None:
        return time_ms
    timestamp: int = message.timestamp()[1]
    return timestamp


def watching(topic: str, rule: FraudRule) -> Processor:
    """One alert for each account and window, by the payment that makes the threshold full.

    A payment that comes after its window has closed, by the stream time of its partition, is not
    counted: so the order of the input alone decides, and the same input gives the same alerts.
    """
    sink: Sink[str, FraudAlert] = Sink(topic, STRING, json(FraudAlert))
    counts: WindowStore[str, int] = WindowStore(
        "payment-counts", STRING, json(int), windows=rule.windows
    )
    windows, threshold, size_ms = rule.windows, rule.threshold, rule.windows.size_ms

    def watch(context: Context) -> Step:
        store = context.windows(counts)
        send = context.sink(sink)

        def step(account: str, payment: Payment, message: Message) -> None:
            for start in windows.starts(paid_at(payment, message)):
                if not store.is_open(start):
                    continue
                count = (store.get(account, start) or 0) + 1
                store.put(account, start, count)
                if count == threshold:
                    end = start + size_ms
                    send(account, FraudAlert(account, start, end, count, payment.payment_id))

        return step

    return Processor("watch", watch, stores=(counts,), sinks=(sink,))
