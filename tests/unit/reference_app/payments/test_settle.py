"""The payments processor: one receipt for each payment, with the running balance."""

from __future__ import annotations

import json
from pathlib import Path

from confluent_kafka import Message

from reference_app.payments.receipts import BALANCES
from reference_app.payments.topology import payments_topology
from reference_app.streams.context import build_steps
from reference_app.streams.store import Position, RocksStore


def test_receipts_carry_the_running_balance_and_their_source(tmp_path: Path) -> None:
    store = RocksStore(tmp_path / "balances", key=BALANCES.key, value=BALANCES.value)
    sent: list[tuple[str, bytes, dict[str, object]]] = []

    def send(topic: str, value: bytes, key: bytes) -> None:
        sent.append((topic, key, json.loads(value)))

    topology = payments_topology(receipts="out")
    (settle,) = build_steps(topology, partition=3, stores={"balances": store}, send=send)  # type: ignore[arg-type]
    decode = topology.source.value.decode
    for offset, amount in enumerate((500, -200)):
        payment = {"payment_id": 7 + offset, "account": "alice", "amount": amount, "more": None}
        settle("alice", decode(json.dumps(payment).encode()), Message(offset=offset))
        store.commit(Position("id", offset, 0.0))  # the balance is read back from disk too
    assert sent == [
        (
            "out",
            b"alice",
            {
                "payment_id": 7 + offset,
                "account": "alice",
                "amount": amount,
                "balance": balance,
                "source": {"partition": 3, "offset": offset},
            },
        )
        for offset, (amount, balance) in enumerate(((500, 500), (-200, 300)))
    ]
    assert [(k, v.balance) for k, v in store.items()] == [("alice", 300)]
    store.close()
