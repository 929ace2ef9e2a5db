"""The examples, as a user runs them: from the root of the checkout, by the command line."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
STREAMS = "examples/kafka-streams/scenario.toml"
AT_LEAST_ONCE = 'subject.args=["processing.guarantee=at_least_once"]'
"""The one property; nothing else of the Java example is changed."""
_EOSCHECK = Path(sys.executable).parent / "eoscheck"

needs_maven = pytest.mark.skipif(
    shutil.which("mvn") is None or shutil.which("java") is None,
    reason="the Java example is built with a JDK and Maven",
)


def build_streams() -> None:
    """As its scenario says."""
    maven = ["mvn", "--batch-mode", "--quiet", "-f", "examples/kafka-streams/pom.xml", "package"]
    subprocess.run(maven, cwd=ROOT, check=True, timeout=300)


def run_example(scenario: str, *settings: str, report: Path, seed: int | None = None) -> Any:
    """The run's result, as JSON has it."""
    command = [_EOSCHECK, "run", scenario, "--report", report, "--format", "json"]
    command += [word for each in settings for word in ("--set", each)]
    command += [] if seed is None else ["--seed", str(seed)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    (result,) = json.loads(done.stdout)["runs"]
    assert result["tally"]["injected"] == result["tally"]["planned"], result["reasons"]
    return result
