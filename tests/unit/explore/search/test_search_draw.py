"""What is drawn: every kind that can be explored, valid, and such that it can be planned."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eoscheck.errors import UsageError
from eoscheck.explore.search.draw import FEWEST_FAULTS, MOST_FAULTS, schedules
from eoscheck.explore.search.schedule import (
    Schedule,
    check_fits,
    decode,
    in_words,
    length_s,
    tables_of,
)
from eoscheck.explore.search.space import (
    FAMILIES,
    NOT_UNASKED,
    Space,
    example,
    family_of,
    find_space,
)
from eoscheck.faults.kinds import KINDS
from eoscheck.load.spec import LoadSpec
from eoscheck.run.scenario import Scenario, load_scenario

STEPS = {"EndTxn(commit)": 60, "Produce(output)": 80, "JoinGroup": 2, "InitProducerId": 2}
NOT_EXPLORED = {"broker disk", "broker network", "partition"}
"""Families that want clusters of their own kind; scenarios of the catalogue do them."""

EVERYTHING = Space(
    kinds=tuple(kind for kind in KINDS if family_of(kind) in FAMILIES),
    instances=2,
    session_s=2.0,
    load=LoadSpec(topic="in", transaction_size=50, abort_ratio=0.05),
    knows_members=True,
    steps=STEPS,
)


def test_every_family_of_faults_is_explored_or_known_not_to_be() -> None:
    assert {family_of(kind) for kind in KINDS} == {*FAMILIES, *NOT_EXPLORED}


@pytest.mark.thorough
@pytest.mark.parametrize("kind", EVERYTHING.kinds)
def test_each_kind_is_drawn_valid_and_fits_into_its_run(kind: str) -> None:
    @settings(max_examples=10, database=None, derandomize=True)
    @given(schedules(replace(EVERYTHING, kinds=(kind,))))
    def each(schedule: Schedule) -> None:
        assert FEWEST_FAULTS <= len(schedule.faults) <= MOST_FAULTS
        assert kind in schedule.kinds
        check_fits(schedule, instances=2, session_timeout_s=2.0)
        assert decode(schedule.key) == schedule
        assert len(in_words(schedule)) >= len(schedule.faults)

    each()


@settings(
    max_examples=40,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(schedules(EVERYTHING), st.randoms())
def test_each_part_of_a_schedule_fits_where_the_whole_does(
    schedule: Schedule, chance: random.Random
) -> None:
    check_fits(schedule, instances=2, session_timeout_s=2.0)
    part = schedule.only([fault for fault in schedule.faults if chance.random() < 0.5])
    check_fits(part, instances=2, session_timeout_s=2.0)
    kept = [each for each in tables_of(part) if each in tables_of(schedule)]
    assert len(kept) == len(part.faults)
    assert length_s(part, instances=2) <= length_s(schedule, instances=2)


@pytest.mark.parametrize(("kind", "aside"), [("drop-request", 0), ("crash-after", 1)])
def test_at_a_step_of_a_start_an_instance_is_made_to_start(kind: str, aside: int) -> None:
    """One that is to crash cannot be restarted meanwhile: then the other one is."""
    space = replace(EVERYTHING, kinds=(kind, "restart"), steps={"JoinGroup": 2})

    @settings(max_examples=30, database=None, derandomize=True)
    @given(schedules(space))
    def each(schedule: Schedule) -> None:
        for number, fault in enumerate(schedule.faults[: MOST_FAULTS - 1]):
            if fault["kind"] == kind:
                start = schedule.faults[number + 1]
                assert start["kind"] == "restart"
                assert start["target"] == (fault["target"] + aside) % 2
                assert "nth" not in fault

    each()


def test_no_crash_waits_for_a_step_that_only_its_own_start_has() -> None:
    space = replace(EVERYTHING, kinds=("crash-before",))

    @settings(max_examples=50, database=None, derandomize=True)
    @given(schedules(space))
    def each(schedule: Schedule) -> None:
        assert "InitProducerId" not in {fault["step"] for fault in schedule.faults}

    each()


def scenario(*overrides: str) -> Scenario:
    return load_scenario("explore-base", overrides=overrides)


def test_the_space_is_what_the_scenario_and_its_cluster_allow() -> None:
    space, left_out = find_space(scenario())
    assert (space.instances, space.session_s) == (2, 2.0)
    assert {"kill", "pause", "state-wipe", "crash-before"} <= set(space.kinds)
    assert "cluster.brokers = 3" in left_out["broker-kill"]
    assert not set(space.kinds) & set(left_out)
    three, _ = find_space(scenario("cluster.brokers=3"))
    assert "broker-kill" in three.kinds


def test_what_only_shows_faults_of_the_protocol_is_explored_where_it_is_named() -> None:
    space, left_out = find_space(scenario())
    assert left_out["hold"] == NOT_UNASKED["hold"]
    assert "hold" not in space.kinds
    named, _ = find_space(scenario(), only=["hold"])
    assert named.kinds == ("hold",)


def test_only_takes_kinds_and_families_and_names_the_nearest() -> None:
    space, _ = find_space(scenario(), only=["kill", "identity"])
    assert set(space.kinds) == {"kill", "twin", "zombie"}
    with pytest.raises(UsageError, match=r"--only kil: .*did you mean 'kill'"):
        find_space(scenario(), only=["kil"])
    with pytest.raises(UsageError, match=r"no fault can be done here: .*cluster.brokers = 3"):
        find_space(scenario(), only=["broker"])


def test_a_subject_of_which_no_step_was_seen_has_nothing_done_to_it_on_the_wire() -> None:
    space, _ = find_space(scenario(), only=["kill", "wire"])
    assert space.with_steps({}).kinds == ("kill",)
    assert "crash-before" in space.with_steps({"EndTxn(commit)": 60}).kinds


@pytest.mark.parametrize("kind", EVERYTHING.kinds)
def test_there_is_an_example_of_each_kind(kind: str) -> None:
    assert example(kind).kind == kind
