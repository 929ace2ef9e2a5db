"""A subject of real processes: what is done to them, what proves it, and what they do unasked."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.history import InstanceExited, InstanceStarted, Recorder, read_history
from eoscheck.process import Supervisor
from eoscheck.subject import State, Subject, SubjectExited, SubjectSpec

# Says that it runs, stops cleanly at SIGTERM, and obeys the environment variable DO.
SCRIPT = """
import os, pathlib, signal, sys, time
state = pathlib.Path(sys.argv[1])
do = os.environ.get("DO", "run")
if do == "exit":
    print("first line"); print("cannot reach the broker", file=sys.stderr); sys.exit(3)
if do == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
if do == "fork":
    if os.fork() == 0:
        time.sleep(60)
starts = state / "starts"
starts.write_text(str(int(starts.read_text()) + 1 if starts.exists() else 1))
(state / "ready").touch()
print("ready", sys.argv[2], os.environ.get("TOKEN", ""), flush=True)
if do == "crash once" and starts.read_text() == "1":
    sys.exit(7)
while True:
    time.sleep(60)
"""


@pytest.fixture
def make(tmp_path: Path, supervisor: Supervisor) -> Iterator[Callable[..., Subject]]:
    script = tmp_path / "app.py"
    script.write_text(SCRIPT)
    made: list[Subject] = []
    with Recorder(tmp_path / "run") as recorder:

        def make(*, do: str = "run", instances: int = 1, **spec: Any) -> Subject:
            subject = Subject(
                SubjectSpec(
                    command=["{python}", str(script), "{state_dir}", "instance-{instance}"],
                    instances=instances,
                    env={"DO": do, "TOKEN": "s3cret"},
                    **spec,
                ),
                supervisor=supervisor,
                recorder=recorder,
                folder=tmp_path / "run",
                run_id="r1",
                bootstrap_for=lambda _: "127.0.0.1:1",
            )
            made.append(subject)
            return subject

        yield make
        for subject in made:
            subject.stop_all()


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, f"waited 20 s until {what}"
        time.sleep(0.01)


def started(subject: Subject, *instances: int) -> None:
    for instance in instances or (0,):
        subject.start(instance)
    for instance in instances or (0,):
        latest = max(subject.state_dir(instance).parent.glob("attempt-*.log"))
        until(lambda log=latest: "ready" in log.read_text(), f"instance {instance} is ready")


def events(tmp_path: Path, kind: type) -> list[Any]:
    return [event for event in read_history(tmp_path / "run") if isinstance(event, kind)]


def test_a_kill_is_proved_by_the_signal_the_exit_code_and_the_process_being_gone(
    make: Callable[..., Subject], tmp_path: Path
) -> None:
    subject = make(instances=2)
    started(subject, 0, 1)
    pid = events(tmp_path, InstanceStarted)[0].pid
    evidence = subject.kill(0)
    assert evidence["signal"] == "SIGKILL"
    assert evidence["exit_code"] == -signal.SIGKILL
    assert evidence["pid"] == pid
    assert not psutil.pid_exists(pid)
    assert subject.state(0) is State.DOWN
    assert subject.is_up(1)
    (exited,) = events(tmp_path, InstanceExited)
    assert (exited.instance, exited.code, exited.expected) == (0, -9, True)
    assert subject.unexpected_exits() == []


def test_a_kill_takes_the_children_of_the_process_with_it(make: Callable[..., Subject]) -> None:
    subject = make(do="fork")
    started(subject)
    pid = subject.pause(0)["pid"]  # stands still while we look
    (child,) = psutil.Process(pid).children()
    subject.kill(0)
    until(lambda: not child.is_running(), "the child is gone too")


def test_a_terminated_process_stops_cleanly(make: Callable[..., Subject], tmp_path: Path) -> None:
    subject = make()
    started(subject)
    assert subject.terminate(0)["exit_code"] == 0
    assert events(tmp_path, InstanceExited)[0].expected


def test_a_process_that_ignores_sigterm_is_killed_and_that_was_no_clean_stop(
    make: Callable[..., Subject],
) -> None:
    subject = make(do="stubborn", stop_timeout="300ms")
    started(subject)
    with pytest.raises(InfrastructureError, match=r"did not stop within 0\.3 s of SIGTERM"):
        subject.terminate(0)
    assert subject.state(0) is State.DOWN


def test_a_paused_process_stands_still_until_it_is_resumed(make: Callable[..., Subject]) -> None:
    subject = make()
    started(subject)
    evidence = subject.pause(0)
    assert evidence["status"] == "stopped"
    assert psutil.Process(evidence["pid"]).status() == psutil.STATUS_STOPPED
    assert subject.state(0) is State.PAUSED
    assert not subject.is_up(0)
    subject.resume(0)
    assert psutil.Process(evidence["pid"]).status() != psutil.STATUS_STOPPED
    assert subject.is_up(0)


def test_a_paused_process_can_be_terminated_cleanly(make: Callable[..., Subject]) -> None:
    subject = make()
    started(subject)
    subject.pause(0)
    assert subject.terminate(0)["exit_code"] == 0


def test_the_state_directory_survives_a_kill_and_not_a_wipe(make: Callable[..., Subject]) -> None:
    subject = make()
    starts = subject.state_dir(0) / "starts"
    for expected in ("1", "2"):
        started(subject)
        assert starts.read_text() == expected
        subject.kill(0)
    evidence = subject.wipe(0)
    assert evidence == {"wiped": str(subject.state_dir(0)), "wiped_files": 2}
    assert not any(subject.state_dir(0).iterdir())
    started(subject)
    assert starts.read_text() == "1"


def test_the_disk_of_a_running_instance_is_not_wiped(make: Callable[..., Subject]) -> None:
    subject = make()
    started(subject)
    with pytest.raises(UsageError, match="stop it before its state directory is touched"):
        subject.wipe(0)
    assert (subject.state_dir(0) / "ready").exists()


def test_doing_something_to_a_process_that_is_gone_is_an_error_with_the_reason(
    make: Callable[..., Subject],
) -> None:
    subject = make()
    with pytest.raises(InfrastructureError, match="never started"):
        subject.kill(0)
    started(subject)
    subject.kill(0)
    for act in (subject.kill, subject.terminate, subject.pause, subject.resume):
        with pytest.raises(InfrastructureError, match="does not run: it ended, code -9"):
            act(0)


def test_a_subject_that_exits_at_once_is_shown_with_its_code_and_last_lines(
    make: Callable[..., Subject], tmp_path: Path
) -> None:
    subject = make(do="exit")
    subject.start(0)
    until(lambda: bool(subject.unexpected_exits()), "the exit is noticed")
    with pytest.raises(SubjectExited) as caught:
        subject.raise_if_exited()
    assert caught.value.code == 3
    assert sorted(caught.value.last_lines) == ["cannot reach the broker", "first line"]
    assert "exited by itself with code 3" in str(caught.value)
    assert "| cannot reach the broker" in str(caught.value)
    (exited,) = events(tmp_path, InstanceExited)
    assert not exited.expected


def test_a_kill_from_outside_is_not_taken_for_ours(make: Callable[..., Subject]) -> None:
    subject = make()
    started(subject)
    pid = subject.pause(0)["pid"]
    psutil.Process(pid).kill()
    until(lambda: bool(subject.unexpected_exits()), "the exit is noticed")
    assert subject.unexpected_exits()[0].code == -signal.SIGKILL


def test_a_command_that_does_not_exist_is_one_clear_error(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    with Recorder(tmp_path) as recorder:
        subject = Subject(
            SubjectSpec(command=["/no/such/app"]),
            supervisor=supervisor,
            recorder=recorder,
            folder=tmp_path,
            run_id="r1",
            bootstrap_for=lambda _: "127.0.0.1:1",
        )
        with pytest.raises(InfrastructureError, match="cannot start '/no/such/app'"):
            subject.start_all()
        subject.stop_all()
    assert read_history(tmp_path) == []


def test_what_ends_by_itself_is_started_again_when_it_is_to_keep_running(
    make: Callable[..., Subject], tmp_path: Path
) -> None:
    subject = make(do="crash once")
    subject.keep_running()
    subject.start(0)
    until(lambda: len(events(tmp_path, InstanceStarted)) == 2, "it is started again")
    until(lambda: subject.is_up(0), "it runs again")
    assert [each.code for each in subject.unexpected_exits()] == [7]
    subject.raise_if_exited()
    subject.kill(0)  # our own kill is not undone
    time.sleep(0.8)
    assert subject.state(0) is State.DOWN


def test_heal_all_resumes_and_restarts(make: Callable[..., Subject]) -> None:
    subject = make(instances=3)
    started(subject, 0, 1, 2)
    subject.kill(0)
    subject.pause(1)
    subject.heal_all()
    assert [subject.state(each) for each in subject.instances] == [State.UP] * 3


def test_stop_all_leaves_nothing_not_even_paused_or_stubborn_ones(
    make: Callable[..., Subject], tmp_path: Path
) -> None:
    subject = make(do="stubborn", instances=2, stop_timeout="300ms")
    started(subject, 0, 1)
    subject.pause(1)
    subject.stop_all()
    assert not any(psutil.pid_exists(each.pid) for each in events(tmp_path, InstanceStarted))
    assert all(each.expected for each in events(tmp_path, InstanceExited))
    subject.stop_all()


def test_each_process_has_an_output_file_and_the_history_holds_no_environment(
    make: Callable[..., Subject], tmp_path: Path
) -> None:
    subject = make()
    started(subject)
    subject.kill(0)
    started(subject)
    first, second = sorted((tmp_path / "run/instances/0").glob("attempt-*.log"))
    assert (first.name, second.name) == ("attempt-1.log", "attempt-2.log")
    assert first.read_text() == second.read_text() == "ready instance-0 s3cret\n"
    subject.stop_all()
    assert "s3cret" not in (tmp_path / "run/history.ndjson").read_text()
    attempts = [each.attempt for each in events(tmp_path, InstanceStarted)]
    assert attempts == [1, 2]


def test_an_instance_that_is_not_there_is_refused(make: Callable[..., Subject]) -> None:
    with pytest.raises(UsageError, match="no instance 5: the subject has 1, numbered from 0"):
        make().kill(5)
