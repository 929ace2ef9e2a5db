"""Throughput of the payments app against a bare loop, draining the same preloaded backlog.

    python benchmarks/throughput.py [--records 200000] [--rounds 3] [--bootstrap-server HOST:PORT]

Without a bootstrap server a real Kafka is started on this machine. Each round runs every setting
once, in one order and then in the other (A B, B A), and the ratio is that of the medians: absolute
figures depend on the machine, and are printed for it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from eoscheck.cluster import open_cluster
from eoscheck.process import Supervisor

PARTITIONS = 4
INPUT = "bench-payments"
_TIMEOUT_S = 180.0
SLOW = 3
"""Times as many records where few commits would make the last one's wait count too much."""


@dataclass(frozen=True)
class Setting:
    guarantee: str
    commit_interval_ms: int

    @property
    def scale(self) -> int:
        return SLOW if self.commit_interval_ms >= 1000 else 1

    def __str__(self) -> str:
        return f"{self.guarantee} {self.commit_interval_ms} ms"


SETTINGS = (
    Setting("exactly_once_v2", 100),
    Setting("exactly_once_v2", 1000),
    Setting("at_least_once", 100),
    Setting("at_least_once", 1000),
)


@dataclass(frozen=True)
class Drain:
    """Records a second of wall time, and microseconds of the process's CPU a record."""

    rate: float
    cpu_us: float


@contextmanager
def kafka(bootstrap_server: str | None) -> Iterator[str]:
    if bootstrap_server is not None:
        yield bootstrap_server
        return
    with Supervisor() as supervisor, open_cluster(supervisor=supervisor) as cluster:
        yield cluster.bootstrap_servers


def preload(bootstrap: str, *, records: int, accounts: int, seed: int) -> None:
    """About 200 bytes of JSON each; the topic is made anew."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    make_topic(admin, INPUT)
    producer = Producer(
        {"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 50}
    )
    chance = random.Random(seed)
    padding = "x" * 110
    for payment_id in range(records):
        account = f"account-{chance.randrange(accounts):07d}"
        payment = {
            "payment_id": payment_id,
            "account": account,
            "amount": chance.randrange(100_000),
            "note": padding,
        }
        while True:
            try:
                producer.produce(INPUT, json.dumps(payment).encode(), account.encode())
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()


def make_topic(admin: AdminClient, topic: str) -> None:
    with suppress(KafkaException):  # it was not there
        admin.delete_topics([topic])[topic].result()
    deadline = time.monotonic() + 30
    while True:
        try:
            admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result()
            return
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def app_command(bootstrap: str, name: str, setting: Setting, state: str, _: int) -> list[str]:
    return [
        *(sys.executable, "-m", "reference_app.payments", "--bootstrap-server", bootstrap),
        *("--application-id", name, "--state-dir", state, "--log-level", "warning"),
        *("--input", INPUT, "--output", f"{name}-receipts"),
        *("--processing-guarantee", setting.guarantee),
        *("--commit-interval-ms", str(setting.commit_interval_ms)),
    ]


def bare_command(
    bootstrap: str, name: str, setting: Setting, state: str, records: int
) -> list[str]:
    command = [
        *(sys.executable, str(Path(__file__).with_name("bare_loop.py"))),
        *("--bootstrap-server", bootstrap, "--group", name, "--state-dir", state),
        *("--input", INPUT, "--output", f"{name}-receipts", "--changelog", f"{name}-changelog"),
        *("--commit-interval-ms", str(setting.commit_interval_ms), "--records", str(records)),
    ]
    return [*command, "--at-least-once"] if setting.guarantee == "at_least_once" else command


Command = Callable[[str, str, Setting, str, int], list[str]]


def drain(bootstrap: str, command: Command, setting: Setting, records: int) -> Drain:
    """From the first committed offset that is seen to the last: start-up does not count."""
    name = f"bench-{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for topic in (f"{name}-receipts", f"{name}-changelog"):
        make_topic(admin, topic)
    asker = Consumer({"bootstrap.servers": bootstrap, "group.id": name})
    with tempfile.TemporaryDirectory() as state:
        process = subprocess.Popen(
            command(bootstrap, name, setting, state, records),
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        )
        try:
            return watch(asker, psutil.Process(process.pid), records)
        finally:
            process.terminate()
            process.wait(30)
            asker.close()


def watch(asker: Consumer, process: psutil.Process, records: int) -> Drain:
    deadline = time.monotonic() + _TIMEOUT_S
    first: tuple[float, int, float] | None = None
    while time.monotonic() < deadline:
        done = committed(asker)
        now, cpu = time.monotonic(), sum(process.cpu_times()[:2]) if process.is_running() else 0.0
        if done >= records and first is not None:
            return Drain(
                rate=(done - first[1]) / (now - first[0]),
                cpu_us=(cpu - first[2]) / (done - first[1]) * 1e6,
            )
        if done > 0 and first is None:
            first = (now, done, cpu)
        time.sleep(0.02)
    raise TimeoutError(f"not drained in {_TIMEOUT_S:g} s")


def committed(asker: Consumer) -> int:
    partitions = [TopicPartition(INPUT, number) for number in range(PARTITIONS)]
    return sum(max(partition.offset, 0) for partition in asker.committed(partitions, 10))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bootstrap-server")
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--accounts", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    kinds: dict[str, Command] = {"app": app_command, "bare": bare_command}
    results: dict[tuple[Setting, str], list[Drain]] = {}
    with kafka(args.bootstrap_server) as bootstrap:
        preload(bootstrap, records=args.records * SLOW, accounts=args.accounts, seed=args.seed)
        drain(bootstrap, app_command, SETTINGS[0], args.records)  # warm-up, thrown away
        for number in range(args.rounds):
            for setting in SETTINGS:
                for kind in sorted(kinds, reverse=number % 2 == 1):
                    records = args.records * setting.scale
                    result = drain(bootstrap, kinds[kind], setting, records)
                    results.setdefault((setting, kind), []).append(result)
    print_table(results, args)


def print_table(results: dict[tuple[Setting, str], list[Drain]], args: argparse.Namespace) -> None:
    machine = (
        f"{platform.machine()}, {psutil.cpu_count()} cores, Python {platform.python_version()}"
    )
    print(f"{args.records} records ({SLOW} times as many at 1000 ms), {args.accounts} accounts")
    print(f"{args.rounds} rounds; {machine}")
    print(f"{'setting':26} {'app rec/s':>10} {'bare rec/s':>10} {'ratio':>6} {'CPU µs/rec':>12}")
    for setting in SETTINGS:
        rates = {
            kind: statistics.median(d.rate for d in results[setting, kind])
            for kind in ("app", "bare")
        }
        cpu = {
            kind: statistics.median(d.cpu_us for d in results[setting, kind])
            for kind in ("app", "bare")
        }
        print(
            f"{setting!s:26} {rates['app']:10.0f} {rates['bare']:10.0f} "
            f"{rates['app'] / rates['bare']:6.2f} {cpu['app']:5.1f} /{cpu['bare']:5.1f}"
        )


if __name__ == "__main__":
    main()
