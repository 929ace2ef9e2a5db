"""Children end with the harness, however it ends, and what they do is known at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.process import Supervisor, tail

_WAIT_S = 10.0


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    with Supervisor() as started:
        yield started


def eventually(what: str, holds: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + _WAIT_S
    while not holds():
        assert time.monotonic() < give_up_at, f"not within {_WAIT_S} s: {what}"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_exit_code_and_output_of_a_child(supervisor: Supervisor, tmp_path: Path) -> None:
    command = python("import sys; print('one'); print('two', file=sys.stderr); sys.exit(3)")
    child = supervisor.start(command, output=tmp_path / "made" / "out.log")
    assert child.wait(timeout_s=_WAIT_S) == 3
    assert child.poll() == 3
    assert sorted(tail(child.output)) == ["one", "two"]
    supervisor.start(command, output=child.output).wait(timeout_s=_WAIT_S)
    assert len(tail(child.output)) == 4, "output is appended"


def test_tail_gives_the_last_lines_only(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert tail(log) == []
    log.write_bytes(b"".join(b"line %d\n\n" % n for n in range(50_000)) + b"\xff end")
    assert tail(log, lines=2) == ["line 49999", "\N{REPLACEMENT CHARACTER} end"]


def test_environment_and_folder_are_the_given_ones(supervisor: Supervisor, tmp_path: Path) -> None:
    shell = "/bin/sh"
    child = supervisor.start(
        [shell, "-c", 'echo "$GREETING:$HOME:$(pwd)"'],
        output=tmp_path / "out",
        env={"GREETING": "hello"},
        cwd=tmp_path,
    )
    child.wait(timeout_s=_WAIT_S)
    assert tail(child.output) == [f"hello::{tmp_path}"]


def test_environment_is_inherited_as_it_is_now(
    supervisor: Supervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GREETING", "set after the supervisor's start \udcff")
    child = supervisor.start(["/bin/sh", "-c", 'echo "$GREETING"'], output=tmp_path / "out")
    child.wait(timeout_s=_WAIT_S)
    assert child.output.read_bytes() == b"set after the supervisor's start \xff\n"


def test_a_command_that_does_not_exist_is_one_line(supervisor: Supervisor, tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="cannot start 'no-such-command'") as caught:
        supervisor.start(["no-such-command"], output=tmp_path / "out")
    assert "\n" not in str(caught.value)
    with pytest.raises(UsageError, match="no command"):
        supervisor.start([], output=tmp_path / "out")
    with pytest.raises(InfrastructureError, match="null byte"):
        supervisor.start(["sh\0"], output=tmp_path / "out")
    child = supervisor.start(["true"], output=tmp_path / "out")
    assert child.wait(timeout_s=_WAIT_S) == 0, "the supervisor goes on"


def test_stop_asks_first_and_kills_then(supervisor: Supervisor, tmp_path: Path) -> None:
    polite = supervisor.start(["sleep", "60"], output=tmp_path / "polite")
    assert polite.stop(timeout_s=_WAIT_S) == -signal.SIGTERM
    assert polite.stop(timeout_s=_WAIT_S) == -signal.SIGTERM, "again: the same answer"
    stubborn = supervisor.start(
        ["/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"],
        output=tmp_path / "stubborn",
    )
    eventually("it ignores SIGTERM", lambda: tail(stubborn.output) == ["ready"])
    assert stubborn.stop(timeout_s=0.1) == -signal.SIGKILL


def test_a_paused_child_is_continued_to_stop(supervisor: Supervisor, tmp_path: Path) -> None:
    child = supervisor.start(["sleep", "60"], output=tmp_path / "out")
    assert child.signal(signal.SIGSTOP)
    process = psutil.Process(child.pid)
    eventually("it is paused", lambda: process.status() == psutil.STATUS_STOPPED)
    assert child.stop(timeout_s=_WAIT_S) == -signal.SIGTERM


def test_a_signal_to_an_ended_child_is_not_delivered(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    child = supervisor.start(["sleep", "60"], output=tmp_path / "out")
    assert child.signal(signal.SIGKILL)
    assert child.wait(timeout_s=_WAIT_S) == -signal.SIGKILL
    assert not child.signal(signal.SIGKILL)


def test_nothing_is_kept_of_a_child_that_has_ended(supervisor: Supervisor, tmp_path: Path) -> None:
    child = supervisor.start(python(""), output=tmp_path / "out")
    child.wait(timeout_s=_WAIT_S)
    with pytest.raises(InfrastructureError, match="cannot start"):
        supervisor.start(["no-such-command"], output=tmp_path / "out")
    kept = (supervisor._replies, supervisor._exit_codes, supervisor._pids)
    assert kept == ({}, {}, {})


def test_what_a_child_started_ends_with_it(supervisor: Supervisor, tmp_path: Path) -> None:
    child = supervisor.start(["/bin/sh", "-c", "sleep 60 & echo $!; wait"], output=tmp_path / "out")
    eventually("it names its own child", lambda: bool(tail(child.output)))
    grandchild = int(tail(child.output)[0])
    os.kill(child.pid, signal.SIGKILL)  # only the leader
    assert child.wait(timeout_s=_WAIT_S) == -signal.SIGKILL
    eventually("its own child ends", lambda: not is_alive(grandchild))


def test_close_kills_and_removes(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "file").touch()
    with Supervisor() as supervisor:
        child = supervisor.start(["sleep", "60"], output=tmp_path / "out")
        supervisor.remove_at_exit(folder)
    assert child.poll() == -signal.SIGKILL
    assert not folder.exists()
    supervisor.close()
    with pytest.raises(InfrastructureError, match="ended"):
        supervisor.start(["true"], output=tmp_path / "out")


def test_commands_run_at_exit_once_no_child_is_left_and_the_last_one_first(tmp_path: Path) -> None:
    child_file, told = tmp_path / "child", tmp_path / "told"
    with Supervisor() as supervisor:
        child = supervisor.start(["sleep", "60"], output=child_file)
        alive = f"kill -0 {child.pid} 2>&- && echo alive >> {told}"
        supervisor.run_at_exit(["/bin/sh", "-c", f"{alive}; echo first >> {told}"])
        supervisor.run_at_exit(["/bin/sh", "-c", f"echo second >> {told}"])
        forget = supervisor.run_at_exit(["/bin/sh", "-c", f"echo third >> {told}"])
        forget()
    assert told.read_text() == "second\nfirst\n"
    forget()  # too late, and no mistake


def test_a_command_at_exit_that_fails_is_told_and_keeps_no_other_from_running(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    told = tmp_path / "told"
    with Supervisor() as supervisor:
        supervisor.run_at_exit(["touch", str(told)])
        supervisor.run_at_exit(["/bin/sh", "-c", "echo no such mount >&2; exit 3"])
        supervisor.run_at_exit(["no-such-program"])
    assert told.exists()
    complaints = capfd.readouterr().err
    assert "ended with 3: no such mount" in complaints
    assert "no-such-program did not run" in complaints


# A child, its own child, and a daemon: an orphan in a session of its own.
_FAMILY = "sleep 61 & echo $!; (setsid sleep 62 & echo $!); echo $$; wait"
_HARNESS = f"""
import sys, time
from pathlib import Path
from eoscheck.process import Supervisor
supervisor = Supervisor()
folder = Path(sys.argv[1])
supervisor.remove_at_exit(folder / "data")
supervisor.run_at_exit(["touch", str(folder / "told")])
child = supervisor.start(["/bin/sh", "-c", {_FAMILY!r}], output=folder / "family")
print(supervisor._process.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int, list[int]]]:
    """Another harness with a family of children: (its process, its supervisor's pid, family)."""
    (tmp_path / "data").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", _HARNESS, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process, process.stdout:
        supervisor_pid = int(process.stdout.readline())
        family_file = tmp_path / "family"
        eventually("the family is complete", lambda: len(tail(family_file)) == 3)
        family = [int(line) for line in tail(family_file)]
        assert all(is_alive(pid) for pid in family)
        yield process, supervisor_pid, family
        process.kill()
        for pid in family:
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)


def test_no_descendant_survives_sigkill_of_the_harness(
    harness: tuple[subprocess.Popen[str], int, list[int]], tmp_path: Path
) -> None:
    process, supervisor_pid, family = harness
    process.kill()
    eventually("all are gone", lambda: not any(is_alive(pid) for pid in [supervisor_pid, *family]))
    assert not (tmp_path / "data").exists()
    assert (tmp_path / "told").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_children_end_with_a_killed_supervisor(supervisor: Supervisor, tmp_path: Path) -> None:
    child = supervisor.start(["/bin/sh", "-c", "sleep 60 & echo $!; wait"], output=tmp_path / "out")
    eventually("it names its own child", lambda: bool(tail(child.output)))
    grandchild = int(tail(child.output)[0])
    supervisor._process.kill()
    assert child.wait(timeout_s=_WAIT_S) == -signal.SIGKILL
    eventually("both are gone", lambda: not is_alive(child.pid) and not is_alive(grandchild))
    with pytest.raises(InfrastructureError, match="supervisor"):
        supervisor.start(["true"], output=tmp_path / "out")


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_children_end_when_harness_and_supervisor_are_killed_together(
    harness: tuple[subprocess.Popen[str], int, list[int]],
) -> None:
    process, supervisor_pid, family = harness
    child = family[2]
    process.send_signal(signal.SIGSTOP)  # it cannot help
    os.kill(supervisor_pid, signal.SIGKILL)
    eventually("the child is gone", lambda: not is_alive(child))


def test_many_threads_may_start_children(supervisor: Supervisor, tmp_path: Path) -> None:
    def run(number: int) -> int | None:
        command = ["/bin/sh", "-c", f"exit {number}"]
        return supervisor.start(command, output=tmp_path / f"{number}").wait(timeout_s=_WAIT_S)

    with ThreadPoolExecutor(max_workers=8) as pool:
        assert list(pool.map(run, range(32))) == list(range(32))
