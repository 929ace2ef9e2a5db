"""The lag of a subject, and whose lane is whose, where it is several apps."""

from __future__ import annotations

from eoscheck.history import GroupSampled, InstanceStarted
from eoscheck.measure import from_history
from eoscheck.measure.lag import lag_samples


def sample(t: float, lag: int, role: str = "") -> GroupSampled:
    return GroupSampled(t=t, lag=lag, committed={}, ends={}, role=role)


def test_it_is_that_of_all_groups_together() -> None:
    events = [sample(1.0, 5, "a"), sample(3.0, 1, "a"), sample(2.0, 7, "b")]
    assert lag_samples(events) == [(1.0, 5), (2.0, 12), (3.0, 8)]


def test_of_one_app_it_is_each_sample_s_own() -> None:
    assert lag_samples([sample(1.0, 5), sample(2.0, 7)]) == [(1.0, 5), (2.0, 7)]


def test_a_lane_names_its_role() -> None:
    def started(instance: int, role: str) -> InstanceStarted:
        return InstanceStarted(t=0.0, instance=instance, pid=1, attempt=1, state_dir="", role=role)

    lanes = from_history([started(0, "settle"), started(1, "bill"), sample(9.0, 0)]).lanes
    assert [(lane.number, lane.role) for lane in lanes] == [(0, "settle"), (1, "bill")]
