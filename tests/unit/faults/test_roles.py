"""Faults of a subject that is several apps: each hits its own, or any."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from eoscheck.errors import UsageError
from eoscheck.faults import Scene, Targets, plan
from eoscheck.faults.kinds import FaultSpec, action_for
from eoscheck.faults.spec import FaultTable, PlannedFault
from eoscheck.subject import RoleSpec
from eoscheck.subject.role import pipeline
from tests.unit.faults.tables import OneApp

TARGETS = [
    Targets(role="settle", instances=range(2), session_timeout_s=2.0),
    Targets(role="bill", instances=range(2, 5), session_timeout_s=10.0),
]


def decoded(kind: str, **keys: Any) -> FaultTable:
    return msgspec.convert({"kind": kind, **keys}, FaultSpec)  # type: ignore[arg-type]


def planned(*tables: FaultTable, seed: int = 1) -> list[PlannedFault]:
    return plan(tables, seed=seed, targets=TARGETS, duration_s=200.0)


def test_a_fault_of_a_role_hits_its_instances_alone_and_one_of_no_role_hits_any() -> None:
    own = planned(decoded("kill", role="bill", count=20))
    assert {fault.instance for fault in own} == {2, 3, 4}
    any_of_them = planned(decoded("kill", count=40))
    assert {fault.instance for fault in any_of_them} == set(range(5))


def test_what_outlasts_a_session_outlasts_that_of_whom_it_hits() -> None:
    long = planned(decoded("kill", role="settle", count=4, outlast_session=1.0))
    assert all(2.0 < fault.down_s < 10.0 and fault.outlasts_session for fault in long)
    five = planned(decoded("kill", count=30, down="5s"))
    assert {fault.outlasts_session for fault in five if fault.instance in (0, 1)} == {True}
    assert {fault.outlasts_session for fault in five if fault.instance in (2, 3, 4)} == {False}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (decoded("kill", role="setle"), "no role 'setle' (did you mean 'settle'?); it has settle"),
        (decoded("kill", role="settle", target=2), "target 2 is no instance that it may hit"),
        (decoded("zombie", down="6s"), "longer than the session time-out of 10 s"),
    ],
)
def test_what_contradicts_the_roles_is_refused(table: FaultTable, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        planned(table)
    assert message in str(refused.value)


def test_a_subject_of_one_app_has_no_roles() -> None:
    alone = [Targets(instances=range(2), session_timeout_s=6.0)]
    with pytest.raises(UsageError, match=r"it has one app, \[subject\]: say no role"):
        plan([decoded("kill", role="settle")], seed=1, targets=alone, duration_s=60.0)


def test_what_hits_all_of_a_role_leaves_the_others_to_other_faults() -> None:
    (rolling,) = planned(decoded("rolling", role="settle"))
    assert rolling.lanes == {"instances", "instance 0", "instance 1"}


def test_a_fault_of_a_broker_has_no_role() -> None:
    with pytest.raises(msgspec.ValidationError, match="role"):
        decoded("broker-kill", role="settle")


class TwoApps(OneApp):
    def __init__(self) -> None:
        self.log: list[str] = []
        self.wiped_files = 1

    @property
    def roles(self) -> Any:
        apps = {
            "settle": RoleSpec(command=["app"], instances=2, output="x"),
            "bill": RoleSpec(command=["app"], instances=3, group="bills"),
        }
        return pipeline(apps, input="in", output="out")

    def role_of(self, instance: int) -> Any:
        return next(role for role in self.roles if instance in role)

    def called(self, instance: int) -> str:
        return str(self.role_of(instance).words(instance))

    def __getattr__(self, name: str) -> Any:
        def done(instance: int) -> dict[str, Any]:
            self.log.append(f"{name} {instance}")
            return {"pid": 1}

        return done


def action(table: FaultTable, **scene: Any) -> tuple[Any, TwoApps]:
    subject = TwoApps()
    fault = PlannedFault(fault_id="f", table=table, at_s=0.0, lanes=frozenset())
    whole: Any = {"subject": subject, **scene}
    return action_for(fault, Scene(**whole)), subject


def test_a_rolling_restart_of_a_role_leaves_the_others_alone() -> None:
    rolling, subject = action(decoded("rolling", role="bill"))
    assert rolling.target == "every instance of bill, one after the other"
    rolling.strike()
    assert {line.split()[1] for line in subject.log} == {"2", "3", "4"}


def test_one_more_of_a_role_is_its_own_spare() -> None:
    more, subject = action(decoded("scale-out", role="bill"))
    assert more.target == "instance 6 (bill), one more"
    more.strike()
    assert subject.log[0] == "start 6"


def test_a_rule_on_the_wire_for_all_of_a_role_meets_only_them() -> None:
    rules: list[Any] = []

    def arm(rule: Any) -> Any:
        rules.append(rule)
        return SimpleNamespace(wait=lambda **_: SimpleNamespace(t=0.0, instance=3, step="x"))

    lost, _ = action(
        decoded("drop-request", step="EndTxn", target="all", role="bill"),
        wire=SimpleNamespace(arm=arm),
        witness=object(),
    )
    assert lost.target == "any instance of bill at EndTxn"
    lost.wait_struck(timeout_s=1.0, stop=lambda: False)
    assert rules[0].among == {2, 3, 4, 6}
