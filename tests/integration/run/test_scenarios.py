"""The main job on a real Kafka: the same kills, judged under each guarantee and with a bug."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from eoscheck.audit.findings import Code, Verdict
from eoscheck.cluster import Cluster
from eoscheck.process import Supervisor
from eoscheck.run.naming import new_run_id
from eoscheck.run.opened import Opened
from eoscheck.run.result import RESULT_FILE, RunResult
from eoscheck.run.runner import run_scenario
from eoscheck.run.scenario import load_scenario

Run = Callable[..., RunResult]


@pytest.fixture
def run(cluster: Cluster, supervisor: Supervisor, tmp_path: Path) -> Run:
    """A shipped scenario, made shorter, on the session's cluster."""

    def start(name: str, *, kills: list[int], seed: int = 1, faults: str = "9s") -> RunResult:
        run_id = new_run_id(name)
        scenario = load_scenario(
            name,
            run_id=run_id,
            overrides=[
                f"timing.faults={faults}",
                *(f"faults.{table}.count={count}" for table, count in enumerate(kills)),
            ],
        )
        return run_scenario(
            scenario,
            on=Opened(cluster=cluster, supervisor=supervisor),
            folder=tmp_path / run_id,
            run_id=run_id,
            seed=seed,
            repeat="(a test)",
        )

    return start


def test_exactly_once_survives_kills_with_open_transactions(run: Run) -> None:
    result = run("kill-exactly-once", kills=[2, 2])
    assert result.verdict is Verdict.PASS, result.reasons
    assert result.audit.findings == []
    assert result.tally.injected == 4
    assert result.tally.left_open >= 1  # of so few; `make accept` asks for half of ten
    assert result.tally.outlasted_session >= 2
    assert result.tally.wiped == 1
    assert result.figures.counts.acknowledged == result.figures.counts.distinct > 0


def test_at_least_once_repeats_and_loses_nothing(run: Run) -> None:
    result = run("kill-at-least-once", kills=[2, 2])
    assert result.verdict is Verdict.PASS, result.reasons
    assert result.audit.allowed[Code.DUPLICATE] > 0
    assert result.audit.anomalies.get(Code.LOST, 0) == 0


def test_a_bug_on_purpose_is_found_with_its_evidence(run: Run) -> None:
    result = run("bug-offsets-before-outputs", kills=[3])
    assert result.verdict is Verdict.FAIL
    assert result.as_expected
    lost = [each for each in result.audit.findings if each.code is Code.LOST]
    assert lost
    assert all(each.offsets and each.identity is not None for each in lost)


def test_a_run_leaves_its_result_and_no_state_behind(run: Run, tmp_path: Path) -> None:
    result = run("kill-exactly-once", kills=[1, 1], faults="5s")
    folder = tmp_path / result.run_id
    assert msgspec.json.decode((folder / RESULT_FILE).read_bytes(), type=RunResult) == result
    assert list((folder / "instances").rglob("attempt-*.log"))
    assert not list(folder.rglob("state"))
