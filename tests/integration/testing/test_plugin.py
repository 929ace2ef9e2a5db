"""The plugin on a real Kafka: the example loops, in a pytest of their own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.unit.testing.fakes import INSTALLED

LOOPS = Path(__file__).parents[3] / "examples" / "loops"
_BOUND_S = 90.0

SHORT = """
import pytest
from confluent_kafka import Producer
from eoscheck.testing import EosFailure

@pytest.fixture
def eos_faults():
    return [{"kind": "kill", "count": 2}]

@pytest.fixture
def eos_timing():
    return {"steady": "1s", "faults": "4s", "settle": "1s"}

@pytest.fixture(params=PARAMS)
def eos_subject(request):
    names = ["{bootstrap_server}", "{group}", "{instance}", "{input}", "{output}"]
    return {"command": ["{python}", f"{request.param}.py", *names], "session_timeout": "6s"}

def test_loop(eos_run, eos_cluster):
    with open("clusters.txt", "a") as file:
        print(eos_cluster.bootstrap_servers, file=file)
    eos_run()

def test_by_hand(eos_cluster, eos_topics, eos_audit):
    source, target = eos_topics("orders", partitions=1), eos_topics("invoices", partitions=1)
    producer = Producer(eos_cluster.client_config)
    for topic, key in [(source, "1"), (source, "2"), (target, "1"), (target, "2")]:
        producer.produce(topic, key=key)
    producer.flush()
    assert eos_audit(input=source, output=target, id="key").counts["output_records"] == 2
    producer.produce(target, key="2")
    producer.flush()
    with pytest.raises(EosFailure, match="1 × DUPLICATE"):
        eos_audit(input=source, output=target, id="key")
"""


class Suite:
    """A folder with the loops and a test of them; its processes are told by its own TMPDIR."""

    def __init__(self, folder: Path, *loops: str) -> None:
        self.folder = folder / "suite"
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        shutil.copytree(LOOPS, self.folder, ignore=shutil.ignore_patterns("test_*", "__pycache__"))
        (self.folder / "test_short.py").write_text(SHORT.replace("PARAMS", repr(list(loops))))

    def start(self, *options: str) -> subprocess.Popen[str]:
        plugin = [] if INSTALLED else ["-p", "eoscheck.pytest_plugin"]
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", *plugin, f"--basetemp={self.folder}/base", *options],
            cwd=self.folder,
            env={**os.environ, "TMPDIR": str(self.temporary)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def processes(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("TMPDIR") == str(self.temporary):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def wait_for_nothing(self) -> None:
        wait_for("every process to be gone", lambda: not self.processes())
        wait_for("temporary folders to be gone", lambda: not list(self.temporary.iterdir()))


def wait_for(what: str, holds: Callable[[], bool], *, bound_s: float = _BOUND_S) -> None:
    deadline = time.monotonic() + bound_s
    while not holds():
        assert time.monotonic() < deadline, f"waited {bound_s:g} s for {what}"
        time.sleep(0.1)


def test_two_workers_share_one_broker_and_tell_right_from_wrong(tmp_path: Path) -> None:
    suite = Suite(tmp_path, "right_loop", "auto_commit_loop")
    output, _ = suite.start("-n", "2", "-v").communicate(timeout=_BOUND_S)
    assert "1 failed, 2 passed" in output, output
    assert "PASSED test_short.py::test_loop[right_loop]" in output
    assert "DUPLICATE: one input came out more often than it should" in output
    assert "repeat: pytest 'test_short.py::test_loop[auto_commit_loop]'" in output
    one, other = (suite.folder / "clusters.txt").read_text().split()
    assert one == other
    (report,) = (suite.folder / "reports").rglob("report.html")
    assert str(report.relative_to(suite.folder)) in output.partition("eoscheck reports")[2]
    suite.wait_for_nothing()


@pytest.mark.parametrize(
    ("options", "number"), [([], signal.SIGINT), (["-n", "2"], signal.SIGKILL)]
)
def test_who_is_ended_in_the_midst_of_a_run_leaves_nothing(
    tmp_path: Path, options: list[str], number: signal.Signals
) -> None:
    suite = Suite(tmp_path, "right_loop")
    harness = suite.start(*options)
    try:
        wait_for(
            "an instance that is ready",
            lambda: any(
                b'"instance_ready"' in path.read_bytes()
                for path in suite.folder.rglob("history.ndjson")
            ),
        )
        harness.send_signal(number)
        output, _ = harness.communicate(timeout=_BOUND_S)
    finally:
        harness.kill()
        harness.wait()
    if number is signal.SIGINT:
        assert "KeyboardInterrupt" in output
    suite.wait_for_nothing()
