"""The plan: exact numbers, no instance hit while it is down, and the same for the same seed."""

from __future__ import annotations

import itertools
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from eoscheck.errors import UsageError
from eoscheck.faults import PlannedFault, plan
from eoscheck.faults.plan import SETTLE_S
from eoscheck.faults.spec import OUTLAST, InstanceFault
from tests.unit.faults.tables import app, table


def planned(*specs: InstanceFault, **changes: Any) -> list[PlannedFault]:
    instances = changes.pop("instances", 2)
    session_timeout_s = changes.pop("session_timeout_s", 2.0)
    arguments = {"seed": 1, "duration_s": 60.0} | changes
    return plan(specs, targets=app(instances, session_timeout_s=session_timeout_s), **arguments)


TEN_KILLS = table("kill", count=10, down=("400ms", "700ms"), outlast_session=0.34, wipe=1)


def test_the_demo_s_schedule_fits_in_its_twenty_seconds_for_any_seed() -> None:
    for seed in range(200):
        faults = planned(TEN_KILLS, seed=seed, duration_s=20.0, session_timeout_s=1.5)
        assert len(faults) == 10
        assert faults[-1].at_s <= 20.0


def test_a_third_of_ten_is_four_and_the_others_stay_below_the_session_timeout() -> None:
    faults = planned(TEN_KILLS)
    long = [fault for fault in faults if fault.outlasts_session]
    assert len(long) == 4
    assert all(2.0 * OUTLAST[0] <= fault.down_s <= 2.0 * OUTLAST[1] for fault in long)
    assert all(0.4 <= fault.down_s <= 0.7 for fault in faults if not fault.outlasts_session)
    assert sum(fault.wipe for fault in faults) == 1


def test_waiting_for_a_transaction_does_not_change_the_schedule() -> None:
    with_wait = msgspec.structs.replace(TEN_KILLS, open_transaction=True)
    assert [msgspec.structs.replace(f, table=TEN_KILLS) for f in planned(with_wait)] == (
        planned(TEN_KILLS)
    )


def test_faults_by_count_are_spread_over_the_phase() -> None:
    faults = planned(table("kill", count=10), duration_s=100.0)
    for quarter in range(4):
        assert any(quarter * 25 <= fault.at_s < (quarter + 1) * 25 for fault in faults)


def test_every_with_jitter_stays_near_its_beat() -> None:
    faults = planned(table("kill", every="5s", jitter="1s", down="100ms"), duration_s=31.0)
    assert len(faults) == 6
    for turn, fault in enumerate(faults, start=1):
        assert abs(fault.at_s - 5 * turn) <= 1.0
    assert any(abs(fault.at_s - 5 * turn) > 0.01 for turn, fault in enumerate(faults, start=1))


def test_a_tight_plan_begins_earlier_rather_than_ending_late() -> None:
    tables = [
        table("kill", down="0s"),
        table("kill", count=3, down="0s", outlast_session=1.0),
        table("kill", down="0s", outlast_session=1.0),
    ]
    for seed in range(500):
        assert planned(*tables, seed=seed, instances=1, duration_s=18.0)[-1].at_s <= 18.0


def test_a_restart_is_up_again_at_once() -> None:
    assert {fault.down_s for fault in planned(table("restart", count=3))} == {0.0}


def test_a_fixed_target_takes_them_all_and_random_ones_meet_every_instance() -> None:
    assert {fault.instance for fault in planned(table("kill", count=8, target=1))} == {1}
    assert {fault.instance for fault in planned(table("kill", count=8))} == {0, 1}


def test_a_down_time_above_the_session_timeout_outlasts_it_without_being_asked_to() -> None:
    assert all(f.outlasts_session for f in planned(table("pause", count=2, down="3s")))


def test_tables_are_independent_of_each_other() -> None:
    kill, pause = table("kill", count=3), table("pause", count=3)
    alone = [fault.at_s for fault in planned(kill, instances=20)]
    both = [f.at_s for f in planned(kill, pause, instances=20) if f.kind == "kill"]
    assert both == alone


_kinds = st.sampled_from(["kill", "terminate", "pause", "restart"])


@st.composite
def _specs(draw: st.DrawFn) -> InstanceFault:
    kind = draw(_kinds)
    count = draw(st.integers(1, 12))
    return table(
        kind,
        count=count,
        down=draw(st.sampled_from(["0s", "100ms", ("200ms", "900ms")])),
        outlast_session=0 if kind == "restart" else draw(st.floats(0, 1)),
        target=draw(st.sampled_from(["random", 0])),
        **({} if kind == "pause" else {"wipe": draw(st.integers(0, count))}),
    )


@given(
    specs=st.lists(_specs(), max_size=3),
    seed=st.integers(0, 2**32),
    instances=st.integers(1, 4),
    spare=st.floats(0.3, 3.0),
)
def test_any_plan_keeps_its_promises(
    specs: list[InstanceFault], seed: int, instances: int, spare: float
) -> None:
    session = 2.0
    longest = session * OUTLAST[1] + SETTLE_S
    duration = 1.0 + spare * longest * sum(spec.count or 1 for spec in specs) / instances

    def make() -> list[PlannedFault]:
        return plan(
            specs,
            seed=seed,
            targets=app(instances, session_timeout_s=session),
            duration_s=duration,
        )

    try:
        faults = make()
    except UsageError:  # they do not fit: too many rejections would be an error of their own
        reject()
    assert faults == make()
    assert [fault.at_s for fault in faults] == sorted(fault.at_s for fault in faults)
    assert len({fault.fault_id for fault in faults}) == len(faults)
    assert all(0 <= fault.at_s <= duration for fault in faults)
    assert all(fault.outlasts_session == (fault.down_s > session) for fault in faults)
    for instance in range(instances):
        own = [fault for fault in faults if fault.instance == instance]
        for first, second in itertools.pairwise(own):
            assert second.at_s >= first.at_s + first.down_s + SETTLE_S - 1e-9
    for kind in {spec.kind for spec in specs}:
        alike = [spec for spec in specs if spec.kind == kind]
        found = [fault for fault in faults if fault.kind == kind]
        assert len(found) == sum(spec.count or 1 for spec in alike)
        assert sum(fault.wipe for fault in found) == sum(spec.wipes for spec in alike)
        assert sum(fault.outlasts_session for fault in found) == sum(
            math.ceil(round(spec.outlast_session * (spec.count or 1), 6)) for spec in alike
        )


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"count": 2, "every": "1s"}, "exclude each other"),
        ({"count": 0}, "at least 1"),
        ({"every": "0s"}, "above 0"),
        ({"jitter": "1s"}, "needs faults.every"),
        ({"every": "2s", "jitter": "1s"}, "less than half"),
        ({"outlast_session": 2}, "a share of 1"),
        ({"down": ("2s", "1s")}, r"\[least, most\]"),
        ({"down": "soon"}, "not a duration"),
        ({"wipe": -1}, "0 or more"),
        ({"kind": "restart", "outlast_session": 0.5}, "use another kind"),
    ],
)
def test_a_table_that_cannot_be_is_refused_with_the_fix(wrong: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        table(**({"kind": "kill"} | wrong))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (table("kill", target=2), "they are numbered from 0 to 1"),
        (table("kill", count=1, wipe=2), "wipe is 2, of only 1"),
        (table("kill", outlast_session=0.5, down="2s"), "must stay below the session"),
        (table("kill", count=500), "make it longer"),
        (table("kill", count=50, target=0), "make it longer"),
    ],
)
def test_a_table_that_contradicts_the_run_is_refused_with_the_fix(
    spec: InstanceFault, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        planned(spec)


def test_no_faults_are_an_empty_plan() -> None:
    assert planned() == []
