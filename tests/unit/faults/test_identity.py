"""Twins and zombies: what proves that they were ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eoscheck.errors import InfrastructureError
from eoscheck.faults import identity
from tests.unit.faults.family_bench import FakeCluster, FakeSubject, planned, scene


class FakeTwin:
    pid = 99

    def __init__(self, subject: Doubled) -> None:
        self._subject = subject

    def raise_if_ended(self) -> None:
        self._subject.looks += 1
        if self._subject.looks == 3:
            if self._subject.ends:
                raise InfrastructureError("the twin ended by itself with code 2")
            self._subject.cluster.members.append("b-twin")

    def end(self) -> dict[str, Any]:
        self._subject.log.append("end")
        return {"twin_ran_s": 5.0}


class Doubled(FakeSubject):
    """Its twin is seen in the group, or ends, at the third look."""

    def __init__(
        self, cluster: FakeCluster, *, ends: bool = False, group: str | None = "g"
    ) -> None:
        super().__init__(Path(), group=group)
        self.cluster = cluster
        self.ends = ends
        self.looks = 0

    def start_twin(self, instance: int, *, state: str) -> FakeTwin:
        self.log.append(f"twin {instance} {state}")
        return FakeTwin(self)


@pytest.fixture
def cluster() -> FakeCluster:
    cluster = FakeCluster()
    cluster.members = ["a", "b"]
    cluster.open = ["id-a", "id-b"]
    return cluster


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "_POLL_S", 0.0)


def test_a_twin_is_one_once_the_group_has_seen_it(cluster: FakeCluster) -> None:
    subject = Doubled(cluster)
    action = identity.action(planned(identity.TwinFault()), scene(subject, cluster))
    evidence = action.strike()
    assert evidence["members_new"] == ["b-twin"]
    assert evidence["members_before"] == ["a", "b"]
    assert subject.looks == 3
    assert action.heal() == {"twin_ran_s": 5.0}
    assert subject.log == ["twin 1 copy", "end", "heal"]


def test_a_twin_that_ends_before_it_is_seen_was_none_and_is_cleared_away(
    cluster: FakeCluster,
) -> None:
    subject = Doubled(cluster, ends=True)
    action = identity.action(planned(identity.TwinFault()), scene(subject, cluster))
    with pytest.raises(InfrastructureError, match="ended by itself with code 2"):
        action.strike()
    action.heal()
    assert subject.log[1:] == ["end", "heal"]


def test_a_twin_that_nobody_sees_was_none(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "SEEN_TIMEOUT_S", 0.0)
    action = identity.action(planned(identity.TwinFault()), scene(Doubled(cluster), cluster))
    with pytest.raises(InfrastructureError, match="did not join the group within 0 s"):
        action.strike()


def test_without_a_group_it_is_enough_that_the_twin_was_started(cluster: FakeCluster) -> None:
    subject = Doubled(cluster, group=None)
    action = identity.action(planned(identity.TwinFault(state="fresh")), scene(subject, cluster))
    assert action.strike() == {"twin_pid": 99}
    assert subject.log == ["twin 1 fresh"]


def zombie(cluster: FakeCluster) -> tuple[FakeSubject, Any]:
    subject = FakeSubject(Path())
    return subject, identity.action(planned(identity.Zombie()), scene(subject, cluster))


def test_a_zombie_has_lost_its_place_and_its_transaction(cluster: FakeCluster) -> None:
    subject, action = zombie(cluster)
    assert action.strike()["open_when_paused"] == ["id-a", "id-b"]
    cluster.members, cluster.open = ["a"], ["id-c"]
    assert action.heal() == {"members_gone": ["b"]}
    assert action.heal() == {}, "once is enough"
    assert subject.log == ["pause", "heal", "heal"]


def test_who_is_woken_within_its_transaction_is_no_zombie(cluster: FakeCluster) -> None:
    subject, action = zombie(cluster)
    action.strike()
    cluster.members, cluster.open = ["a"], ["id-b"]
    with pytest.raises(InfrastructureError, match=r"\(id-b\): make `down` longer than the trans"):
        action.heal()
    assert subject.log == ["pause", "heal"], "it was woken all the same"


def test_who_is_woken_within_its_session_is_no_zombie(cluster: FakeCluster) -> None:
    subject, action = zombie(cluster)
    action.strike()
    cluster.open = []
    with pytest.raises(InfrastructureError, match="before it had lost its place in the group"):
        action.heal()
    assert subject.log == ["pause", "heal"]
