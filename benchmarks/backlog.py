"""Topics filled beforehand: payments to be drained, changelogs to be restored."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from confluent_kafka import Producer

from benchmarks.bench import Bench
from benchmarks.subjects import Job, new_name
from eoscheck.cluster import NewTopic, create_topics
from eoscheck.errors import InfrastructureError

PARTITIONS = 4
KEY_BYTES = 20
VALUE_BYTES = 1_000
_PADDING = "x" * 110
_FLUSH_S = 120.0
# Odd and not a multiple of 5: keys i * _STRIDE modulo a power of 10 meet each one once, unsorted.
_STRIDE = 7_919_317


@dataclass(frozen=True, kw_only=True)
class Backlog:
    topic: str
    records: int
    accounts: int


def payment(payment_id: int, account: str, amount: int) -> bytes:
    """About 200 bytes of JSON."""
    return (
        f'{{"payment_id": {payment_id}, "account": "{account}", "amount": {amount}, '
        f'"note": "{_PADDING}"}}'
    ).encode()


def account_name(number: int) -> str:
    return f"account-{number:07d}"


def fill_payments(
    bench: Bench, *, records: int, accounts: int, every_account: bool = False
) -> Backlog:
    """Accounts are drawn at random or, for `every_account`, taken in turn."""
    backlog = Backlog(topic=new_name("payments"), records=records, accounts=accounts)
    bench.say(f"filling {backlog.topic}: {records:,} payments of {accounts:,} accounts")
    topic = NewTopic(name=backlog.topic, partitions=PARTITIONS)
    create_topics(bench.cluster.client_config, [topic])
    chance = random.Random(bench.seed)

    def payments() -> Iterator[tuple[bytes, bytes]]:
        for number in range(records):
            taken = number * _STRIDE % accounts if every_account else chance.randrange(accounts)
            account = account_name(taken)
            yield account.encode(), payment(number, account, chance.randrange(100_000))

    _send(bench, backlog.topic, payments())
    return backlog


def fill_changelog(bench: Bench, job: Job, *, megabytes: int) -> int:
    """A changelog as `job` would have written it, with 1 kB values; returns the records in it.

    Random bytes: a store that compresses gains nothing.
    """
    records = megabytes * 1_000_000 // (KEY_BYTES + VALUE_BYTES)
    bench.say(f"filling {job.changelog}: {megabytes:,} MB, 1 kB values")
    compact = {"cleanup.policy": "compact"}
    create_topics(
        bench.cluster.client_config,
        [
            NewTopic(name=job.input, partitions=job.partitions),
            NewTopic(name=job.changelog, partitions=job.partitions, config=compact),
        ],
    )
    chance = random.Random(bench.seed)
    pairs = (
        (f"key-{number * _STRIDE % 10**16:016d}".encode(), chance.randbytes(VALUE_BYTES))
        for number in range(records)
    )
    _send(bench, job.changelog, pairs)
    return records


def fill_input(bench: Bench, job: Job, *, records: int) -> None:
    """More values for a running `job`."""
    chance = random.Random(bench.seed)
    pairs = (
        (f"key-{number:016d}".encode(), chance.randbytes(VALUE_BYTES)) for number in range(records)
    )
    _send(bench, job.input, pairs)


def _send(bench: Bench, topic: str, pairs: Iterable[tuple[bytes, bytes]]) -> None:
    producer = Producer(
        {
            **bench.clients,
            "partitioner": "murmur2_random",
            "linger.ms": 20,
            "queue.buffering.max.kbytes": 128 * 1024,
        }
    )
    for key, value in pairs:
        while True:
            try:
                producer.produce(topic, value, key)
                break
            except BufferError:
                producer.poll(0.05)
    if producer.flush(_FLUSH_S):
        raise InfrastructureError(f"{topic} was not filled within {_FLUSH_S:g} s")
