"""Recoveries and restores of real apps on a real Kafka, at their smallest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from eoscheck.audit.findings import Verdict
from eoscheck.cluster import Cluster
from eoscheck.explore.measures.folder import MeasureFolder, measure_folder
from eoscheck.explore.measures.kinds import Kinds
from eoscheck.explore.measures.recovery import Recoveries
from eoscheck.explore.measures.restore import Restores, Variant, restore_measure
from eoscheck.history import Event
from eoscheck.process import Supervisor
from eoscheck.run.opened import Opened
from eoscheck.run.scenario import Scenario, load_scenario

QUICK = ["timing.steady=500ms", "timing.settle=500ms"]


@pytest.fixture
def ground(cluster: Cluster, supervisor: Supervisor) -> Opened:
    return Opened(cluster=cluster, supervisor=supervisor)


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[str], MeasureFolder]:
    return lambda what: measure_folder(tmp_path, what=what, scenario="test")


@contextmanager
def unwatched(_title: str) -> Iterator[Callable[[Event], None]]:
    yield lambda _event: None


def test_a_wiped_kill_shows_what_its_recovery_consisted_of(
    ground: Opened, folder: Callable[[str], MeasureFolder]
) -> None:
    overrides = [
        *QUICK,
        "cluster.brokers=1",
        "settings.commit_interval_ms=1000",  # something is under way whenever it is killed
        'subject.args=["--transaction-timeout-ms", "4000"]',
    ]
    recoveries = Recoveries(
        load=lambda run_id: load_scenario("measure-recovery", run_id=run_id, overrides=overrides),
        kinds=Kinds(names=["kill-wiped"], repetitions=1),
        objective=None,
        seed=1,
        repeat="(a test)",
        ground=ground,
        folder=folder("recovery"),
        watch=unwatched,
        tell=lambda _line: None,
    )
    done = recoveries.measure("kill-wiped")
    assert done.run.verdict is Verdict.PASS, done.run.reasons
    assert done.figure.recovered is not None
    assert done.figure.recovered.n == 1
    for sample in done.figure.samples:
        assert sample.recovered_after_s is not None
        shown = {phase: s for phase, s in sample.phases.items() if s is not None}
        assert {"down", "restore", "first commit"} <= shown.keys()
        until_output = sum(s for phase, s in shown.items() if phase != "caught up")
        assert until_output == pytest.approx(sample.recovered_after_s)
    # A killed instance leaves what it had not committed yet.
    assert sum(sample.reprocessed or 0 for sample in done.figure.samples) > 0


def test_state_is_filled_wiped_and_restored_with_and_without_a_standby(
    ground: Opened, folder: Callable[[str], MeasureFolder]
) -> None:
    restores = Restores(
        load=_profiles,
        repetitions=1,
        seed=1,
        repeat="(a test)",
        ground=ground,
        folder=folder("restore"),
        watch=unwatched,
        tell=lambda _line: None,
    )
    alone = restores.measure(Variant(name="alone"), number=1, sizes=[2.0, 20.0, 40.0])
    assert alone.run.verdict is Verdict.PASS, alone.run.reasons
    assert [round(size) for size, _ in alone.points] == [2, 20, 40]  # apart by more than noise
    assert all(wanted * 0.9 <= point.megabytes <= wanted * 2 for wanted, point in alone.points)
    assert all(point.value_bytes > 5000 and point.tasks == 1 for _, point in alone.points)
    assert "subject logs" in alone.by
    assert len(alone.waits) == 3

    warm = restores.measure(
        Variant(name="warm", standby_args=["--num-standby-replicas", "1"]), number=2, sizes=[2.0]
    )
    assert warm.run.verdict is Verdict.PASS, warm.run.reasons
    assert all(point.standby for _, point in warm.points)
    measure = restore_measure([alone, warm], check=None, predict=[100.0], objective=None)
    assert len(measure.points) == 4


def _profiles(run_id: str) -> Scenario:
    overrides = [*QUICK, "load.noise=5000", 'subject.args=["--session-timeout-ms", "1500"]']
    return load_scenario("measure-restore", run_id=run_id, overrides=overrides)
