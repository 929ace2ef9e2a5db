"""What bounding the clickstream's keys saves: size of the state, and time to restore it.

    python -m benchmarks.clickstream_keys [--clicks 600000] [--users 300000] [--rounds 3]

A real Kafka is started on this machine. Each setting works off the same clicks with its own
application id and is closed cleanly; then its state is measured on disk and in the changelog, and
restored into an empty directory by a new start, `--rounds` times. Figures are of this machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from eoscheck.cluster import open_cluster
from eoscheck.process import Supervisor

PARTITIONS = 4
CLICKS = "clicks"
SETTINGS: dict[str, tuple[str, ...]] = {
    "each key": (),
    "1024 buckets": ("--key-buckets", "1024"),
    "sample of 1/64": ("--key-sample", "1/64"),
}
"""Buckets are for each of the partitions."""
_TIMEOUT_S = 600.0


@dataclass(frozen=True)
class Outcome:
    """Restores: records, and seconds from the start of the process until all its tasks ran."""

    state_mb: float
    records: int
    seconds: list[float]


class Upstream:
    """The clickstream app with one setting."""

    def __init__(self, bootstrap: str, name: str, options: tuple[str, ...], folder: Path) -> None:
        self.state_dir = folder / name
        output = f"{name}-page-views"
        make_topic(bootstrap, output)
        self._command = [
            *(sys.executable, "-m", "reference_app.clickstream", "--bootstrap-server", bootstrap),
            *("--application-id", name, "--state-dir", str(self.state_dir)),
            *("--input", CLICKS, "--output", output, "--commit-interval-ms", "1000"),
            *("--log-level", "warning", *options),
        ]

    def until(self, done: Callable[[dict[str, Any]], bool]) -> tuple[dict[str, Any], float]:
        """Runs until its metrics say so and closes it; they, and how long that took."""
        metrics_path = self.state_dir / "metrics.json"
        metrics_path.unlink(missing_ok=True)
        began = time.monotonic()
        root = str(Path(__file__).parents[1])
        process = subprocess.Popen(self._command, env={**os.environ, "PYTHONPATH": root})
        try:
            while True:
                metrics = json.loads(metrics_path.read_bytes()) if metrics_path.exists() else {}
                took = time.monotonic() - began
                if metrics and done(metrics):
                    return metrics, took
                if process.poll() is not None or took > _TIMEOUT_S:
                    raise RuntimeError(f"{self._command} got no further: {metrics}")
                time.sleep(0.02)
        finally:
            process.terminate()
            process.wait(60)


def make_topic(bootstrap: str, name: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic(name, PARTITIONS, 1)])[name].result()


def fill(bootstrap: str, *, clicks: int, users: int, seed: int) -> None:
    make_topic(bootstrap, CLICKS)
    chance = random.Random(seed)
    producer = Producer(
        {"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "linger.ms": 50}
    )
    for number in range(clicks):
        user = f"user-{chance.randrange(users):09d}"
        event = {"event_id": str(number), "user": user, "url": "/", "time_ms": number}
        while True:
            try:
                producer.produce(CLICKS, json.dumps(event).encode(), user.encode())
                break
            except BufferError:
                producer.poll(0.1)
    producer.flush()


def run(bootstrap: str, options: tuple[str, ...], folder: Path, rounds: int) -> Outcome:
    app = Upstream(bootstrap, f"keys-{len(list(folder.iterdir()))}", options, folder)
    ends = read_ends(bootstrap)
    app.until(lambda metrics: committed(metrics) >= ends)
    files = (path for path in app.state_dir.rglob("*") if path.is_file())
    state_mb = sum(path.stat().st_size for path in files) / 1e6
    records, seconds = 0, []
    for _ in range(rounds):
        shutil.rmtree(app.state_dir)
        metrics, took = app.until(all_run)
        records = sum(restore["records"] for restore in metrics["restores"])
        seconds.append(took)
    app.state_dir.mkdir(exist_ok=True)
    return Outcome(state_mb, records, seconds)


def all_run(metrics: dict[str, Any]) -> bool:
    states = [task["state"] for task in metrics["tasks"]]
    return states == ["running"] * PARTITIONS


def committed(metrics: dict[str, Any]) -> int:
    return sum(max(task["committed"], 0) for task in metrics["tasks"])


def read_ends(bootstrap: str) -> int:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    wanted = {TopicPartition(CLICKS, number): OffsetSpec.latest() for number in range(PARTITIONS)}
    return sum(answer.result().offset for answer in admin.list_offsets(wanted).values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clicks", type=int, default=600_000)
    parser.add_argument("--users", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Supervisor() as supervisor,
        open_cluster(supervisor=supervisor) as cluster,
    ):
        bootstrap = cluster.bootstrap_servers
        fill(bootstrap, clicks=args.clicks, users=args.users, seed=args.seed)
        outcomes = {
            name: run(bootstrap, options, Path(folder), args.rounds)
            for name, options in SETTINGS.items()
        }
    python, cores = platform.python_version(), psutil.cpu_count()
    print(f"{args.clicks} clicks of {args.users} users, {PARTITIONS} partitions; median of")
    print(f"{args.rounds} restores; {platform.machine()}, {cores} cores, Python {python}")
    print(f"{'keys':16} {'state MB':>9} {'restored records':>17} {'until running s':>16}")
    for name, each in outcomes.items():
        running_s = statistics.median(each.seconds)
        print(f"{name:16} {each.state_mb:9.2f} {each.records:17} {running_s:16.2f}")


if __name__ == "__main__":
    main()
