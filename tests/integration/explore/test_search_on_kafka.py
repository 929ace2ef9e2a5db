"""A search on a real Kafka, as small as it gets: found, confirmed, saved, nothing left behind."""

from __future__ import annotations

from pathlib import Path

from eoscheck.cluster import Cluster
from eoscheck.cluster.view import ClusterView
from eoscheck.explore.search import whole
from eoscheck.explore.search.budget import Budget
from eoscheck.explore.search.schedule import Schedule, decode
from eoscheck.explore.search.shelf import Shelf, open_database
from eoscheck.process import Supervisor
from eoscheck.run.opened import Opened
from eoscheck.run.scenario import load_scenario

RUN_S = 10.0


class RunsClock:
    """Each run takes ten seconds, on any machine."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self) -> float:
        return RUN_S * sum("left, run" in line for line in self.lines)


def test_a_bug_that_needs_no_fault_is_found_confirmed_and_saved(
    cluster: Cluster, supervisor: Supervisor, tmp_path: Path
) -> None:
    clock = RunsClock()
    prepared = whole.prepare(
        "explore-base",
        only=["kill"],
        overrides=['subject.args=["--bug", "read-uncommitted-input"]', "load.abort_ratio=0.3"],
    )
    folder, database = tmp_path / "explored", tmp_path / "database"
    exploration = whole.explore(
        prepared,
        on=Opened(cluster=cluster, supervisor=supervisor),
        budget=Budget(2 * RUN_S, clock=clock),
        database=database,
        folder=folder,
        progress=clock.lines.append,
    )
    told = whole.keep(exploration, prepared, folder=folder)
    assert told.exit_code == 1
    assert told.runs == {"fail": 2}
    assert "PHANTOM" in told.codes
    assert (told.red, told.of_runs) == (2, 2)

    assert told.scenario is not None
    saved = load_scenario(told.scenario)
    assert saved.faults == []
    assert saved.subject.args == ["--bug", "read-uncommitted-input"]
    assert saved.load.abort_ratio == 0.3
    assert told.repeat == f"eoscheck run {told.scenario}"

    kept = Shelf(open_database(database), document=prepared.source.whole).stored()
    assert kept == [Schedule(seed=saved.seed)] == [decode(kept[0].key)]
    with ClusterView(cluster.client_config) as view:
        assert not [name for name in view.topics() if "-explore-" in name]
    assert not list(folder.rglob("state"))
