"""The payments app with all its outputs: a feed that fills them, and an audit of each."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.fraud_batch import Alert, Paid, Rule, alerts
from tests.integration.reference_app.payments_driver import Audit, Payments

TUMBLING = Rule(size_ms=1000, advance_ms=1000, grace_ms=300, threshold=12)
HOPPING = Rule(size_ms=1000, advance_ms=400, grace_ms=300, threshold=12)
LATE_RUN = 400


@dataclass
class WholeAudit:
    """`torn`: payments without exactly one debit and one credit of their amount; `together`: those
    whose two entries share a partition, where a torn transaction could not be seen."""

    receipts: Audit
    entries: int
    torn: list[int]
    together: list[int]
    alerts: int
    missing: Counter[Alert]
    unfounded: Counter[Alert]

    @property
    def clean(self) -> bool:
        wrong = self.torn or self.together or self.missing or self.unfounded
        return self.receipts.clean and not wrong


@dataclass
class WholePayments(Payments):
    """With a ledger and fraud alerts."""

    rule: Rule = field(default=TUMBLING)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.ledger, self.alerts = f"{self.name}-ledger", f"{self.name}-fraud-alerts"
        self.create_topics(self.ledger, self.alerts)
        self.options += [
            *("--ledger", self.ledger, "--fraud-alerts", self.alerts),
            *("--fraud-window-ms", str(self.rule.size_ms)),
            *("--fraud-advance-ms", str(self.rule.advance_ms)),
            *("--fraud-grace-ms", str(self.rule.grace_ms)),
            *("--fraud-threshold", str(self.rule.threshold)),
        ]

    def payment(self, chance: random.Random, accounts: int) -> dict[str, Any]:
        """Somewhat out of order, and a quarter too late for their window.

        Those come in runs, of few accounts: an instance that starts again amid one, and does not
        know the stream time any more, counts them. A few have no time but their record's.
        """
        payment = super().payment(chance, accounts)
        payment["counterparty"] = f"shop-{chance.randrange(10)}"
        too_late = self._next_id // LATE_RUN % 4 == 0
        if too_late:
            payment["account"] = f"account-{chance.randrange(8)}"
        late_ms = 3000 if too_late else chance.choice((0, 50, 200))
        if too_late or chance.random() > 0.02:
            payment["time_ms"] = int(time.time() * 1000) - late_ms
        return payment

    def audit_whole(self) -> WholeAudit:
        payments = [(message, json.loads(message.value())) for message in self.read(self.input)]
        amounts = {payment["payment_id"]: payment for _, payment in payments}
        entries = [
            (message.partition(), json.loads(message.value())) for message in self.read(self.ledger)
        ]
        found = Counter(
            (
                *(alert["account"], alert["window_start"], alert["window_end"]),
                *(alert["count"], alert["payment_id"]),
            )
            for alert in (json.loads(message.value()) for message in self.read(self.alerts))
        )
        expected = alerts(
            (
                Paid(
                    message.partition() or 0,
                    payment["account"],
                    payment["payment_id"],
                    payment.get("time_ms", message.timestamp()[1]),
                )
                for message, payment in payments
            ),
            self.rule,
        )
        return WholeAudit(
            receipts=self.audit(),
            entries=len(entries),
            torn=_torn(amounts, entries),
            together=_together(entries),
            alerts=found.total(),
            missing=expected - found,
            unfounded=found - expected,
        )


def _torn(payments: dict[int, Any], entries: list[tuple[int | None, Any]]) -> list[int]:
    """Compared as a whole: the sums of debits and credits are equal then as well."""
    posted: dict[int, list[tuple[str, str, int]]] = {}
    for _, entry in entries:
        told = (entry["side"], entry["account"], entry["amount"])
        posted.setdefault(entry["payment_id"], []).append(told)
    return [
        number
        for number in payments.keys() | posted.keys()
        if sorted(posted.get(number, [])) != _due(payments.get(number))
    ]


def _due(payment: Any) -> list[tuple[str, str, int]]:
    if payment is None:
        return []
    amount = payment["amount"]
    other = payment.get("counterparty", "clearing")
    return [("credit", other, amount), ("debit", payment["account"], amount)]


def _together(entries: list[tuple[int | None, Any]]) -> list[int]:
    places: dict[int, set[tuple[str, int | None]]] = {}
    for partition, entry in entries:
        places.setdefault(entry["payment_id"], set()).add((entry["side"], partition))
    return [
        number
        for number, sides in places.items()
        if len(sides) > len({partition for _, partition in sides})
    ]
