"""The Kafka Streams peer as a subject: apps that are not ours pass by the same audit."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from eoscheck.run.scenario import load_scenario

ROOT = Path(__file__).parents[3]
PEER = Path("benchmarks/peers/java-streams")
EOSCHECK = Path(sys.executable).parent / "eoscheck"

pytestmark = [
    pytest.mark.accept,
    pytest.mark.skipif(
        shutil.which("mvn") is None or shutil.which("javac") is None,
        reason="the peer is built with a JDK and Maven",
    ),
]


@pytest.fixture(scope="module", autouse=True)
def peer() -> None:
    subprocess.run(["make", "-C", PEER], cwd=ROOT, check=True, timeout=300)


def run(*words: str, report: Path) -> tuple[int, Any]:
    scenario = PEER / "kill-exactly-once.toml"
    command = [str(EOSCHECK), "run", str(scenario), *words, "--report", str(report)]
    command += ["--format", "json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)["runs"][0]


@pytest.mark.timeout(600)
def test_kafka_streams_passes_the_audit_under_ten_kills(tmp_path: Path) -> None:
    code, result = run(report=tmp_path)
    assert (code, result["audit"]["anomalies"], result["reasons"]) == (0, {}, [])
    tally = result["tally"]
    assert tally["injected"] == 10
    assert tally["left_open"] * 2 >= 10


@pytest.mark.timeout(400)
def test_kafka_streams_at_least_once_is_told_from_exactly_once(tmp_path: Path) -> None:
    """The same scenario can fail: a commit each second instead of transactions."""
    code, result = run(
        *("--set", "timing.faults=75s"),
        *("--set", f"subject.command.{word('exactly_once_v2')}=at_least_once"),
        *("--set", f'subject.command.{word("200")}="1000"'),
        *("--set", "faults.0.open_transaction=false", "--set", "faults.0.working=false"),
        report=tmp_path,
    )
    assert code == 1
    assert result["audit"]["anomalies"]["DUPLICATE"] > 0
    assert "LOST" not in result["audit"]["anomalies"]


def word(value: str) -> int:
    """Where `value` stands in the subject's command."""
    return load_scenario(ROOT / PEER / "kill-exactly-once.toml").subject.command.index(value)
