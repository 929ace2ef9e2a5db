"""Drives an app from outside: topics, processes that can be killed, what its topics say.

Nothing of the harness is used for the checks: the app is judged by its topics alone.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

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
    """One process of an app, with its own state directory."""

    def __init__(self, command: list[str], state_dir: Path, *, app: str) -> None:
        self.state_dir = state_dir
        self._command = [sys.executable, "-m", app, *command]
        self._log = state_dir.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.metrics_path.unlink(missing_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
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

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

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
class App:
    """One app, `python -m module`, from `input` to `output`; a subclass names the three."""

    bootstrap: str
    name: str
    folder: Path
    options: list[str] = field(default_factory=list)
    instances: list[Instance] = field(default_factory=list)
    module: ClassVar[str]
    input: str = field(init=False)
    output: str = field(init=False)

    def __post_init__(self) -> None:
        self.admin = AdminClient({"bootstrap.servers": self.bootstrap})
        # Never subscribes: it only asks for the group's offsets. Not through the admin client,
        # which crashes where a coordinator is still loading (librdkafka 5040).
        self._group = Consumer({"bootstrap.servers": self.bootstrap, "group.id": self.name})

    def create_topics(self, *names: str, config: Mapping[str, str] | None = None) -> None:
        topics = [NewTopic(name, PARTITIONS, 1, config=dict(config or {})) for name in names]
        for future in self.admin.create_topics(topics).values():
            future.result()

    def start_pair(self, *extra: str, static: bool = True) -> list[Instance]:
        pair = [self.instance(*extra, static=static) for _ in range(2)]
        for instance in pair:
            instance.start()
        return pair

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
        instance = Instance(command, state_dir, app=self.module)
        self.instances.append(instance)
        return instance

    def stop(self) -> None:
        self._group.close()
        for instance in self.instances:
            if instance.started:
                instance.kill()

    def producer(self, **properties: Any) -> Producer:
        return Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                **properties,
            }
        )

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

    def stable_ends(self, topic: str) -> dict[int, int]:
        return self.ends(topic, IsolationLevel.READ_COMMITTED)

    def readable_to(self, topic: str, ends: dict[int, int]) -> bool:
        """True where a `read_committed` reader gets to `ends` in every partition."""
        stable = self.stable_ends(topic)
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
