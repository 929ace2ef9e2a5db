"""Conditions that faults wait for, as they are seen."""

from __future__ import annotations

from typing import Any

import pytest

from eoscheck.errors import InfrastructureError
from eoscheck.faults import Scene
from eoscheck.faults.spec import Condition
from eoscheck.faults.triggers import Look
from eoscheck.history import OutputsObserved, SendsAcknowledged
from eoscheck.history.progress import Progress
from eoscheck.history.restores import RestoreEnded, RestoreStarted
from eoscheck.subject import SubjectSpec


class FakeSubject:
    def __init__(self, *restores: Any, up: bool = True) -> None:
        self.spec = SubjectSpec(command=["app"], group="g")
        self._restores = restores
        self._up = up

    def restores(self, **_: Any) -> tuple[Any, ...]:
        return self._restores

    def is_up(self, instance: int) -> bool:
        return self._up


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
    scene = Scene(subject=subject or FakeSubject(), input_topic="in", **more)  # type: ignore[arg-type]
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


def test_a_restore_is_under_way_from_its_begin_to_its_end_while_its_instance_runs() -> None:
    began = RestoreStarted(t=1.0, instance=0, store="s", partition=2, start=0, end=9)
    ended = RestoreEnded(t=2.0, instance=0, store="s", partition=2, restored_to=9)
    condition = Condition(what="restoring")
    assert look(FakeSubject())(condition)[0] is False
    assert look(FakeSubject(began))(condition) == (True, "restoring: ['instance 0, s/2']")
    assert look(FakeSubject(began, ended))(condition)[0] is False
    assert look(FakeSubject(began, up=False))(condition)[0] is False
