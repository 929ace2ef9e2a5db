"""Conditions that faults wait for, as they are seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eoscheck.errors import InfrastructureError
from eoscheck.faults import Scene
from eoscheck.faults.spec import Condition
from eoscheck.faults.triggers import Look
from eoscheck.history import OutputsObserved, SendsAcknowledged
from eoscheck.history.progress import Progress
from eoscheck.subject import SubjectSpec
from tests.unit.faults.tables import OneApp


class FakeSubject(OneApp):
    """One instance and one spare; `log` is what the instance's latest process prints into."""

    instances = range(1)
    spares = range(1, 2)

    def __init__(self) -> None:
        self.spec = SubjectSpec(command=["app"], group="g")
        self.log: Path | None = None
        self.up = True

    def output(self, instance: int) -> Path | None:
        return self.log if instance == 0 else None

    def is_up(self, instance: int) -> bool:
        return self.up


class FakeView:
    state = "stable"

    def group_members(self, group: str) -> list[Any]:
        return []

    def group_state(self, group: str) -> str:
        return self.state

    def committed(self, group: str, topic: str, **_: Any) -> dict[int, int]:
        return {0: 40}


class FakeTransactions:
    open = 0

    def ongoing(self, topics: Any) -> list[int]:
        if self.open < 0:
            raise InfrastructureError("no broker answers")
        return [0] * self.open


def look(subject: FakeSubject | None = None, **more: Any) -> Look:
    progress = Progress()
    progress(
        SendsAcknowledged(
            t=0.0,
            topic="in",
            identities=[1, 2, 3],
            partitions=[0, 0, 1],
            offsets=[41, 99, 9],
            intended=[0.0] * 3,
        )
    )
    progress(
        OutputsObserved(
            t=1.0, topic="out", partition=0, first_offset=0, last_offset=1, identities=[1, 2]
        )
    )
    scene = Scene(subject=subject or FakeSubject(), **more)  # type: ignore[arg-type]
    return Look(scene=scene, progress=progress)


@pytest.mark.parametrize(
    ("what", "reached"), [("outputs", 2), ("acknowledged", 3), ("lag", 100 - 40 + 10)]
)
def test_a_count_is_reached_and_not_before(what: str, reached: int) -> None:
    looks = look(view=FakeView())
    assert looks(Condition(what=what, at_least=reached)) == (True, f"{reached} {what}")
    assert looks(Condition(what=what, at_least=reached + 1))[0] is False


def test_a_transaction_is_open_or_not_and_a_cluster_that_is_silent_shows_none() -> None:
    transactions = FakeTransactions()
    looks = look(transactions=transactions)
    condition = Condition(what="open-transaction")
    assert looks(condition)[0] is False
    transactions.open = 1
    assert looks(condition)[0] is True
    transactions.open = -1
    assert looks(condition) == (False, "no broker answers")


def test_a_group_that_is_not_stable_rebalances() -> None:
    view = FakeView()
    looks = look(view=view)
    assert looks(Condition(what="rebalancing"))[0] is False
    view.state = "preparing rebalance"
    assert looks(Condition(what="rebalancing"))[0] is True


START = "2026-11-27T10:00:00+00:00 INFO event=restore_start store=s partition=2 start=0 end=9\n"
END = "2026-11-27T10:00:01+00:00 INFO event=restore_end store=s partition=2 end=9\n"
RESTORING = Condition(what="restoring")


def add(log: Path, text: str) -> None:
    with log.open("a") as file:
        file.write(text)


def test_a_restore_is_under_way_from_its_begin_to_its_end_while_its_instance_runs(
    tmp_path: Path,
) -> None:
    subject = FakeSubject()
    looks = look(subject)
    assert looks(RESTORING)[0] is False  # it has printed nothing yet
    subject.log = tmp_path / "attempt-1.log"
    assert looks(RESTORING)[0] is False  # nor made the file
    add(subject.log, "something else\n" + START)
    assert looks(RESTORING) == (True, "restoring: ['instance 0, s/2']")
    subject.up = False
    assert looks(RESTORING)[0] is False
    subject.up = True
    assert looks(RESTORING)[0] is True
    add(subject.log, END)
    assert looks(RESTORING) == (False, "restoring: nothing")


def test_a_restore_ends_with_its_process(tmp_path: Path) -> None:
    subject = FakeSubject()
    looks = look(subject)
    subject.log = tmp_path / "attempt-1.log"
    add(subject.log, START)
    assert looks(RESTORING)[0] is True
    subject.log = tmp_path / "attempt-2.log"
    assert looks(RESTORING)[0] is False
    add(subject.log, START)
    assert looks(RESTORING)[0] is True
    assert look(subject)(RESTORING)[0] is True


def test_a_line_that_is_written_in_two_goes_is_one(tmp_path: Path) -> None:
    subject = FakeSubject()
    looks = look(subject)
    subject.log = tmp_path / "attempt-1.log"
    add(subject.log, START[:50])
    assert looks(RESTORING)[0] is False
    add(subject.log, START[50:])
    assert looks(RESTORING)[0] is True


def test_what_was_read_of_a_log_is_not_read_again(tmp_path: Path) -> None:
    subject = FakeSubject()
    looks = look(subject)
    subject.log = tmp_path / "attempt-1.log"
    add(subject.log, START)
    assert looks(RESTORING)[0] is True
    subject.log.write_text(END + "x" * (len(START) - len(END) - 1) + "\n")  # as long: nothing new
    assert looks(RESTORING)[0] is True
