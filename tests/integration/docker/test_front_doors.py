"""Containers by the other doors: the pytest plugin on brokers in containers, and the example of an
app that comes as an image."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.examples import ROOT, run_example
from tests.integration.docker.conftest import Made
from tests.unit.testing.fakes import INSTALLED

_TEST = """
import pytest

@pytest.fixture
def eos_subject():
    names = ["{bootstrap_server}", "{group}", "{instance}", "{input}", "{output}"]
    return {"command": ["{python}", "right_loop.py", *names], "session_timeout": "6s"}

def test_loop(eos_run, eos_cluster):
    assert "in Docker" in eos_cluster.description
    run = eos_run(faults=[{"kind": "kill"}], timing={"steady": "1s", "faults": "3s"})
    assert run.figures.counts.observed > 0
"""


@pytest.mark.timeout(300)
def test_the_plugin_s_cluster_is_one_of_containers_and_goes_with_the_session(
    image: str, tmp_path: Path
) -> None:
    shutil.copy(ROOT / "examples" / "loops" / "right_loop.py", tmp_path)
    (tmp_path / "test_loop.py").write_text(_TEST)
    plugin = [] if INSTALLED else ["-p", "eoscheck.pytest_plugin"]
    options = [*plugin, "--eos-cluster", "docker", "--eos-kafka-image", image]
    since = time.time()
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", "-v", *options],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as session:
        output, _ = session.communicate(timeout=280)
    assert "1 passed" in output, output
    made = Made(session.pid, since)
    assert made.containers == 1
    assert not made.left


@pytest.mark.timeout(300)
def test_the_example_of_an_image_is_exactly_once(app_image: str, tmp_path: Path) -> None:
    few = ("faults.0.count=1", "timing.steady=1s", "timing.faults=5s")
    result = run_example("examples/container/scenario.toml", *few, report=tmp_path)
    assert (result["verdict"], result["audit"]["anomalies"]) == ("pass", {}), result["reasons"]
