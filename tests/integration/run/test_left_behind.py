"""Nothing is left behind: no process, no temporary folder, however the harness ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

EOSCHECK = str(Path(sys.executable).parent / "eoscheck")
_BOUND_S = 60.0


def wait_for(what: str, holds: Callable[[], bool], *, bound_s: float = _BOUND_S) -> None:
    deadline = time.monotonic() + bound_s
    while not holds():
        assert time.monotonic() < deadline, f"waited {bound_s:g} s for {what}"
        time.sleep(0.1)


def family(temporary: Path) -> list[psutil.Process]:
    """Every process that inherited this test's own TMPDIR: broker, subjects, supervisor, us."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TMPDIR") == str(temporary):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_ended_in_the_middle_leaves_nothing(
    tmp_path: Path, number: signal.Signals
) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    reports = tmp_path / "reports"
    harness = subprocess.Popen(
        [EOSCHECK, "run", "kill-exactly-once", "--report", str(reports)],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        wait_for(
            "a fault, with instances up and down",
            lambda: any(
                b'"fault_injected"' in path.read_bytes() for path in reports.rglob("history.ndjson")
            ),
        )
        assert len(family(temporary)) > 2
        harness.send_signal(number)
        output, _ = harness.communicate(timeout=_BOUND_S)
    finally:
        harness.kill()
        harness.wait()
    if number is not signal.SIGKILL:
        assert harness.returncode == 2
        assert b"interrupted" in output
        assert b"Traceback" not in output
    wait_for("every process to be gone", lambda: not family(temporary))
    wait_for("temporary folders to be gone", lambda: not list(temporary.iterdir()))
    assert not list(reports.rglob("state"))
