"""Topics to audit: transactional, numbered records of which what is wrong with them is known."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from confluent_kafka import Producer

from eoscheck.cluster import NewTopic, create_topics

_TIMEOUT_S = 60.0
_ACCOUNTS = 10_000


@dataclass(frozen=True, kw_only=True)
class Filled:
    """What `fill` wrote. `committed` counts records, copies of duplicates included."""

    topic: str
    committed: int
    aborted: int
    duplicates: list[int] = field(default_factory=list)
    gaps: list[int] = field(default_factory=list)


def fill(
    client_config: Mapping[str, str],
    topic: str,
    *,
    records: int,
    partitions: int = 4,
    transaction: int = 1_000,
    aborted: float = 0.035,
    duplicates: int = 0,
    gaps: int = 0,
    value_bytes: int = 90,
    compression: str = "none",
    uuids: bool = False,
    seed: int = 7,
) -> Filled:
    """Creates `topic` and writes the numbers 0 to `records`, each committed once, in order.

    Key `str(number)` (a UUID made of the number with `uuids`), partition number modulo partitions,
    value JSON of about `value_bytes` whose `id` is the key (a number without `uuids`). Transactions
    of `transaction` records; the share `aborted` of them is written, aborted and written again.
    `duplicates` random numbers are committed twice (in the next transaction), `gaps` (or some
    fewer: none that is a duplicate, or stands at an end) are left out.
    Raises KafkaException where the cluster does not take them.
    """
    chance = random.Random(seed)
    create_topics(client_config, [NewTopic(name=topic, partitions=partitions)])
    twice = set(chance.sample(range(records), duplicates))
    missing = set(chance.sample(range(records), gaps)) - twice
    missing -= {0, records - 1}  # where a sequence begins and ends, nobody else knows
    producer = Producer(
        {
            **client_config,
            "transactional.id": f"fill-{topic}",
            "transaction.timeout.ms": 120_000,
            "compression.type": compression,
            "linger.ms": 5,
            "batch.size": 262_144,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    producer.init_transactions(_TIMEOUT_S)
    written = dropped = 0
    again: list[int] = []
    for first in range(0, records, transaction):
        fresh = range(first, min(first + transaction, records))
        numbers = [*again, *(n for n in fresh if n not in missing)]
        if chance.random() < aborted:
            _send(producer, topic, numbers, partitions, value_bytes, uuids)
            producer.flush(_TIMEOUT_S)
            producer.abort_transaction(_TIMEOUT_S)
            dropped += len(numbers)
        _send(producer, topic, numbers, partitions, value_bytes, uuids)
        producer.commit_transaction(_TIMEOUT_S)
        written += len(numbers)
        again = [n for n in fresh if n in twice]
    if again:
        _send(producer, topic, again, partitions, value_bytes, uuids)
        producer.commit_transaction(_TIMEOUT_S)
        written += len(again)
    return Filled(
        topic=topic,
        committed=written,
        aborted=dropped,
        duplicates=sorted(twice),
        gaps=sorted(missing),
    )


def _send(
    producer: Producer,
    topic: str,
    numbers: list[int],
    partitions: int,
    value_bytes: int,
    uuids: bool,
) -> None:
    producer.begin_transaction()
    produce = producer.produce
    for number in numbers:
        key = str(
            UUID(int=number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128) if uuids else number
        )
        shown = f'"{key}"' if uuids else key
        head = f'{{"id":{shown},"account":"account-{number % _ACCOUNTS}","amount":{number % 997}'
        room = max(0, value_bytes - len(head) - 11)
        produce(topic, f'{head},"note":"{"x" * room}"}}', key, number % partitions)
    producer.poll(0)
