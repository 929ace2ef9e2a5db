"""A few cells of the reference app's matrix on a real broker: green ones, and a bug that is red."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import msgspec
import pytest

from eoscheck.audit.findings import Code, Verdict
from eoscheck.cli.session import Session, open_session
from eoscheck.explore.crashpoints.block import Site
from eoscheck.explore.crashpoints.cells import parse_cell
from eoscheck.explore.crashpoints.matrix import run_matrix
from eoscheck.explore.crashpoints.options import Options
from eoscheck.explore.crashpoints.result import Colour, MatrixResult
from eoscheck.history import FaultInjected, read_history
from eoscheck.report.heatmap import render_matrix
from eoscheck.run.needs import cluster_needs
from eoscheck.run.scenario import load_scenario


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    scenario = msgspec.structs.replace(load_scenario("crashpoints"), trace=True)
    with open_session(scenario.cluster, cluster_needs(scenario)) as started:
        yield started


def run(session: Session, folder: Path, *cells: str, args: Sequence[str] = ()) -> MatrixResult:
    overrides = [f"subject.args={json.dumps(list(args))}", "load.rate=200"]
    load = partial(load_scenario, "crashpoints", overrides=overrides)
    assert session.wire is not None
    return run_matrix(
        lambda run_id: load(run_id=run_id),
        site=Site(cluster=session.cluster, supervisor=session.supervisor, wire=session.wire),
        folder=folder,
        repeat=lambda cells, _settings: (
            f"eoscheck crashpoints --cell '{cells[0].name if cells else ''}'"
        ),
        options=Options(
            cells=[parse_cell(cell) for cell in cells], client_timeout_s=15.0, cells_a_run=2
        ),
    )


@pytest.mark.timeout(150)
def test_cells_of_a_healthy_app_are_reached_recovered_and_green(
    session: Session, tmp_path: Path
) -> None:
    names = [
        "EndTxn(commit) x crash-after",
        "JoinGroup x crash-before",
        "Heartbeat x drop-response",
    ]
    result = run(session, tmp_path, *names)
    assert (result.verdict, result.reasons) == (Verdict.PASS, [])
    assert {each.name: each.colour for each in result.cells} == dict.fromkeys(names, Colour.GREEN)
    crashes = [each for each in result.cells if each.cell.crashes]
    assert all(each.took_over_s and each.back_s for each in crashes)
    assert all(each.request["api"] == each.cell.step.partition("(")[0] for each in result.cells)
    assert len(result.runs) == 2, "two cells a run"
    events = [each for folder in result.runs for each in read_history(Path(folder))]
    injected = [each for each in events if isinstance(each, FaultInjected)]
    assert {each.fault_id for each in injected} == set(names)


@pytest.mark.timeout(150)
def test_a_bug_is_red_in_the_cell_that_makes_the_app_roll_back(
    session: Session, tmp_path: Path
) -> None:
    name = "Produce x drop-request x span"
    result = run(session, tmp_path, name, args=["--bug", "abort-without-seek"])
    (cell,) = result.cells
    assert (result.verdict, cell.colour) == (Verdict.FAIL, Colour.RED)
    assert Code.LOST in cell.codes
    assert cell.rolled_back
    assert (cell.confirmed, cell.culprits) == (True, [name])
    assert cell.repeat == f"eoscheck crashpoints --cell '{name}'"
    assert cell.repeat.replace("'", "&#39;") in render_matrix(result)


@pytest.mark.timeout(150)
def test_a_request_that_is_held_until_it_can_do_harm_is_red_and_no_fault_of_the_app(
    session: Session, tmp_path: Path
) -> None:
    result = run(session, tmp_path, "TxnOffsetCommit x hold")
    (cell,) = result.cells
    assert (cell.colour, set(cell.codes)) == (Colour.RED, {Code.OFFSET_REGRESSION})
    assert "moves the offsets back" in cell.known
    (told,) = result.reasons
    assert result.verdict is Verdict.PASS
    assert cell.known in told
