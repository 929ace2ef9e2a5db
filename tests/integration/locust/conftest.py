"""Locusts in processes of their own: it patches the standard library of whoever imports it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from eoscheck.cluster import Cluster, NewTopic, create_topics
from eoscheck.network.ports import free_ports

ROOT = Path(__file__).parents[3]
LOCUST = str(Path(sys.executable).parent / "locust")
PARTITIONS = 2

SCENARIO = """
name = "locust"
title = "Locust"
[cluster]
provider = "external"
bootstrap_server = "{servers}"
[subject]
command = ["{{python}}", "-m", "reference_app.payments", "--application-id", "{name}",
  "--bootstrap-server", "{{bootstrap_server}}", "--state-dir", "{{state_dir}}",
  "--input", "{name}-in", "--output", "{name}-out", "--commit-interval-ms", "100",
  "--session-timeout-ms", "1500", "--heartbeat-interval-ms", "300",
  "--transaction-timeout-ms", "3000"]
group = "{name}"
session_timeout = "1500ms"
[load]
topic = "{name}-in"
rate = 200
keys = 20
{load}
[timing]
steady = "1s"
faults = "2s"
settle = "1s"
{faults}
[audit]
input = "{name}-in"
output = "{name}-out"
group = "{name}"
id = "json:/payment_id"
"""

ONE_KILL = '[[faults]]\nkind = "kill"\ncount = 1\ndown = "200ms"\n'

WriteScenario = Callable[..., Path]


@pytest.fixture
def write_scenario(cluster: Cluster, tmp_path: Path) -> WriteScenario:
    """A scenario on the session's cluster, with topics `name`-in and `name`-out."""

    def write(name: str, *, faults: str = ONE_KILL, load: str = "") -> Path:
        topics = [NewTopic(name=f"{name}-{way}", partitions=PARTITIONS) for way in ("in", "out")]
        create_topics(cluster.client_config, topics)
        path = tmp_path / f"{name}.toml"
        text = SCENARIO.format(
            name=name, servers=cluster.bootstrap_servers, faults=faults, load=load
        )
        path.write_text(text)
        return path

    return write


def environment(temporary: Path) -> dict[str, str]:
    """TMPDIR tells whose children they are; unit tests must not have Locust unpatched here."""
    temporary.mkdir(exist_ok=True)
    own = {"TMPDIR": str(temporary), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    return {**os.environ, **own, "LOCUST_SKIP_MONKEY_PATCH": ""}


def start_locust(
    arguments: Sequence[str | Path], *, tmp_path: Path, log: Path
) -> subprocess.Popen[bytes]:
    """With chaos/locustfile.py, in a session of its own, its words in `log`."""
    with log.open("wb") as output:
        return subprocess.Popen(
            [LOCUST, "-f", str(ROOT / "chaos" / "locustfile.py"), *map(str, arguments)],
            env=environment(tmp_path / "tmp"),
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def free_port() -> int:
    return free_ports(1)[0]
