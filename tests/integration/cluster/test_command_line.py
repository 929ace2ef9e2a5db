"""`eoscheck cluster` from the outside, as a script uses it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from eoscheck.cluster import Cluster, ClusterView

Run = Callable[..., subprocess.CompletedProcess[str]]
_EOSCHECK = str(Path(sys.executable).with_name("eoscheck"))
_WAIT_S = 120.0


@pytest.fixture
def eoscheck(tmp_path: Path, cluster: Cluster) -> Iterator[Run]:
    """Runs a command with a state folder of its own, so that no user's cluster is touched. The
    session's cluster is only asked for so that downloads and archives are there."""
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "TMPDIR": str(tmp_path)}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [_EOSCHECK, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=_WAIT_S,
            check=False,
        )

    yield run
    run("cluster", "down")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_up_status_down(eoscheck: Run, tmp_path: Path) -> None:
    port = free_port()
    up = eoscheck("cluster", "up", "--port", str(port))
    assert up.returncode == 0, up.stderr
    assert f"bootstrap server: 127.0.0.1:{port}" in up.stdout
    assert "eoscheck cluster down" in up.stdout
    with ClusterView({"bootstrap.servers": f"127.0.0.1:{port}"}) as view:
        assert isinstance(view.topics(), list)

    again = eoscheck("cluster", "up")
    assert again.returncode == 2
    assert again.stderr.endswith(
        f"a cluster is up already at 127.0.0.1:{port}: stop it with 'eoscheck cluster down'\n"
    )

    status = eoscheck("cluster", "status", "--format", "json")
    kept = json.loads(status.stdout)
    assert kept["bootstrap_servers"] == f"127.0.0.1:{port}"
    keeper = psutil.Process(kept["pid"])
    family = [keeper, *keeper.children(recursive=True)]
    assert any("java" in process.name() for process in family)

    down = eoscheck("cluster", "down")
    assert down.returncode == 0
    assert not any(process.is_running() for process in family)
    assert not list(tmp_path.glob("eoscheck-kafka-*"))
    gone = eoscheck("cluster", "status")
    assert gone.returncode == 2
    assert gone.stderr == "eoscheck: no cluster is up: start one with 'eoscheck cluster up'\n"
    assert eoscheck("cluster", "down").stdout == "no cluster is up\n"


def test_a_killed_keeper_leaves_no_brokers_and_a_state_that_is_not_believed(
    eoscheck: Run, tmp_path: Path
) -> None:
    options = ["--brokers", "3", "--kafka-version", "3.9.2", "--profile", "default"]
    assert eoscheck("cluster", "up", *options).returncode == 0
    status = json.loads(eoscheck("cluster", "status", "--format", "json").stdout)
    assert "Kafka 3.9.2, 3 nodes, default failover," in status["description"]
    assert len(status["bootstrap_servers"].split(",")) == 3
    pid = status["pid"]
    family = psutil.Process(pid).children(recursive=True)
    assert len(family) == 1 + 3  # the supervisor and its nodes
    os.kill(pid, signal.SIGKILL)
    _, alive = psutil.wait_procs(family, timeout=_WAIT_S)
    assert not alive
    assert eoscheck("cluster", "status").returncode == 2


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--set", "nonsense"], "--set 'nonsense' is not of the form KEY=VALUE"),
        (["--set", "num.io.threads=0"], "Value must be at least 1"),
        (["--port", "0"], "--port"),
        (["--kafka-version", "3.9"], "there is no Kafka '3.9' here: use 4.3.1 or 3.9.2"),
        (
            ["--kafka-version", "3.9.2", "--transaction-version", "1"],
            "Kafka 3.9.2 does not start with transaction.version=1",
        ),
    ],
)
def test_what_cannot_be_started_is_one_line(
    eoscheck: Run, arguments: list[str], complaint: str
) -> None:
    up = eoscheck("cluster", "up", *arguments)
    assert up.returncode == 2
    assert complaint in up.stderr
    assert up.stderr.count("\n") == 1
    assert eoscheck("cluster", "status").returncode == 2


def test_in_the_foreground_it_stays_until_it_is_interrupted(eoscheck: Run, tmp_path: Path) -> None:
    with subprocess.Popen(
        [_EOSCHECK, "cluster", "up", "--foreground"],
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        first_lines = [process.stdout.readline(), process.stdout.readline()]
        assert first_lines[1].startswith("bootstrap server: 127.0.0.1:")
        assert eoscheck("cluster", "status").returncode == 0
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        assert process.wait(_WAIT_S) == 0
    assert not any(process.is_running() for process in family)
    assert not list(tmp_path.glob("eoscheck-kafka-*"))


def test_the_doctor_sees_that_a_broker_can_run_here(eoscheck: Run) -> None:
    answer = eoscheck("doctor", "--format", "json")
    said = json.loads(answer.stdout)
    assert answer.returncode == 0
    assert said["embedded_broker"] is True
    jars = next(check for check in said["checks"] if check["name"].startswith("Apache Kafka"))
    assert jars["ok"]
