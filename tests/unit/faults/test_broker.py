"""Faults of brokers: whom they strike, that they bit, and that all run again."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import pytest

from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.faults import broker, broker_disk
from eoscheck.faults.broker import (
    BrokerFault,
    BrokerKill,
    BrokerPause,
    BrokerRestart,
    BrokerRolling,
    BrokerStop,
)
from eoscheck.faults.broker_disk import BrokerDiskFull
from eoscheck.faults.broker_target import Target, check_target, find_target
from eoscheck.faults.kinds import action_for, needs_of
from eoscheck.faults.plan import plan
from eoscheck.faults.spec import FaultTable, PlannedFault
from eoscheck.subject import SubjectSpec, one_app
from tests.unit.faults.tables import app


class FakeBrokers:
    """Notes what is done to them. `stubborn`: nothing does them any harm."""

    def __init__(self, *, stubborn: bool = False) -> None:
        self.ids = (1, 2, 3)
        self.disks_may_be_filled = True
        self.down: set[int] = set()
        self.log: list[tuple[str, int]] = []
        self._stubborn = stubborn

    def is_up(self, broker: int) -> bool:
        return broker not in self.down

    def kill(self, broker: int) -> dict[str, Any]:
        return self._harm("kill", broker)

    def stop(self, broker: int) -> dict[str, Any]:
        return self._harm("stop", broker)

    def pause(self, broker: int) -> dict[str, Any]:
        return self._harm("pause", broker)

    def fill_disk(self, broker: int) -> dict[str, Any]:
        return self._harm("fill", broker)

    def start(self, broker: int) -> dict[str, Any]:
        self.log.append(("start", broker))
        self.down.discard(broker)
        return {"pid": 2}

    def heal(self, broker: int) -> dict[str, Any]:
        self.log.append(("heal", broker))
        self.down.discard(broker)
        return {}

    def wait_ready(self, broker: int, *, timeout_s: float) -> None:
        assert broker not in self.down, "nobody has started it"
        self.log.append(("ready", broker))

    def _harm(self, how: str, broker: int) -> dict[str, Any]:
        self.log.append((how, broker))
        if not self._stubborn:
            self.down.add(broker)
        return {"done": how}


class FakeRoles:
    """Who has which part changes with each question."""

    def __init__(self, *, behind: list[list[str]] | None = None) -> None:
        self.now = 2
        self._behind = behind or []
        self.asked_behind = 0

    def controller(self) -> int:
        return self.now

    def leader(self, topic: str, partition: int) -> int:
        assert (topic, partition) == ("in.put-1", 12)
        return self.now

    def group_coordinator(self, group: str) -> int:
        assert group == "billing"
        return self.now

    def transaction_coordinator(self, transactional_id: str) -> int:
        assert transactional_id == "app-0:1"
        return self.now

    def transaction_coordinators(self) -> dict[str, int]:
        return {"a": 1, "b": 2, "c": 3}

    def behind(self) -> list[str]:
        self.asked_behind += 1
        return self._behind.pop(0) if self._behind else []


def scene(
    brokers: FakeBrokers | None, roles: FakeRoles | None = None, *, group: str | None = "billing"
) -> Any:
    subject = SimpleNamespace(roles=[one_app(SubjectSpec(command=["app"], group=group))])
    return SimpleNamespace(brokers=brokers, roles=roles or FakeRoles(), subject=subject)


def table(kind: type[Any], **keys: Any) -> Any:
    return kind(at="1s", **keys)


def planned(made: FaultTable, *, seed: int = 1) -> PlannedFault:
    return PlannedFault(
        fault_id="f-1", table=made, at_s=1.0, lanes=frozenset({"brokers"}), seed=seed
    )


def found(wanted: str | int, where: Any, *, seed: int) -> Target:
    return find_target(wanted, scene=where, chance=random.Random(seed))


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        ("controller", "controller"),
        ("leader:in.put-1/12", "leader of in.put-1/12"),
        ("group-coordinator", "coordinator of group billing"),
        ("transaction-coordinator:app-0:1", "coordinator of transactional id app-0:1"),
        (2, ""),
    ],
)
def test_the_part_is_looked_up_when_it_strikes(wanted: str | int, part: str) -> None:
    brokers, roles = FakeBrokers(), FakeRoles()
    roles.now = 1
    action = broker.action(planned(table(BrokerKill, broker=wanted)), scene(brokers, roles))
    assert action.target == f"broker ({wanted})"
    roles.now = 2  # it has moved since
    assert action.strike() == {"broker": 2, "done": "kill"}
    assert action.target == ("broker 2" if not part else f"broker 2 ({part})")
    assert brokers.log == [("kill", 2)]


def test_the_seed_chooses_among_several() -> None:
    for wanted in ("any", "transaction-coordinator"):
        chosen = [found(wanted, scene(FakeBrokers()), seed=seed).broker for seed in range(30)]
        assert set(chosen) == {1, 2, 3}
        again = [found(wanted, scene(FakeBrokers()), seed=seed).broker for seed in range(30)]
        assert again == chosen


def test_any_is_one_that_is_up() -> None:
    brokers = FakeBrokers()
    brokers.down = {1, 3}
    assert {found("any", scene(brokers), seed=n).broker for n in range(20)} == {2}
    brokers.down = {1, 2, 3}
    with pytest.raises(InfrastructureError, match="no broker is up"):
        found("any", scene(brokers), seed=1)


@pytest.mark.parametrize(
    "wanted",
    ["leader", "leader:topic", "leader:topic/x", "transaction-coordinator:", "4711", "", 0, -1],
)
def test_a_broker_that_cannot_be_meant_is_refused(wanted: str | int) -> None:
    with pytest.raises(UsageError, match=r"faults\.broker .* is none of: any, controller, leader:"):
        check_target(wanted)
    with pytest.raises(UsageError, match="is none of"):
        table(BrokerPause, broker=wanted)


def test_what_is_not_there_is_one_line() -> None:
    with pytest.raises(InfrastructureError, match="no broker 7: there are 1, 2, 3"):
        found(7, scene(FakeBrokers()), seed=1)
    with pytest.raises(InfrastructureError, match=r"set subject\.group"):
        find_target(
            "group-coordinator", scene=scene(FakeBrokers(), group=None), chance=random.Random(1)
        )
    with pytest.raises(UsageError, match="need a cluster of our own"):
        broker.action(planned(table(BrokerKill)), scene(None))


@pytest.mark.parametrize(
    ("kind", "how"), [(BrokerKill, "kill"), (BrokerPause, "pause"), (BrokerStop, "stop")]
)
def test_what_was_done_is_undone_by_the_heal_alone(kind: type[BrokerFault], how: str) -> None:
    brokers = FakeBrokers()
    action = broker.action(planned(table(kind, broker=3)), scene(brokers))
    assert action.strike()["done"] == how
    assert brokers.down == {3}
    assert "ready_after_s" in action.heal()
    action.heal()
    assert brokers.down == set()
    assert brokers.log == [(how, 3), *[("heal", 3), ("ready", 3)] * 2]


@pytest.mark.parametrize("kind", [BrokerKill, BrokerPause, BrokerStop])
def test_a_broker_that_works_on_was_not_struck(kind: type[BrokerFault]) -> None:
    action = broker.action(planned(table(kind, broker=3)), scene(FakeBrokers(stubborn=True)))
    with pytest.raises(InfrastructureError, match="broker 3 is at work as if nothing"):
        action.strike()


def test_nothing_is_healed_where_nobody_was_found() -> None:
    brokers = FakeBrokers()
    action = broker.action(planned(table(BrokerKill, broker=7)), scene(brokers))
    with pytest.raises(InfrastructureError, match="no broker 7"):
        action.strike()
    assert action.heal() == {}
    assert brokers.log == []


def test_a_restart_is_a_stop_and_a_start_at_once() -> None:
    brokers = FakeBrokers()
    action = broker.action(planned(table(BrokerRestart, broker=1)), scene(brokers))
    assert action.strike() == {"broker": 1, "stopped": {"done": "stop"}, "started": {"pid": 2}}
    assert brokers.log == [("stop", 1), ("start", 1)]
    action.heal()
    assert brokers.log[2:] == [("heal", 1), ("ready", 1)]


def test_the_next_of_a_rolling_restart_waits_for_the_last() -> None:
    brokers, roles = FakeBrokers(), FakeRoles(behind=[["t/0"], []])
    action = broker.action(planned(table(BrokerRolling)), scene(brokers, roles))
    evidence = action.strike()
    assert [each["broker"] for each in evidence["restarted"]] == [1, 2, 3]
    each_round = [[(what, number) for what in ("stop", "start", "ready")] for number in (1, 2, 3)]
    assert brokers.log == [step for steps in each_round for step in steps]
    assert roles.asked_behind == 4  # once more, while t/0 lacked a replica


def test_a_rolling_restart_that_leaves_replicas_behind_ends_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(broker, "_IN_SYNC_S", 0.05)
    monkeypatch.setattr(broker, "_LOOK_EVERY_S", 0.01)
    brokers, roles = FakeBrokers(), FakeRoles(behind=[["t/0", "t/1"]] * 1000)
    action = broker.action(planned(table(BrokerRolling)), scene(brokers, roles))
    with pytest.raises(InfrastructureError, match=r"2 partitions still lack a replica .*t/0, t/1"):
        action.strike()
    assert ("stop", 2) not in brokers.log
    action.heal()
    assert brokers.log[-1] == ("ready", 3)


def test_a_full_disk_has_bitten_when_the_broker_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    brokers = FakeBrokers()
    action = broker_disk.action(planned(table(BrokerDiskFull, broker=2)), scene(brokers))
    assert action.strike() == {"broker": 2, "done": "fill", "ended": True}
    action.heal()
    assert brokers.log == [("fill", 2), ("heal", 2), ("ready", 2)]
    monkeypatch.setattr(broker_disk, "_NOTICE_S", 0.05)
    unharmed = broker_disk.action(
        planned(table(BrokerDiskFull, broker=2)), scene(FakeBrokers(stubborn=True))
    )
    with pytest.raises(InfrastructureError, match="broker 2 wrote nothing to its full disk"):
        unharmed.strike()


def test_a_disk_that_is_no_small_one_is_refused_before_the_run() -> None:
    brokers = FakeBrokers()
    brokers.disks_may_be_filled = False
    with pytest.raises(UsageError, match=r"set cluster\.data_size_mb = 128"):
        broker_disk.action(planned(table(BrokerDiskFull)), scene(brokers))


def test_brokers_are_hit_one_at_a_time() -> None:
    tables = [table(BrokerKill, down="3s"), table(BrokerRolling), BrokerPause(at="1500ms")]
    made = plan(tables, seed=1, targets=app(2, session_timeout_s=1.0), duration_s=60.0)
    assert {each.lanes for each in made} == {frozenset({"brokers"})}
    assert made[1].at_s >= made[0].at_s + 3.0
    assert [each.instance for each in made] == [None] * 3


def test_every_kind_of_a_scenario_finds_its_family() -> None:
    for kind in (BrokerKill, BrokerRolling, BrokerDiskFull):
        action = action_for(planned(table(kind)), scene(FakeBrokers()))
        assert action.target.startswith(("broker", "all brokers"))
    assert needs_of([table(BrokerKill)]) == {"brokers"}
