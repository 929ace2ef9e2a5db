"""Copies of a working instance's state, volumes that outlive its processes, and twins."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.history import InstanceExited, InstanceStarted, Recorder, read_history
from eoscheck.process import Supervisor
from eoscheck.subject import State, Subject, SubjectSpec
from eoscheck.subject.twin import Twin

# Counts in its state directory, a line at a time, and shows what it is called.
SCRIPT = """
import pathlib, sys, time
state, instance = pathlib.Path(sys.argv[1]), sys.argv[2]
if (state / "leave").exists():
    sys.exit("instance " + instance + " is fenced")
(state / "runs").open("a").write(instance + chr(10))
while True:
    (state / "count").open("a").write("x")
    time.sleep(0.005)
"""
mounts = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="mounting takes Linux and root"
)


@pytest.fixture
def subject(tmp_path: Path, supervisor: Supervisor) -> Iterator[Subject]:
    script = tmp_path / "app.py"
    script.write_text(SCRIPT)
    with Recorder(tmp_path / "run") as recorder:
        subject = Subject(
            SubjectSpec(
                command=["{python}", str(script), "{state_dir}", "instance-{instance}"],
                instances=2,
            ),
            supervisor=supervisor,
            recorder=recorder,
            folder=tmp_path / "run",
            run_id="r1",
            bootstrap_for=lambda _: "127.0.0.1:1",
        )
        yield subject
        subject.stop_all()
        subject.discard_state()


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"waited 20 s until {what}"
        time.sleep(0.01)


def counted(folder: Path) -> int:
    count = folder / "count"
    return count.stat().st_size if count.exists() else 0


def working(subject: Subject, instance: int = 1) -> None:
    subject.start(instance)
    before = counted(subject.state_dir(instance))
    until(lambda: counted(subject.state_dir(instance)) > before, "it works")


def test_a_snapshot_is_a_moment_of_a_process_that_works_on(subject: Subject) -> None:
    working(subject)
    copy, evidence = subject.snapshot(1)
    kept = counted(copy)
    assert evidence["kept_files"] == 2
    assert subject.is_up(1)
    until(lambda: counted(subject.state_dir(1)) > kept, "it works on")
    assert counted(copy) == kept


def test_the_state_of_a_running_instance_is_not_touched(subject: Subject) -> None:
    working(subject)
    with pytest.raises(UsageError, match="instance 1 runs: stop it before"):
        subject.while_down(1, lambda state: state.rmdir())
    subject.kill(1)
    assert subject.while_down(1, counted) > 0


@mounts
def test_a_volume_outlives_a_process_and_not_the_run(subject: Subject) -> None:
    subject.mount_state(1 << 20)
    working(subject)
    before = counted(subject.state_dir(1))
    subject.kill(1)
    working(subject)
    assert counted(subject.state_dir(1)) > before
    subject.stop_all()
    subject.discard_state()
    assert not subject.state_dir(1).exists()
    assert str(subject.state_dir(1)) not in Path("/proc/self/mountinfo").read_text()


def test_what_was_not_prepared_before_the_start_is_refused(subject: Subject) -> None:
    with pytest.raises(UsageError, match="instance 0 is on no volume of ours"):
        subject.volume(0)
    with pytest.raises(UsageError, match="started without a clock of its own"):
        subject.clock(0)


def test_a_twin_has_the_ids_and_a_copy_of_the_state_and_is_no_instance(subject: Subject) -> None:
    working(subject)
    twin = subject.start_twin(1, state="copy")
    own = subject.state_dir(1).parent / "twin"
    until(lambda: (own / "runs").read_text() == "instance-1\n" * 2, "the twin runs on the copy")
    twin.raise_if_ended()
    assert subject.is_up(1)
    evidence = twin.end()
    assert twin.end()["twin_exit_code"] == evidence["twin_exit_code"] == -15
    assert evidence["twin_ended_by_itself"] is False
    assert evidence["twin_ran_s"] > 0
    assert not own.exists()
    assert not psutil.pid_exists(twin.pid)
    assert (subject.state_dir(1) / "runs").read_text() == "instance-1\n"
    history = list(read_history(subject.state_dir(1).parents[2]))
    assert sum(isinstance(event, InstanceStarted) for event in history) == 1
    assert not any(isinstance(event, InstanceExited) for event in history)


def test_a_twin_may_share_the_state_directory_or_have_none(subject: Subject) -> None:
    working(subject)
    shared = subject.start_twin(1, state="shared")
    until(
        lambda: (subject.state_dir(1) / "runs").read_text() == "instance-1\n" * 2,
        "the twin runs in the same directory",
    )
    shared.end()
    assert counted(subject.state_dir(1)) > 0
    fresh = subject.start_twin(1, state="fresh")
    own = subject.state_dir(1).parent / "twin" / "runs"
    until(lambda: own.exists() and own.read_text() == "instance-1\n", "the twin runs on its own")
    fresh.end()


def test_a_twin_that_ends_by_itself_says_why(subject: Subject) -> None:
    subject.state_dir(1).mkdir(parents=True)
    (subject.state_dir(1) / "leave").touch()
    twin: Twin = subject.start_twin(1, state="shared")
    until(lambda: twin._child.poll() is not None, "the twin has ended")
    with pytest.raises(InfrastructureError, match=r"code 1 .* instance instance-1 is fenced"):
        twin.raise_if_ended()
    assert twin.end()["twin_ended_by_itself"] is True
    assert subject.state(1) is State.DOWN
