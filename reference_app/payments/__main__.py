"""`python -m reference_app.payments`: the payments app on the command line."""

from __future__ import annotations

import sys
from typing import Any

import click

from reference_app.launch import EXIT_CODES, app_options, launch
from reference_app.payments.fraud import FraudRule
from reference_app.payments.topology import payments_topology
from reference_app.streams.errors import ConfigurationError
from reference_app.streams.topology import TimeWindows

_EXAMPLE = """
\b
Example:
  python -m reference_app.payments --bootstrap-server localhost:9092 --state-dir ./state-1 \\
      --ledger ledger --fraud-alerts fraud-alerts
"""


@click.command(epilog=_EXAMPLE + EXIT_CODES, context_settings={"max_content_width": 100})
@click.option(
    "--input",
    "payments",
    default="payments",
    show_default=True,
    help="Topic of payments; key: account, value: JSON with payment_id, account, amount, and at "
    "will counterparty and time_ms.",
)
@click.option(
    "--output",
    "receipts",
    default="receipts",
    show_default=True,
    help="Topic of receipts, one for each payment.",
)
@click.option(
    "--ledger",
    metavar="TOPIC",
    help="Topic of a debit and a credit for each payment, in two partitions. Unset: none.",
)
@click.option(
    "--fraud-alerts",
    metavar="TOPIC",
    help="Topic of accounts with too many payments in a window of time. Unset: none.",
)
@click.option("--fraud-window-ms", type=click.IntRange(min=1), default=60_000, show_default=True)
@click.option(
    "--fraud-advance-ms",
    type=click.IntRange(min=1),
    show_default="the window: tumbling",
    help="A window begins so often: below --fraud-window-ms they overlap (hopping).",
)
@click.option(
    "--fraud-grace-ms",
    type=click.IntRange(min=0),
    default=10_000,
    show_default=True,
    help="How long after its end a window still counts late payments, by event time.",
)
@click.option(
    "--fraud-threshold",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Payments of one account in one window that raise an alert.",
)
@app_options(application_id="payments")
def main(
    payments: str,
    receipts: str,
    ledger: str | None,
    fraud_alerts: str | None,
    fraud_window_ms: int,
    fraud_advance_ms: int | None,
    fraud_grace_ms: int,
    fraud_threshold: int,
    **app: Any,
) -> None:
    """Keep the balance of each account (store `balances`), and issue a receipt for each payment;
    on demand, keep a ledger and tell of suspicious accounts (window store `payment-counts`).

    Amounts are integer cents. The input and output topics must exist; the changelog topics
    <application id>-<store>-changelog are created.
    """
    try:
        topology = payments_topology(
            payments=payments,
            receipts=receipts,
            ledger=ledger,
            fraud_alerts=fraud_alerts,
            fraud_rule=FraudRule(
                windows=TimeWindows(fraud_window_ms, fraud_advance_ms, fraud_grace_ms),
                threshold=fraud_threshold,
            ),
        )
    except ConfigurationError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
    launch(topology, **app)


if __name__ == "__main__":
    main(prog_name="python -m reference_app.payments")
