"""The least a Python process can do for a stateful read-process-write: what the layers cost more.

One flat loop with the same clients, settings, encodings and store as `reference_app.payments`:
consume a batch, decode, add to a balance in an overlay, produce a receipt, and at each commit
produce the changelog, commit, write the overlay to RocksDB. No rebalance, no restore, no error is
handled. Runs until it is stopped.
"""

from __future__ import annotations

import argparse
import gc
import time
from pathlib import Path

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition
from rocksdict import Options, Rdict, WriteBatch

from reference_app.payments.model import Balance, Payment, Receipt, SourceOffset


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("bootstrap-server", "input", "output", "changelog", "group", "state-dir"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--commit-interval-ms", type=int, required=True)
    parser.add_argument("--at-least-once", action="store_true")
    args = parser.parse_args()
    run(args)


def run(args: argparse.Namespace) -> None:
    transactional = not args.at_least_once
    consumer = Consumer(
        {
            "bootstrap.servers": args.bootstrap_server,
            "group.id": args.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "isolation.level": "read_committed",
        }
    )
    settings = {
        "bootstrap.servers": args.bootstrap_server,
        "enable.idempotence": True,
        "partitioner": "murmur2_random",
        "linger.ms": 20,
        "queue.buffering.max.messages": 1_000_000,
        "queue.buffering.max.kbytes": 256 * 1024,
    }
    if transactional:
        settings["transactional.id"] = args.group
    producer = Producer(settings)
    if transactional:
        producer.init_transactions()
    consumer.subscribe([args.input])

    decode = msgspec.json.Decoder(Payment).decode
    decode_balance = msgspec.json.Decoder(Balance).decode
    encode = msgspec.json.Encoder().encode
    produce = producer.produce
    options = Options(raw_mode=True)
    stores: dict[int, Rdict] = {}
    overlays: dict[int, dict[str, Balance]] = {}
    positions: dict[int, int] = {}
    failed: list[str] = []

    def report(error: object, _message: object) -> None:
        if error is not None:
            failed.append(str(error))

    on_delivery = None if transactional else report
    begun = False
    commit_at = time.monotonic()
    gc.collect()
    gc.freeze()
    gc.disable()
    while True:
        messages = consumer.consume(2000, 0) or consumer.consume(1, 0.1)
        if messages and transactional and not begun:
            producer.begin_transaction()
            begun = True
        for message in messages:
            if message.error() is not None:
                raise SystemExit(str(message.error()))
            partition, offset = message.partition(), message.offset()
            overlay = overlays.get(partition)
            if overlay is None:
                overlay = overlays[partition] = {}
                path = Path(args.state_dir) / str(partition)
                path.mkdir(parents=True)
                stores[partition] = Rdict(str(path), options)
            payment = decode(message.value())
            account = message.key().decode()
            balance = overlay.get(account)
            if balance is None:
                stored = stores[partition].get(account.encode())
                balance = decode_balance(stored) if stored is not None else Balance(0)
            total = balance.balance + payment.amount
            overlay[account] = Balance(total)
            receipt = Receipt(
                payment.payment_id,
                payment.account,
                payment.amount,
                total,
                SourceOffset(partition, offset),
            )
            produce(args.output, encode(receipt), account.encode(), -1, on_delivery)
            positions[partition] = offset + 1
        producer.poll(0)
        if time.monotonic() < commit_at:
            continue
        commit_at = time.monotonic() + args.commit_interval_ms / 1000
        if not positions:
            continue
        writes = {
            partition: [(key.encode(), encode(value)) for key, value in overlay.items()]
            for partition, overlay in overlays.items()
        }
        for partition, changes in writes.items():
            for key, value in changes:
                produce(args.changelog, value, key, partition, on_delivery)
        producer.flush()
        if failed:
            raise SystemExit(failed[0])
        offsets = [TopicPartition(args.input, p, offset) for p, offset in positions.items()]
        if transactional:
            producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata())
            producer.commit_transaction()
            begun = False
        else:
            consumer.commit(offsets=offsets, asynchronous=False)
        for partition, changes in writes.items():
            batch = WriteBatch(raw_mode=True)
            for key, value in changes:
                batch.put(key, value)
            stores[partition].write(batch)
            overlays[partition].clear()
        positions.clear()


if __name__ == "__main__":
    main()
