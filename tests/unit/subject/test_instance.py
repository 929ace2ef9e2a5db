"""Whose doing an exit was, in the moments that real processes rarely show."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from eoscheck.errors import InfrastructureError
from eoscheck.history import InstanceExited, Recorder, read_history
from eoscheck.subject.instance import Instance
from eoscheck.subject.spec import Invocation


class FakeChild:
    """Ends with `code` when it gets a signal; `late` signals find it ended already."""

    def __init__(self, *, code: int, late: bool) -> None:
        self.pid = 4711
        self.output = Path("/dev/null")
        self._code = code
        self._late = late
        self._ended = threading.Event()

    def poll(self) -> int | None:
        return self._code if self._ended.is_set() else None

    def wait(self, *, timeout_s: float) -> int | None:
        self._ended.wait(timeout_s)
        return self.poll()

    def signal(self, number: signal.Signals) -> bool:
        self._ended.set()
        return not self._late


class FakeSupervisor:
    def __init__(self, child: FakeChild) -> None:
        self.child = child

    def start(self, command: list[str], **_: Any) -> FakeChild:
        return self.child


def exits_after(folder: Path, child: FakeChild, act: str, **arguments: Any) -> list[InstanceExited]:
    with Recorder(folder) as recorder:
        instance = Instance(
            number=0,
            invocation=Invocation(command=["app"], env={}),
            folder=folder,
            state_dir=folder / "state",
            supervisor=FakeSupervisor(child),  # type: ignore[arg-type]
            recorder=recorder,
        )
        instance.start()
        with pytest.raises(InfrastructureError, match="had ended"):
            getattr(instance, act)(**arguments)
        assert instance._attempt is not None
        assert instance._attempt.ended.wait(5)
    return [each for each in read_history(folder) if isinstance(each, InstanceExited)]


def test_a_process_that_a_signal_did_not_reach_ended_by_itself(tmp_path: Path) -> None:
    gone = FakeChild(code=0, late=True)
    (exited,) = exits_after(tmp_path, gone, "terminate", timeout_s=5)
    assert not exited.expected


@pytest.mark.parametrize("late", [True, False], ids=["not delivered", "delivered to a zombie"])
def test_a_process_that_ended_by_itself_just_before_the_kill_was_not_killed_by_us(
    tmp_path: Path, late: bool
) -> None:
    (exited,) = exits_after(tmp_path, FakeChild(code=3, late=late), "kill")
    assert exited.code == 3
    assert not exited.expected
