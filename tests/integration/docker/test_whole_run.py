"""`eoscheck run` with nothing but containers: brokers and app, faults by Docker, a verdict."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.integration.docker.conftest import Made

_EOSCHECK = Path(sys.executable).parent / "eoscheck"
_TIMEOUT_S = 280


def _run(scenario: str, image: str, app: str, folder: Path, *options: str) -> tuple[Any, Made]:
    """The run as JSON has it, and what it made."""
    words = [*("run", scenario, "--kafka-image", image, "--format", "json", "--report", folder)]
    for option in (f"subject.image={app}", *options):
        words += ["--set", option]
    since = time.time()
    with subprocess.Popen(
        [_EOSCHECK, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as harness:
        try:
            printed, errors = harness.communicate(timeout=_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            harness.terminate()
            raise
    assert harness.returncode == 0, (printed[-2000:], errors[-3000:])
    (run,) = json.loads(printed)["runs"]
    return run, Made(harness.pid, since)


@pytest.mark.timeout(_TIMEOUT_S + 20)
def test_brokers_off_their_network_lose_and_double_nothing(
    image: str, app_image: str, tmp_path: Path
) -> None:
    run, made = _run("leader-disconnected", image, app_image, tmp_path, "timing.steady=1s")
    assert run["verdict"] == "pass", run["reasons"]
    assert run["tally"]["injected"] == run["tally"]["planned"] == 2
    assert "Apache Kafka in Docker" in json.dumps(run["environment"])
    (history,) = tmp_path.rglob("history.ndjson")
    struck = [line for line in history.read_text().splitlines() if "network disconnect" in line]
    assert len(struck) == 2
    # Three brokers, two instances; an instance that gave up meanwhile is started anew.
    assert made.containers >= 3 + 2
    assert not made.left


@pytest.mark.accept
@pytest.mark.timeout(_TIMEOUT_S + 20)
def test_instances_that_are_killed_in_their_containers_lose_and_double_nothing(
    image: str, app_image: str, tmp_path: Path
) -> None:
    run, made = _run("kill-exactly-once", image, app_image, tmp_path, "cluster.brokers=1")
    assert run["verdict"] == "pass", run["reasons"]
    assert run["tally"]["injected"] == run["tally"]["planned"] > 0
    assert made.containers > 1 + run["tally"]["injected"], "a new one after each kill"
    assert not made.left
