"""Windows, stream time and dead letters on a real broker."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka.admin import ConfigResource, ResourceType

from eoscheck.cluster import Cluster
from tests.integration.reference_app.app_driver import ROOT, App, Instance, wait_for


@dataclass
class Counting(App):
    """All records are of key `k`, and so of one partition."""

    module = "tests.integration.reference_app.windows_app"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.input, self.output = f"{self.name}-records", f"{self.name}-counted"
        self.dead, self.changelog = f"{self.name}-dead", f"{self.name}-counts-changelog"
        self.create_topics(self.input, self.output, self.dead)
        self._records = self.producer()

    def feed(self, *values: str | bytes) -> None:
        for value in values:
            self._records.produce(self.input, value, b"k")
        self._records.flush()
        self.wait_drained()

    def counted(self, skip: int = 0) -> list[str]:
        return [(message.value() or b"").decode() for message in self.read(self.output)][skip:]


@pytest.fixture
def app(cluster: Cluster, fresh_name: Callable[[str], str], tmp_path: Path) -> Iterator[Counting]:
    made = Counting(cluster.bootstrap_servers, fresh_name("app"), tmp_path)
    yield made
    made.stop()


def start(app: Counting, *extra: str) -> Instance:
    instance = app.instance(*extra)
    instance.start()
    wait_for("a running task", instance.running)
    return instance


@pytest.mark.parametrize("wiped", [False, True], ids=["kept", "wiped"])
def test_a_kill_keeps_stream_time_and_what_has_expired_by_it(app: Counting, wiped: bool) -> None:
    """The changelog still holds the first window: only stream time says that it is gone."""
    instance = start(app)
    app.feed("1000", "2000", "90000")
    assert app.counted() == ["0 1 1000", "0 2 2000", "90000 1 90000"]
    instance.kill()
    if wiped:
        instance.wipe()
    instance.start()
    app.feed("3000", "91000", "80000")
    assert app.counted(skip=3) == ["0 1 90000", "90000 2 91000", "80000 1 91000"]
    held = {(m.key() or b"")[:8] for m in app.read(app.changelog)}
    assert (0).to_bytes(8, "big") in held, "the changelog has dropped it: this proved nothing"
    wait_for(
        "the one write that came too late, in the metrics",
        lambda: sum(task["late_writes"] for task in instance.metrics()["tasks"]) == 1,
    )


def test_a_window_changelog_is_compacted_and_deleted_after_retention_and_a_day(
    app: Counting,
) -> None:
    start(app)
    resource = ConfigResource(ResourceType.TOPIC, app.changelog)
    config = app.admin.describe_configs([resource])[resource].result()
    assert set(config["cleanup.policy"].value.split(",")) == {"compact", "delete"}
    assert config["retention.ms"].value == str(60_000 + 24 * 3600 * 1000)


@pytest.mark.parametrize("guarantee", ["exactly_once_v2", "at_least_once"])
def test_poison_goes_aside_and_the_rest_goes_on(app: Counting, guarantee: str) -> None:
    instance = start(
        app,
        *("--dead-letter-topic", app.dead),
        *("--processing-guarantee", guarantee, "--commit-interval-ms", "100"),
    )
    app.feed("1000", b"\xff", "refuse 99000", "2000", "refuse 99001", "3000")
    dead = app.read(app.dead)
    assert {m.value() for m in dead} == {b"\xff", b"refuse 99000", b"refuse 99001"}
    told = [dict(m.headers() or []) for m in dead]  # type: ignore[arg-type]
    assert {h["__streams.errors.exception"] for h in told} == {b"UnicodeDecodeError", b"ValueError"}
    counted = app.counted()
    # The refused ones moved neither counts nor stream time, whatever was undone for them.
    if guarantee == "exactly_once_v2":
        assert len(dead) == 3
        assert counted == ["0 1 1000", "0 2 2000", "0 3 3000"]
    else:  # what was sent stays sent, some of it twice
        assert "0 3 3000" in counted
    held = [(m.key(), m.value()) for m in app.read(app.changelog)]
    assert {key for key, _ in held} == {bytes(8) + b"k"}
    assert held[-1][1] == b"3"
    wait_for("dead letters in the metrics", lambda: instance.metrics()["dead_letters"] >= 3)


def test_a_dead_letter_topic_has_to_exist(app: Counting) -> None:
    instance = app.instance("--dead-letter-topic", f"{app.name}-typo")
    instance.start()
    assert instance.wait() == 2
    assert f"topic '{app.name}-typo' does not exist" in instance.log


def test_a_stopped_apps_store_can_be_dumped(app: Counting) -> None:
    instance = start(app)
    app.feed("1000", "2000", "11000")
    instance.kill()
    command = [sys.executable, "-m", app.module, "--input", "-", "--output", "-"]
    command += ["--application-id", app.name, "--state-dir", str(instance.state_dir)]
    found = subprocess.run(
        [*command, "--dump-store", "counts"], capture_output=True, check=True, cwd=ROOT, timeout=60
    )
    lines = [json.loads(line) for line in found.stdout.splitlines()]
    entries = [line for line in lines if "key" in line]
    assert [(entry["window"], entry["value"]) for entry in entries] == [(0, 2), (10_000, 1)]
    (head,) = [h for h in lines if h.get("offset") and h["partition"] == entries[0]["partition"]]
    assert head["offset"] <= app.ends(app.changelog)[head["partition"]]
