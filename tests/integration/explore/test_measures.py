"""The measures at their smallest, on a real Kafka: what they find is shown, and nothing is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from eoscheck.cluster import Cluster, ClusterView
from eoscheck.explore.measures.commit_interval import Sweep, SweepPlan
from eoscheck.explore.measures.cost import CostPlan, measure
from eoscheck.explore.measures.folder import measure_folder
from eoscheck.explore.measures.settings import (
    BASE_SCENARIO,
    at_interval,
    baseline_of,
    with_defaults,
)
from eoscheck.process import Supervisor
from eoscheck.report.live import LiveView
from eoscheck.run.opened import Opened
from eoscheck.run.setting import Setting

SHIPPED = with_defaults(Setting(source=BASE_SCENARIO))
OFTEN = at_interval(SHIPPED, 0.02)
"""So that a small backlog has many commits, however fast the machine is."""


def topics(cluster: Cluster) -> set[str]:
    with ClusterView(cluster.client_config) as view:
        return {name for name in view.topics() if not name.startswith("__")}


@pytest.fixture
def ground(cluster: Cluster, supervisor: Supervisor) -> Opened:
    return Opened(cluster=cluster, supervisor=supervisor)


@pytest.mark.timeout(110)
def test_what_exactly_once_costs(ground: Opened, tmp_path: Path) -> None:
    before = topics(ground.cluster)
    lines: list[str] = []
    measured = measure(
        CostPlan(
            measured=OFTEN,
            baseline=baseline_of(OFTEN),
            pairs=1,
            records=40_000,
            latency_pairs=1,
            seconds=1.0,
            shares=(0.02,),
        ),
        ground=ground,
        folder=measure_folder(tmp_path, what="cost", scenario="drain"),
        repeat="eoscheck measure cost",
        progress=lines.append,
    )
    cost = measured.cost
    assert cost is not None
    assert [drain.label for drain in cost.throughput.drains] == ["exactly-once", "at-least-once"]
    assert [each.what for each in cost.broker] == ["CPU", "bytes"]
    # A transaction's begin and end are records too, but each for thousands of ours.
    assert 0.5 < cost.broker[1].ratio.value < 2
    if cost.latency:  # a busy machine may be late, and then says so
        assert cost.latency[0].measured.n == pytest.approx(cost.latency[0].rate, rel=0.1)
    else:
        assert any("are left out" in note for note in measured.notes)
    assert lines[:2] == ["drain 1 of 2: exactly-once", "drain 2 of 2: at-least-once"]
    assert topics(ground.cluster) == before


@pytest.mark.timeout(110)
def test_a_sweep_of_commit_intervals(ground: Opened, tmp_path: Path) -> None:
    before = topics(ground.cluster)
    swept = Sweep(
        plan=SweepPlan(
            setting=SHIPPED, intervals=(0.02, 0.3), rounds=1, seconds=0.5, kills=0, rate=300
        ),
        ground=ground,
        folder=measure_folder(tmp_path, what="commit-interval", scenario="drain"),
        repeat="eoscheck measure commit-interval",
        watch=lambda title: LiveView(title),
        progress=lambda _line: None,
    ).measure()
    sweep = swept.measured.commit_interval
    assert sweep is not None
    assert [point.interval_s for point in sweep.points] == [0.02, 0.3]
    short, long = (point.latency for point in sweep.points)
    if short is not None and long is not None:
        # Half a second at least, and three intervals.
        assert (short.n, long.n) == (pytest.approx(150, abs=5), pytest.approx(270, abs=5))
        assert long.p50 > 0.1  # half of an interval is waited for the commit
    assert sweep.knee_s is None  # one round tells none
    assert sweep.advice.startswith("No knee up to 300 ms")
    assert topics(ground.cluster) == before
