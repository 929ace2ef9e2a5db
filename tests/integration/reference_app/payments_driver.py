"""Drives the payments app from outside: topics, a feed, processes that can be killed, an audit.

Nothing of the harness is used for the checks: the app is judged by its topics alone.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

ROOT = Path(__file__).parents[3]
PARTITIONS = 4


def wait_for(what: str, check: Callable[[], Any], *, timeout_s: float = 40.0) -> Any:
    """The first true answer of `check`; fails with what it waited for."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = check()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s:g} s for {what}")
        time.sleep(0.02)


class Instance:
    """One process of the app, with its own state directory."""

    def __init__(self, command: list[str], state_dir: Path) -> None:
        self.state_dir = state_dir
        self._command = command
        self._log = state_dir.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.metrics_path.unlink(missing_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "reference_app.payments", *self._command],
                stderr=log,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )

    @property
    def started(self) -> bool:
        return self._process is not None

    @property
    def metrics_path(self) -> Path:
        return self.state_dir / "metrics.json"

    @property
    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def metrics(self) -> dict[str, Any]:
        """Empty until the process has written some."""
        try:
            content: dict[str, Any] = json.loads(self.metrics_path.read_bytes())
        except FileNotFoundError:
            return {}
        return content

    def running(self) -> bool:
        metrics = self.metrics()
        return metrics.get("state") == "running" and bool(metrics["tasks"])

    def owned(self) -> list[int]:
        """Partitions whose tasks are running."""
        tasks = self.metrics().get("tasks", [])
        return [task["partition"] for task in tasks if task["state"] == "running"]

    def at_work(self) -> bool:
        """Records were processed since the last commit, as far as the metrics file knows."""
        tasks = self.metrics().get("tasks", [])
        return any(task["position"] > task["committed"] for task in tasks)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def terminate(self) -> int:
        return self._end(signal.SIGTERM)

    def wait(self, timeout_s: float = 30.0) -> int:
        assert self._process is not None
        return self._process.wait(timeout_s)

    def wipe(self) -> None:
        shutil.rmtree(self.state_dir)

    def _end(self, number: signal.Signals) -> int:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(number)
        return self._process.wait(30)


@dataclass
class Audit:
    """What the committed receipts are, against a fold of the committed input."""

    receipts: int
    lost: list[int]
    duplicates: list[int]
    phantoms: list[int]
    wrong: list[int]
    balances_differ: list[str]

    @property
    def clean(self) -> bool:
        return not (
            self.lost or self.duplicates or self.phantoms or self.wrong or self.balances_differ
        )


@dataclass
class Payments:
    """One app on topics of its own."""

    bootstrap: str
    name: str
    folder: Path
    options: list[str] = field(default_factory=list)
    instances: list[Instance] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.admin = AdminClient({"bootstrap.servers": self.bootstrap})
        self.input, self.output = f"{self.name}-payments", f"{self.name}-receipts"
        self.changelog = f"{self.name}-balances-changelog"
        topics = [NewTopic(topic, PARTITIONS, 1) for topic in (self.input, self.output)]
        for future in self.admin.create_topics(topics).values():
            future.result()
        self._next_id = 0
        # Never subscribes: it only asks for the group's offsets. Not through the admin client,
        # which crashes where a coordinator is still loading (librdkafka 5040).
        self._group = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": self.name,
            }
        )

    def start_pair(self, *extra: str, static: bool = True) -> list[Instance]:
        pair = [self.instance(*extra, static=static) for _ in range(2)]
        for instance in pair:
            instance.start()
        return pair

    def kill_at_work(
        self, pair: list[Instance], *, kills: int, seed: int, wipe: Sequence[int] = ()
    ) -> None:
        """`kills` times one of `pair` is killed at work and started again, under a steady feed."""
        chance = random.Random(seed)
        with self.feeding(rate=2000):
            for number in range(kills):
                victim = chance.choice(pair)
                wait_for("an instance at work", victim.at_work)
                time.sleep(chance.uniform(0, 0.3))  # any instant of the commit cycle
                victim.kill()
                if number in wipe:
                    victim.wipe()
                victim.start()
        self.wait_drained()

    def instance(self, *extra: str, static: bool = True) -> Instance:
        """Not started yet. A static member's restart need not wait for a session time-out."""
        number = len(self.instances)
        state_dir = self.folder / f"state-{number}"
        command = [
            *("--bootstrap-server", self.bootstrap, "--application-id", self.name),
            *("--input", self.input, "--output", self.output, "--state-dir", str(state_dir)),
            *("--session-timeout-ms", "6000", "--heartbeat-interval-ms", "500"),
            *(("--group-instance-id", f"member-{number}") if static else ()),
            *self.options,
            *extra,
        ]
        instance = Instance(command, state_dir)
        self.instances.append(instance)
        return instance

    def stop(self) -> None:
        self._group.close()
        for instance in self.instances:
            if instance.started:
                instance.kill()

    # -- input

    def producer(self, **properties: Any) -> Producer:
        return Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                **properties,
            }
        )

    def feed(self, count: int, *, producer: Producer | None = None, accounts: int = 50) -> None:
        chance = random.Random(self._next_id)
        own = producer or self.producer()
        for _ in range(count):
            account = f"account-{chance.randrange(accounts)}"
            payment = {
                "payment_id": self._next_id,
                "account": account,
                "amount": chance.randrange(1, 10_000),
            }
            own.produce(self.input, json.dumps(payment).encode(), account.encode())
            self._next_id += 1
        own.flush()

    def feed_aborted(self, count: int) -> None:
        """Payments that were never committed: nobody may see them."""
        producer = self.producer(**{"transactional.id": f"{self.name}-feed"})
        producer.init_transactions(10)
        producer.begin_transaction()
        self.feed(count, producer=producer)
        producer.abort_transaction(10)

    def leave_open_changelog(self, *, timeout_ms: int) -> Producer:
        """What an instance leaves that died between its changelog records and their commit.

        The transaction stays open until its time-out as long as the answer is kept.
        """
        orphan = self.producer(
            **{"transactional.id": f"{self.name}-orphan", "transaction.timeout.ms": timeout_ms}
        )
        orphan.init_transactions(10)
        orphan.begin_transaction()
        for partition in range(PARTITIONS):
            orphan.produce(self.changelog, b'{"balance": -1}', b"account-0", partition)
        orphan.flush()
        return orphan

    @contextmanager
    def feeding(self, *, rate: int) -> Iterator[None]:
        """A steady feed of about `rate` payments a second while the block runs."""
        stop = threading.Event()
        producer = self.producer()

        def run() -> None:
            while not stop.wait(0.02):
                self.feed(max(rate // 50, 1), producer=producer)

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    # -- what the topics say

    def committed(self) -> dict[int, int]:
        partitions = [TopicPartition(self.input, number) for number in range(PARTITIONS)]
        answer = self._group.committed(partitions, 10)
        return {p.partition: max(p.offset, 0) for p in answer}

    def ends(
        self, topic: str, isolation: IsolationLevel = IsolationLevel.READ_UNCOMMITTED
    ) -> dict[int, int]:
        wanted = {
            TopicPartition(topic, number): OffsetSpec.latest() for number in range(PARTITIONS)
        }
        answers = self.admin.list_offsets(wanted, isolation_level=isolation)
        return {place.partition: future.result().offset for place, future in answers.items()}

    def readable_to(self, topic: str, ends: dict[int, int]) -> bool:
        """True where a `read_committed` reader gets to `ends` in every partition."""
        stable = self.ends(topic, IsolationLevel.READ_COMMITTED)
        return all(stable[partition] >= end for partition, end in ends.items())

    def drained(self) -> bool:
        try:
            return self.committed() == self.ends(self.input)
        except KafkaException:  # a coordinator that is still loading
            return False

    def wait_drained(self, *, timeout_s: float = 60.0) -> None:
        wait_for("the input to be drained", self.drained, timeout_s=timeout_s)

    def read(self, topic: str) -> list[Message]:
        """All committed records, partition by partition, each in order."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": f"{self.name}-audit",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "error",
                "fetch.wait.max.ms": 50,
            }
        )
        messages: list[Message] = []
        ends = self.ends(topic)
        places = [TopicPartition(topic, partition, 0) for partition in ends]
        consumer.assign(places)

        def done() -> bool:
            for message in consumer.consume(10_000, 0.1):
                assert message.error() is None, message.error()
                messages.append(message)
            at = consumer.position(places)
            return all(p.offset >= ends[p.partition] for p in at if ends[p.partition] > 0)

        wait_for(f"all committed records of {topic}", done)
        consumer.close()
        return sorted(messages, key=lambda m: (m.partition() or 0, m.offset() or 0))

    def audit(self) -> Audit:
        expected: dict[int, tuple[int, int, int]] = {}
        balances: Counter[str] = Counter()
        for message in self.read(self.input):
            payment = json.loads(message.value())
            balances[payment["account"]] += payment["amount"]
            expected[payment["payment_id"]] = (
                balances[payment["account"]],
                message.partition(),
                message.offset(),
            )
        seen: Counter[int] = Counter()
        wrong = []
        for message in self.read(self.output):
            receipt = json.loads(message.value())
            identity = receipt["payment_id"]
            seen[identity] += 1
            source = receipt["source"]
            told = (receipt["balance"], source["partition"], source["offset"])
            if identity in expected and told != expected[identity]:
                wrong.append(identity)
        folded: dict[str, int] = {}
        for message in self.read(self.changelog):
            folded[message.key().decode()] = json.loads(message.value())["balance"]
        accounts = balances.keys() | folded.keys()
        return Audit(
            receipts=seen.total(),
            lost=[identity for identity in expected if identity not in seen],
            duplicates=[identity for identity, count in seen.items() if count > 1],
            phantoms=[identity for identity in seen if identity not in expected],
            wrong=wrong,
            balances_differ=[a for a in accounts if balances.get(a) != folded.get(a)],
        )
