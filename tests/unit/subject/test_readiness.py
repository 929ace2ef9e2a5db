"""Readiness as seen on the consumer group."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.history import InstanceReady, Recorder, read_history
from eoscheck.subject import SubjectSpec, one_app
from eoscheck.subject.readiness import wait_ready


class Member:
    def __init__(self, *numbers: int) -> None:
        self.partitions = {"in": list(numbers)} if numbers else {}


class FakeView:
    """A topic of four partitions, and a group that goes from answer to answer."""

    def __init__(self, *answers: list[Member], rebalancing: int = 0) -> None:
        self.answers = list(answers)
        self.rebalancing = rebalancing
        self.looks = 0

    def group_state(self, group: str) -> str:
        self.rebalancing -= 1
        return "stable" if self.rebalancing < 0 else "preparing_rebalancing"

    def partitions(self, topic: str) -> list[int]:
        assert topic == "in"
        return [0, 1, 2, 3]

    def group_members(self, group: str) -> list[Member]:
        assert group == "g"
        self.looks += 1
        if self.looks == 1:
            raise UsageError("no such consumer group 'g'")  # as it is before anybody joins
        return self.answers[min(self.looks - 1, len(self.answers)) - 1]


def wait(view: FakeView, folder: Path, *, group: str | None = "g", **more: Any) -> list[str]:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    with Recorder(folder) as recorder:
        wait_ready(
            one_app(SubjectSpec(command=["app"], instances=2, group=group), input="in"),
            view=view,  # type: ignore[arg-type]
            timeout_s=3.0,
            recorder=recorder,
            clock=lambda: now[0],
            sleep=sleep,
            **({"check": lambda: None} | more),
        )
    return [event.evidence for event in read_history(folder) if isinstance(event, InstanceReady)]


def test_it_is_ready_when_each_instance_is_a_member_and_every_partition_is_assigned(
    tmp_path: Path,
) -> None:
    view = FakeView(
        [Member(0, 1, 2, 3)],  # one instance has it all: the other is still to come
        [Member(0, 1), Member()],
        [Member(0, 1), Member(2, 3)],
    )
    evidence = wait(view, tmp_path)
    assert view.looks == 4
    assert len(evidence) == 2
    assert "4 of the 4 partitions" in evidence[0]


def test_more_instances_than_partitions_need_no_partition_each(tmp_path: Path) -> None:
    assert len(wait(FakeView([Member(0, 1, 2, 3), Member()]), tmp_path)) == 2


def test_what_a_rebalancing_group_says_is_not_believed(tmp_path: Path) -> None:
    # The first member is still told with all partitions while the second joins.
    view = FakeView([Member(0, 1, 2, 3), Member()], rebalancing=3)
    wait(view, tmp_path)
    assert view.rebalancing == -1


def test_a_question_that_is_not_answered_is_asked_again(tmp_path: Path) -> None:
    class Moving(FakeView):
        def group_members(self, group: str) -> list[Member]:
            self.looks += 1
            if self.looks < 3:
                raise InfrastructureError("the coordinator moves")
            return [Member(0, 1), Member(2, 3)]

    assert len(wait(Moving(), tmp_path / "in-time")) == 2
    silent = Moving()
    silent.looks = -1000
    with pytest.raises(InfrastructureError, match="not ready after 3 s: the coordinator moves"):
        wait(silent, tmp_path / "never")


def test_a_time_out_says_what_was_still_missing(tmp_path: Path) -> None:
    with pytest.raises(
        InfrastructureError,
        match=r"after 3 s: group g is stable with 1 members for 2 instances, and 2 of",
    ):
        wait(FakeView([Member(0, 1)]), tmp_path)


def test_an_instance_that_ends_is_noticed_before_the_time_out(tmp_path: Path) -> None:
    view = FakeView([])

    def check() -> None:
        if view.looks == 2:
            raise InfrastructureError("instance 0 exited")

    with pytest.raises(InfrastructureError, match="instance 0 exited"):
        wait(view, tmp_path, check=check)
    assert view.looks == 2


def test_without_a_group_running_processes_are_all_that_is_claimed(tmp_path: Path) -> None:
    evidence = wait(FakeView([]), tmp_path, group=None)
    assert len(evidence) == 2
    assert "nothing more can be seen" in evidence[0]
