"""payments -> settle (store: balances) -> receipts."""

from __future__ import annotations

from confluent_kafka import Message

from reference_app.payments.model import Balance, Payment, Receipt, SourceOffset
from reference_app.streams import STRING, Context, KeyValueStore, Processor, Sink, Step, json

BALANCES: KeyValueStore[str, Balance] = KeyValueStore("balances", STRING, json(Balance))


def settling(topic: str) -> Processor:
    """One receipt for each payment, with the account's balance after it."""
    sink: Sink[str, Receipt] = Sink(topic, STRING, json(Receipt))

    def settle(context: Context) -> Step:
        balances = context.store(BALANCES)
        send_receipt = context.sink(sink)
        partition = context.partition

        def step(account: str, payment: Payment, message: Message) -> None:
            before = balances.get(account)
            amount = payment.amount
            balance = amount if before is None else before.balance + amount
            balances.put(account, Balance(balance))
            source = SourceOffset(partition, message.offset())  # type: ignore[arg-type]
            receipt = Receipt(payment.payment_id, payment.account, amount, balance, source)
            send_receipt(account, receipt)

        return step

    return Processor("settle", settle, stores=(BALANCES,), sinks=(sink,))
