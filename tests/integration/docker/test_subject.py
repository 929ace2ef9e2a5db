"""A subject in containers: as one of processes, to the run."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.history import Recorder
from eoscheck.process import Supervisor
from eoscheck.process.container import LABEL, docker_client
from eoscheck.subject.spec import SubjectSpec
from eoscheck.subject.subject import Subject

Until = Callable[[str, Callable[[], Any]], None]

_APP = """
trap 'exit 0' TERM
echo x >> {state_dir}/starts
echo "instance {instance} $GREETING $HOME_OF_HARNESS"
nc 127.0.0.1 "$PORT" </dev/null &
while true; do sleep 0.1; done
"""


@pytest.fixture
def server() -> Iterator[socket.socket]:
    """In the place of a broker."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        yield server


@pytest.fixture
def subject(
    image: str,
    server: socket.socket,
    tmp_path: Path,
    supervisor: Supervisor,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Subject]:
    monkeypatch.setenv("HOME_OF_HARNESS", "leaked")
    spec = SubjectSpec(
        image=image,
        command=["sh", "-c", _APP],
        env={"GREETING": "hello", "PORT": str(server.getsockname()[1])},
    )
    with Recorder(tmp_path / "run") as recorder:
        made = Subject(
            spec,
            supervisor=supervisor,
            recorder=recorder,
            folder=tmp_path / "run",
            run_id="r1",
            bootstrap_for=lambda _: "127.0.0.1:1",
        )
        made.start_all()
        yield made
        made.stop_all()


def _printed(subject: Subject) -> str:
    output = subject._at(0).output
    return output.read_text() if output is not None and output.exists() else ""


def _containers(subject: Subject) -> int:
    """Those that have its state directory."""
    filters = {"label": LABEL, "volume": str(subject.state_dir(0))}
    return len(docker_client().containers.list(all=True, filters=filters))


def test_it_starts_with_its_own_environment_state_and_network(
    subject: Subject, server: socket.socket, until: Until
) -> None:
    until("it has said hello", lambda: "instance 0 hello" in _printed(subject))
    assert "leaked" not in _printed(subject)
    starts = subject.state_dir(0) / "starts"
    assert starts.read_text() == "x\n"
    assert starts.stat().st_uid == os.getuid()
    connection, _ = server.accept()  # it reaches this machine's 127.0.0.1
    connection.close()


def test_it_is_killed_and_started_again_with_its_state(subject: Subject, until: Until) -> None:
    starts = subject.state_dir(0) / "starts"
    until("it runs", starts.exists)
    assert _containers(subject) == 1
    assert subject.kill(0)["exit_code"] == -9
    assert not subject.is_up(0)
    assert _containers(subject) == 0
    with pytest.raises(InfrastructureError, match="instance 0 does not run"):
        subject.pause(0)
    assert subject.start(0)
    until("it runs again", lambda: starts.read_text() == "x\nx\n")


def test_it_stands_still_while_paused(subject: Subject, until: Until) -> None:
    until("it runs", lambda: "hello" in _printed(subject))
    evidence = subject.pause(0)
    assert evidence["signal"] == "docker pause"
    assert not subject.is_up(0)
    assert subject.resume(0)["signal"] == "docker unpause"
    assert subject.is_up(0)


def test_it_ends_cleanly(subject: Subject, until: Until) -> None:
    until("it runs", lambda: "hello" in _printed(subject))
    assert _containers(subject) == 1
    assert subject.terminate(0)["exit_code"] == 0
    assert _containers(subject) == 0


def test_a_clock_fault_is_refused(subject: Subject) -> None:
    with pytest.raises(UsageError, match="clock faults are for processes"):
        subject.fake_clocks(Path("/nowhere"))
