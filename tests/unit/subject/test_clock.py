"""Clocks that are stepped under a running process, and the proof that it goes by the new time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.subject.clock import Clock, find_library, parse_step

LIBRARY_ERROR: str | None
try:
    LIBRARY, LIBRARY_ERROR = find_library(), None
except UsageError as error:
    LIBRARY, LIBRARY_ERROR = Path("none"), str(error)
faked = pytest.mark.skipif(LIBRARY_ERROR is not None, reason=str(LIBRARY_ERROR))

TELLS_THE_TIME = """
import sys, time
for _ in sys.stdin:
    print(time.time(), time.monotonic(), flush=True)
"""
LOOKS_AT_ITS_CLOCK = """
import threading, time
def look():
    while True:
        time.time()
        time.sleep(0.01)
threading.Thread(target=look, daemon=True).start()
"""


class Moments:
    """A wall clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def running() -> Iterator[list[subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


def start(
    running: list[subprocess.Popen[str]], code: str, env: dict[str, str]
) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, **env},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    running.append(process)
    return process


def told(process: subprocess.Popen[str]) -> tuple[float, float]:
    """How far ahead of ours its wall clock and its monotonic one are, in seconds."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    wall, monotonic = map(float, process.stdout.readline().split())
    return wall - time.time(), monotonic - time.monotonic()


@pytest.mark.thorough
@faked
def test_a_step_changes_the_wall_clock_of_a_running_process_and_no_other(
    running: list[subprocess.Popen[str]], tmp_path: Path
) -> None:
    clock = Clock(tmp_path, library=LIBRARY)
    process = start(running, LOOKS_AT_ITS_CLOCK + TELLS_THE_TIME, clock.environment({}))
    assert told(process) == pytest.approx((0, 0), abs=1)
    evidence = clock.step(-3600, pid=process.pid)
    assert evidence["offset_s"] == -3600
    assert told(process) == pytest.approx((-3600, 0), abs=1)
    clock.step(5400, pid=process.pid)
    assert told(process) == pytest.approx((1800, 0), abs=1)


@pytest.mark.thorough
@faked
def test_a_library_that_is_named_by_a_link_is_known(
    running: list[subprocess.Popen[str]], tmp_path: Path
) -> None:
    """A virtual environment may be one, and the kernel tells where the file lies."""
    link = tmp_path / LIBRARY.name
    link.symlink_to(LIBRARY)
    clock = Clock(tmp_path, library=link)
    process = start(running, LOOKS_AT_ITS_CLOCK + TELLS_THE_TIME, clock.environment({}))
    assert told(process) == pytest.approx((0, 0), abs=1)
    assert clock.step(-3600, pid=process.pid)["offset_s"] == -3600


@faked
def test_a_process_without_the_library_has_no_step(
    running: list[subprocess.Popen[str]], tmp_path: Path
) -> None:
    clock = Clock(tmp_path, library=LIBRARY)
    process = start(running, LOOKS_AT_ITS_CLOCK + TELLS_THE_TIME, {})
    told(process)  # it has started
    with pytest.raises(InfrastructureError, match="has not loaded libfaketime"):
        clock.step(60, pid=process.pid)


@faked
def test_a_process_that_never_looks_was_not_bitten(
    running: list[subprocess.Popen[str]], tmp_path: Path
) -> None:
    clock = Clock(tmp_path, library=LIBRARY)
    process = start(running, TELLS_THE_TIME, clock.environment({}))
    told(process)  # it has started, and waits to be asked again
    with pytest.raises(InfrastructureError, match=r"did not look at its clock within 0\.3 s"):
        clock.step(60, pid=process.pid, timeout_s=0.3)


def test_what_a_clock_showed_is_told_in_true_time(tmp_path: Path) -> None:
    moments = Moments()
    clock = Clock(tmp_path, library=Path("lib"), wall_clock=moments)
    assert clock.true_time(1005.0) == 1005.0
    moments.now = 1010.0
    clock._set(-3600.0)
    moments.now = 1030.0
    clock.set_right()
    assert clock.true_time(1005.0) == 1005.0
    assert clock.true_time(1020.0 - 3600) == 1020.0
    assert clock.true_time(1040.0) == 1040.0


def test_what_was_preloaded_before_still_is(tmp_path: Path) -> None:
    clock = Clock(tmp_path, library=Path("/lib/fake.so"))
    assert clock.environment({"LD_PRELOAD": "/lib/other.so"})["LD_PRELOAD"] == (
        "/lib/fake.so /lib/other.so"
    )


@pytest.mark.parametrize(("text", "seconds"), [("+1h", 3600), ("-90s", -90), ("+250ms", 0.25)])
def test_a_step_has_a_sign_and_a_length(text: str, seconds: float) -> None:
    assert parse_step(text, what="faults.by") == seconds


@pytest.mark.parametrize(
    ("text", "said"), [("1h", "needs a sign"), ("+0s", "is no step"), ("-soon", "faults.by")]
)
def test_what_is_no_step_is_told(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_step(text, what="faults.by")


def test_a_library_that_is_named_and_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="and there is no such file"):
        find_library({"FAKETIME_LIB": str(tmp_path / "none.so")})


def test_a_machine_without_the_library_is_told_where_to_get_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("eoscheck.subject.clock._candidates", list)
    with pytest.raises(UsageError, match=r"pip install 'eoscheck\[clock\]'"):
        find_library({})
