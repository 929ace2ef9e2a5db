"""The harness is killed, whenever: no process, no mount, no folder of its run is left behind."""

from __future__ import annotations

import os
import random
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from eoscheck.run.scenario import find_scenario
from tests.acceptance.conftest import EOSCHECK, Accepted

KILLS = 8
LATEST_S = 35.0
GONE_S = 40.0

# Brokers and instances go, a volume is mounted, proxies stand in the way.
SCENARIO = """
extends = "{base}"
name = "killed-harness"
title = "Whatever a run can leave behind"
[[faults]]
kind = "latency"
at = "500ms"
down = "8s"
target = "all"
[[faults]]
kind = "broker-pause"
at = "2s"
down = "4s"
[[faults]]
kind = "state-read-only"
at = "1s"
down = "3s"
"""


@pytest.fixture
def mark() -> Iterator[str]:
    """A word in the environment of the harness, which all that it starts inherits."""
    word = f"run-{uuid.uuid4().hex}"
    yield word
    for process in marked(word):
        with suppress(psutil.NoSuchProcess):
            process.kill()


def marked(word: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            ended = process.status() == psutil.STATUS_ZOMBIE
            if not ended and process.environ().get("EOSCHECK_TEST_MARK") == word:
                found.append(process)
    return found


def eventually(what: str, left: Callable[[], list[object]]) -> None:
    give_up_at = time.monotonic() + GONE_S
    while found := left():
        assert time.monotonic() < give_up_at, f"{what} are left: {found}"
        time.sleep(0.1)


def mounts(below: Path) -> list[object]:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return [line for line in lines if str(below) in line]


def kill_and_look(folder: Path, word: str, after_s: float) -> None:
    scenario, temporary = folder / "killed-harness.toml", folder / "tmp"
    temporary.mkdir()
    base = find_scenario("kill-commit").parents[1] / "_payments.toml"
    scenario.write_text(SCENARIO.format(base=base))
    with (folder / "output").open("wb") as output:
        harness = subprocess.Popen(
            [EOSCHECK, "run", scenario, "--report", folder / "reports"],
            env={**os.environ, "TMPDIR": str(temporary), "EOSCHECK_TEST_MARK": word},
            stdout=output,
            stderr=output,
        )
    try:
        code = harness.wait(after_s)
    except subprocess.TimeoutExpired:
        harness.kill()
        harness.wait()
    else:
        pytest.fail(f"it ended before, with {code}: {(folder / 'output').read_text()[-2000:]}")
    eventually("processes", lambda: list(marked(word)))
    eventually("mounts", lambda: mounts(folder))
    eventually("temporary folders", lambda: list(temporary.iterdir()))
    eventually("state directories", lambda: list(folder.glob("reports/*/instances/*/state")))


@pytest.mark.timeout(150)
@pytest.mark.skipif(os.geteuid() != 0, reason="a read-only state directory takes root")
def test_a_killed_harness_leaves_nothing_behind(tmp_path: Path, mark: str) -> None:
    kill_and_look(tmp_path, mark, after_s=20.0)


@pytest.mark.accept
@pytest.mark.timeout(150)
@pytest.mark.skipif(os.geteuid() != 0, reason="a read-only state directory takes root")
@pytest.mark.parametrize("seed", range(KILLS))
def test_a_harness_killed_at_any_moment_leaves_nothing_behind(
    tmp_path: Path, mark: str, accepted: Accepted, seed: int
) -> None:
    after_s = random.Random(seed).uniform(0.5, LATEST_S)
    kill_and_look(tmp_path, mark, after_s=after_s)
    accepted(
        "The harness is killed at a random moment: nothing is left",
        f"pytest tests/acceptance/test_killed_harness.py -k 'any_moment and {seed}'",
        f"after {after_s:.1f} s: no process, mount, temporary folder or state directory",
    )
