"""`python -m reference_app.payments`: the payments app on the command line."""

from __future__ import annotations

from typing import Any

import click

from reference_app.launch import EXIT_CODES, app_options, launch
from reference_app.payments.topology import payments_topology

_EXAMPLE = """
\b
Example:
  python -m reference_app.payments --bootstrap-server localhost:9092 --state-dir ./state-1
"""


@click.command(epilog=_EXAMPLE + EXIT_CODES, context_settings={"max_content_width": 100})
@click.option(
    "--input",
    "payments",
    default="payments",
    show_default=True,
    help="Topic of payments; key: account, value: JSON with payment_id, account, amount.",
)
@click.option(
    "--output",
    "receipts",
    default="receipts",
    show_default=True,
    help="Topic of receipts, one for each payment.",
)
@app_options(application_id="payments")
def main(payments: str, receipts: str, **app: Any) -> None:
    """Keep the balance of each account (store `balances`), and issue a receipt for each payment.

    Amounts are integer cents. The input and output topics must exist; the changelog topic
    <application id>-balances-changelog is created.
    """
    launch(payments_topology(payments=payments, receipts=receipts), **app)


if __name__ == "__main__":
    main(prog_name="python -m reference_app.payments")
