"""payments -> post -> ledger: double entry, without a store."""

from __future__ import annotations

from confluent_kafka import Message

from reference_app.payments.model import Entry, Payment, Side
from reference_app.streams import STRING, Context, Processor, Sink, Step, json


def apart(_: str, entry: Entry, partitions: int) -> int:
    """Debit and credit of a payment in different partitions: a torn transaction shows as one of
    them without the other."""
    return (entry.payment_id + (entry.side is Side.CREDIT)) % partitions


def posting(topic: str) -> Processor:
    """A debit of the account and a credit of the counterparty for each payment."""
    sink: Sink[str, Entry] = Sink(topic, STRING, json(Entry), partitioner=apart, least_partitions=2)

    def post(context: Context) -> Step:
        send = context.sink(sink)

        def step(account: str, payment: Payment, _: Message) -> None:
            number, amount, other = payment.payment_id, payment.amount, payment.counterparty
            send(account, Entry(number, account, Side.DEBIT, amount))
            send(other, Entry(number, other, Side.CREDIT, amount))

        return step

    return Processor("post", post, sinks=(sink,))
