"""Hazards that a subject's requests show, with no fault at all."""

from __future__ import annotations

from typing import Any

import pytest

from eoscheck.audit.checks.wire import check_wire
from eoscheck.audit.findings import Guarantee, HazardCode
from eoscheck.wire import Exchange, Request

GROUP = "app"
HEALTHY: dict[str, Any] = {
    "Heartbeat": {"api_version": 4},
    "OffsetFetch": {"api_version": 7, "requires_stable": True},
    "TxnOffsetCommit": {"api_version": 3, "member_id": "m-1", "generation": 4},
}


def asked(api: str, *, instance: int = 0, **keys: Any) -> Exchange:
    usual = {"client_id": "app-0", "group": GROUP} | HEALTHY.get(api, {"api_version": 1})
    return Exchange(
        sent=1.0,
        answered=1.1,
        instance=instance,
        broker=1,
        connection=1,
        steps=(api,),
        request=Request(api=api, api_key=0, correlation_id=1, size=9, **(usual | keys)),
        outcome="answered",
    )


def found(*trace: Exchange, **keys: Any) -> list[HazardCode]:
    usual: dict[str, Any] = {"group": GROUP, "expect": Guarantee.EXACTLY_ONCE}
    return [hazard.code for hazard in check_wire(trace, **(usual | keys))]


def test_a_healthy_app_shows_none() -> None:
    assert found(*(asked(api) for api in HEALTHY)) == []


@pytest.mark.parametrize(
    "keys",
    [
        {"member_id": "", "generation": -1},
        {"member_id": "m-1", "generation": -1},
        {"member_id": None, "generation": None, "api_version": 2},
    ],
)
def test_offsets_sent_without_a_member_are_not_fenced(keys: dict[str, Any]) -> None:
    assert found(asked("TxnOffsetCommit"), asked("TxnOffsetCommit", **keys)) == [
        HazardCode.UNFENCED_OFFSETS
    ]


def test_it_says_how_many_and_shows_the_first() -> None:
    bare = asked("TxnOffsetCommit", instance=1, member_id=None, generation=None, api_version=2)
    (hazard,) = check_wire(
        [asked("TxnOffsetCommit"), bare, bare], group=GROUP, expect=Guarantee.EXACTLY_ONCE
    )
    assert hazard.detail.startswith(
        "2 of 3 TxnOffsetCommit for 'app' were sent in version 2, which has no member id"
    )
    assert hazard.facts["first"] == "TxnOffsetCommit v2 of instance 1 at 1.000 s"


@pytest.mark.parametrize(("requires", "version"), [(False, 7), (None, 5)])
def test_a_member_that_reads_unstable_offsets(requires: bool | None, version: int) -> None:
    read = asked("OffsetFetch", requires_stable=requires, api_version=version)
    assert found(asked("Heartbeat"), read) == [HazardCode.UNSTABLE_READ]


def test_who_is_no_member_may_read_offsets_as_it_likes() -> None:
    read = asked("OffsetFetch", requires_stable=False, client_id="admin")
    elsewhere = asked("OffsetFetch", requires_stable=False, instance=1)
    assert found(asked("Heartbeat"), read, elsewhere) == []


def test_offsets_beside_the_transactions_unless_the_audit_found_them_already() -> None:
    trace = [asked("TxnOffsetCommit"), asked("OffsetCommit")]
    assert found(*trace) == [HazardCode.OFFSETS_OUTSIDE_TRANSACTION]
    assert found(*trace, known={HazardCode.OFFSETS_OUTSIDE_TRANSACTION}) == []
    assert found(asked("OffsetCommit")) == []  # no transactions at all


def test_other_groups_and_weaker_guarantees_are_not_judged() -> None:
    bare = asked("TxnOffsetCommit", member_id="", generation=-1)
    assert found(bare, group="other") == []
    assert found(bare, group=None) == []
    assert found(bare, expect=Guarantee.AT_LEAST_ONCE) == []
