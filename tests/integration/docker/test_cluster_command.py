"""`eoscheck cluster up --kafka-image`: a Kafka in a container that stays until it is told."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eoscheck.cluster import ClusterView
from tests.integration.docker.conftest import Made

Run = Callable[..., subprocess.CompletedProcess[str]]
_EOSCHECK = str(Path(sys.executable).with_name("eoscheck"))


@pytest.fixture
def eoscheck(tmp_path: Path) -> Iterator[Run]:
    """Runs a command with a state folder of its own."""
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "TMPDIR": str(tmp_path)}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [_EOSCHECK, "cluster", *words],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    yield run
    run("down")


def test_up_and_down(image: str, eoscheck: Run) -> None:
    since = time.time()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    up = eoscheck("up", "--kafka-image", image, "--port", port)
    assert up.returncode == 0, up.stderr
    assert up.stdout.startswith(f"Apache Kafka in Docker ({image}), one node, keeper process")
    with ClusterView({"bootstrap.servers": f"127.0.0.1:{port}"}) as view:
        assert isinstance(view.topics(), list)
    kept = json.loads(eoscheck("status", "--format", "json").stdout)
    made = Made(kept["pid"], since)
    assert len(made.left) == 2, "a container and a network"
    assert eoscheck("down").returncode == 0
    assert made.containers == 1
    assert not made.left


def test_what_containers_have_not_is_refused(image: str, eoscheck: Run) -> None:
    refused = eoscheck("up", "--kafka-image", image, "--transaction-version", "1")
    assert refused.returncode == 2
    assert "the provider 'docker' has no transaction_version" in refused.stderr
