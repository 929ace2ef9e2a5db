"""What users draw can be run."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

from eoscheck.errors import UsageError
from eoscheck.explore.search.schedule import check_fits
from eoscheck.explore.search.space import family_of
from eoscheck.load.spec import LoadSpec
from eoscheck.strategies import Schedule, faults, loads, schedules

few = settings(max_examples=25, suppress_health_check=list(HealthCheck))


@few
@given(
    st.sampled_from([["process"], ["wire"], ["kill", "network"]]).flatmap(
        lambda only: schedules(only=only, instances=3, session_timeout="6s")
    )
)
def test_every_schedule_can_be_planned(schedule: Schedule) -> None:
    check_fits(schedule, instances=3, session_timeout_s=6.0)


@few
@given(faults(only=["wire"], steps=["AddOffsetsToTxn"], session_timeout="6s"))
def test_faults_strike_where_they_are_told_to(drawn: list[dict[str, Any]]) -> None:
    assert {family_of(table["kind"]) for table in drawn} == {"wire"}
    assert {table["step"] for table in drawn} == {"AddOffsetsToTxn"}
    assert "hold" not in {table["kind"] for table in drawn}, "no app can help it"


@few
@given(faults(only=["kill", "crash-after"]))
def test_what_keeps_no_state_has_none_wiped(drawn: list[dict[str, Any]]) -> None:
    assert not any("wipe" in table for table in drawn)


@pytest.mark.thorough
def test_what_keeps_state_may_lose_it() -> None:
    drawn = schedules(only=["kill"], stateful=True)
    find(drawn, lambda schedule: any("wipe" in table for table in schedule.faults))


@few
@given(loads())
def test_every_load_can_be_sent(table: dict[str, Any]) -> None:
    LoadSpec(topic="t", **table)


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"only": ["proces"]}, "no kind of fault and no family 'proces' .did you mean 'process'"),
        ({"only": []}, "name kinds or families"),
        ({"instances": 0}, "instances must be at least 1"),
        ({"steps": ["EndTxn(comit)"]}, "there is no step"),
        ({"session_timeout": "soon"}, "session_timeout"),
    ],
)
def test_what_cannot_be_drawn_is_refused(said: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        schedules(**said)
