"""payments -> receipts, and on demand -> ledger and -> fraud-alerts."""

from __future__ import annotations

from reference_app.payments.fraud import FraudRule, paid_at, watching
from reference_app.payments.ledger import posting
from reference_app.payments.model import Payment
from reference_app.payments.receipts import settling
from reference_app.streams import STRING, Source, Topology, json


def payments_topology(
    *,
    payments: str = "payments",
    receipts: str = "receipts",
    ledger: str | None = None,
    fraud_alerts: str | None = None,
    fraud_rule: FraudRule | None = None,
) -> Topology:
    """The app's topology on the given topics; what is None is not made, and costs nothing.

    `fraud_alerts` asks for a `fraud_rule`.
    """
    processors = [settling(receipts)]
    if ledger is not None:
        processors.append(posting(ledger))
    timestamp = None
    if fraud_alerts is not None:
        assert fraud_rule is not None
        processors.append(watching(fraud_alerts, fraud_rule))
        timestamp = paid_at
    return Topology(
        name="payments",
        source=Source(payments, STRING, json(Payment), timestamp=timestamp),
        processors=tuple(processors),
    )
