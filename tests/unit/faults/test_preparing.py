"""What a run's faults need of the machine and of the subject before it starts; steps of a clock."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from eoscheck.errors import UsageError
from eoscheck.faults import clock
from eoscheck.faults.broker_disconnect import BrokerDisconnect
from eoscheck.faults.clock import ClockStep
from eoscheck.faults.disk import MB, StateFull, StateWipe
from eoscheck.faults.identity import Zombie
from eoscheck.faults.preparing import check_machine, prepare
from tests.unit.faults.family_bench import FakeSubject, planned, scene


class Prepared(FakeSubject):
    """Notes what it is prepared with, and has a clock."""

    offset_s = 0.0

    def mount_state(self, size_bytes: int) -> None:
        self.log.append(f"mount {size_bytes}")

    def fake_clocks(self, library: Path) -> None:
        self.log.append(f"clocks by {library.name}")

    def pid(self, instance: int) -> int:
        return 4711

    def clock(self, instance: int) -> Prepared:
        return self

    def step(self, by_s: float, *, pid: int) -> dict[str, Any]:
        self.offset_s += by_s
        return {"pid": pid, "offset_s": self.offset_s}

    def set_right(self) -> dict[str, Any]:
        self.offset_s = 0.0
        return {"offset_s": 0.0}


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    library = tmp_path / "libfaketime.so.1"
    library.touch()
    monkeypatch.setenv("FAKETIME_LIB", str(library))
    monkeypatch.setattr(sys, "platform", "linux")
    return library


def test_only_what_the_faults_need_is_prepared(library: Path) -> None:
    subject: Any = Prepared(Path())
    prepare(subject, [StateWipe(), Zombie(down="1m")])
    assert subject.log == []
    prepare(subject, [StateFull(size="32MB"), ClockStep(by="+1m")])
    assert subject.log == [f"mount {32 * MB}", "clocks by libfaketime.so.1"]


def test_a_broker_that_is_no_container_is_not_taken_off_its_network() -> None:
    check_machine([BrokerDisconnect()], provider="docker")
    with pytest.raises(UsageError, match=r"needs Docker.*--kafka-image.*broker-partition"):
        check_machine([StateWipe(), BrokerDisconnect()])


def test_a_machine_that_cannot_do_a_fault_refuses_it_before_anything_starts(
    library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    check_machine([StateWipe(), ClockStep(by="+1m")])
    with pytest.raises(UsageError, match="needs a mount, which takes root"):
        check_machine([StateFull()])
    library.unlink()
    with pytest.raises(UsageError, match="FAKETIME_LIB"):
        check_machine([ClockStep(by="+1m")])


def test_a_step_is_seen_by_the_process_and_set_right_at_the_heal() -> None:
    subject = Prepared(Path())
    action = clock.action(planned(ClockStep(by="-1h")), scene(subject))
    assert action.target == "instance 1"
    assert action.strike() == {"pid": 4711, "offset_s": -3600.0}
    assert action.heal() == {"offset_s": 0.0}
    assert subject.log == ["heal"]


def test_a_step_without_a_sign_is_refused() -> None:
    with pytest.raises(UsageError, match=r"faults\.by needs a sign"):
        ClockStep(by="1h")


def test_a_zombie_is_paused_for_longer_than_its_session() -> None:
    Zombie(down="6s").check(instances=range(2), session_timeout_s=5.0)
    with pytest.raises(UsageError, match="must be paused for longer than the session time-out"):
        Zombie(down="4s").check(instances=range(2), session_timeout_s=5.0)
