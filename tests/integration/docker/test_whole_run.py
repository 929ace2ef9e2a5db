"""`eoscheck run` with nothing but containers: brokers and app, faults by Docker, a verdict."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from eoscheck.process.container import LABEL, docker_client

_EOSCHECK = Path(sys.executable).parent / "eoscheck"
_TIMEOUT_S = 280


def _ours() -> set[str | None]:
    client, ours = docker_client(), {"label": LABEL}
    containers = client.containers.list(all=True, filters=ours)
    return {each.name for each in (*containers, *client.networks.list(filters=ours))}


def _run(scenario: str, image: str, app: str, folder: Path, *options: str) -> Any:
    """The run as JSON has it. All that it started is gone."""
    before = _ours()
    done = subprocess.run(
        [
            *(_EOSCHECK, "run", scenario, "--kafka-image", image),
            *("--set", f"subject.image={app}", "--format", "json", "--report", folder),
            *(word for option in options for word in ("--set", option)),
        ],
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, (done.stdout[-2000:], done.stderr[-3000:])
    assert _ours() <= before
    (run,) = json.loads(done.stdout)["runs"]
    return run


@pytest.mark.timeout(_TIMEOUT_S + 20)
def test_brokers_off_their_network_lose_and_double_nothing(
    image: str, app_image: str, tmp_path: Path
) -> None:
    run = _run("leader-disconnected", image, app_image, tmp_path, "timing.steady=1s")
    assert run["verdict"] == "pass", run["reasons"]
    assert run["tally"]["injected"] == run["tally"]["planned"] == 2
    assert "Apache Kafka in Docker" in json.dumps(run["environment"])
    (history,) = tmp_path.rglob("history.ndjson")
    struck = [line for line in history.read_text().splitlines() if "network disconnect" in line]
    assert len(struck) == 2


@pytest.mark.accept
@pytest.mark.timeout(_TIMEOUT_S + 20)
def test_instances_that_are_killed_in_their_containers_lose_and_double_nothing(
    image: str, app_image: str, tmp_path: Path
) -> None:
    run = _run("kill-exactly-once", image, app_image, tmp_path, "cluster.brokers=1")
    assert run["verdict"] == "pass", run["reasons"]
    assert run["tally"]["injected"] == run["tally"]["planned"] > 0
