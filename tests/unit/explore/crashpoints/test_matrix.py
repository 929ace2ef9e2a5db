"""Which runs a matrix makes of what its runs found: the runs are scripted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from eoscheck.audit.findings import Code, Verdict
from eoscheck.explore.crashpoints import matrix
from eoscheck.explore.crashpoints.block import Block
from eoscheck.explore.crashpoints.cells import Cell, parse_cell
from eoscheck.explore.crashpoints.course import Orders
from eoscheck.explore.crashpoints.learn import LearnedStep, Occasion
from eoscheck.explore.crashpoints.matrix import run_matrix
from eoscheck.explore.crashpoints.options import Options
from eoscheck.explore.crashpoints.outcome import Outcome
from eoscheck.explore.crashpoints.result import MATRIX_FILE, Colour, MatrixResult
from eoscheck.run.scenario import load_scenario
from tests.unit.explore.crashpoints.matrices import outcome, report

A, B, C = "EndTxn(commit) x crash-after", "JoinGroup x crash-before", "Heartbeat x drop-response"
LEARNED = [LearnedStep(step="Heartbeat", occasion=Occasion.WORK, times=3)]


class Runs:
    """Each block goes through its agenda; what it finds is said by `red`, a function of the names
    of its cells. The live audits found nothing before `clean_to`; no audit finds anything below
    a load of `red_at` records a second."""

    def __init__(
        self,
        red: Callable[[Sequence[str]], bool] = lambda _names: False,
        *,
        clean_to: int = 0,
        before: bool = False,
        stalled: str = "",
        unknown: str = "",
        unreached: str = "",
        red_at: float = 0.0,
    ) -> None:
        self.tried: list[list[str]] = []
        self.rates: list[float] = []
        self._red_at = red_at
        self._red = red
        self._clean_to = clean_to
        self._before = before
        self._stalled = stalled
        self._unknown = unknown
        self._unreached = unreached

    def __call__(self, scenario: Any, *, orders: Orders, run_id: str, **_: Any) -> Block:
        agenda = orders.agenda
        learning = agenda.needs_learning
        if learning and not self._stalled:
            agenda.learned(LEARNED)
        names, outcomes = [], []
        broken = learning and (self._before or self._stalled)
        while not broken and (cell := agenda.next(down=False, chain=0)) is not None:
            if len(names) == orders.most_cells:
                break
            agenda.done(cell)
            names.append(cell.name)
            outcomes.append(self._of(cell))
            orders.tell(outcomes[-1])
        self.tried.append(names)
        self.rates.append(scenario.load.rate)
        red = self._red(names) and scenario.load.rate >= self._red_at
        return Block(
            outcomes=outcomes,
            clean_to=min(self._clean_to, len(outcomes)) if red else len(outcomes),
            red=(len(outcomes), report(LOST=3)) if red else None,
            before=report(LOST=1) if broken and self._before else None,
            stalled=self._stalled if broken else "",
            result=cast(
                Any,
                SimpleNamespace(
                    verdict=Verdict.UNKNOWN if self._unknown else Verdict.PASS,
                    reasons=[self._unknown] if self._unknown else [],
                    audit=msgspec.structs.replace(
                        report(), counts={"input_records": int(scenario.load.rate)}
                    ),
                    environment={"kafka": "4"},
                ),
            ),
            audits=1,
        )

    def _of(self, cell: Cell) -> Outcome:
        return outcome(cell.name, fired=cell.name != self._unreached)


def run(
    runs: Runs, folder: Path, monkeypatch: pytest.MonkeyPatch, *names: str, **options: Any
) -> MatrixResult:
    monkeypatch.setattr(matrix, "run_block", runs)
    return run_matrix(
        lambda run_id: load_scenario("crashpoints", run_id=run_id),
        site=cast(Any, None),
        folder=folder / "m-1",
        repeat=lambda cells, settings: " ".join(
            ["again", " and ".join(cell.name for cell in cells) or "all", *settings]
        ),
        options=Options(cells=[parse_cell(name) for name in names], **options),
    )


def colours(result: MatrixResult) -> dict[str, Colour]:
    return {each.name: each.colour for each in result.cells}


def test_a_healthy_app_takes_one_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = Runs()
    result = run(runs, tmp_path, monkeypatch)
    assert (result.verdict, result.reasons) == (Verdict.PASS, [])
    assert len(runs.tried) == 1
    assert result.steps == LEARNED
    assert set(colours(result).values()) == {Colour.GREEN}
    assert (result.reached, result.planned) == (3, 3)
    assert result.cells[0].repeat == f"again {result.cells[0].name}"


def test_the_result_is_kept_as_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(Runs(), tmp_path, monkeypatch, A)
    kept = (tmp_path / "m-1" / MATRIX_FILE).read_bytes()
    assert msgspec.json.decode(kept, type=MatrixResult) == result


def test_a_red_cell_is_tried_alone_and_what_was_cleared_is_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs(lambda names: B in names, clean_to=1)
    result = run(runs, tmp_path, monkeypatch, A, B, C)
    first = runs.tried[0]
    assert colours(result)[B] is Colour.RED
    assert list(colours(result).values()).count(Colour.GREEN) == 2
    (red,) = result.red
    assert (red.confirmed, red.culprits, red.codes) == (True, [B], {Code.LOST: 3})
    assert result.verdict is Verdict.FAIL
    assert [B] in runs.tried
    assert all(first[0] not in later for later in runs.tried[1:] if first[0] != B)


def test_what_takes_two_cells_is_narrowed_to_these_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs(lambda names: {A, C} <= set(names))
    result = run(runs, tmp_path, monkeypatch, A, B, C)
    (red,) = result.red
    assert set(red.culprits) == {A, C}
    assert red.confirmed
    assert "it takes 2 cells" in red.reason
    assert list(colours(result).values()).count(Colour.GREEN) == 2


def test_what_does_not_come_again_stays_red_and_is_told_to_have_been_seen_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = iter([True])
    runs = Runs(lambda _names: next(once, False))
    result = run(runs, tmp_path, monkeypatch, A, B)
    (red,) = result.red
    assert not red.confirmed
    assert "seen once" in red.reason
    assert result.verdict is Verdict.FAIL
    assert len(result.cells) == 2


def test_a_single_cell_was_alone_already(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = Runs(lambda _names: True)
    result = run(runs, tmp_path, monkeypatch, A)
    assert runs.tried == [[A]]
    assert result.cells[0].confirmed


def test_it_ends_after_so_many_red_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = Runs(lambda _names: True)
    result = run(runs, tmp_path, monkeypatch, A, B, C, red_enough=1)
    assert len(result.red) == 1
    assert len(result.left) == 2
    assert (result.reached, result.planned) == (1, 3)


def test_an_app_that_is_wrong_without_a_fault_is_told_so_and_its_cells_are_tried_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(Runs(before=True), tmp_path, monkeypatch)
    assert result.verdict is Verdict.FAIL
    assert result.before == {Code.LOST: 1}
    assert "without any fault: 1 × LOST" in result.reasons
    assert set(colours(result).values()) == {Colour.GREEN}


def test_an_app_that_does_not_go_on_without_a_fault_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs(stalled="instance 1 has committed nothing for 20 s, before any fault")
    result = run(runs, tmp_path, monkeypatch)
    assert (result.verdict, result.cells, len(runs.tried)) == (Verdict.FAIL, [], 1)
    assert result.before == {Code.STALLED: 1}
    assert any("committed nothing for 20 s" in reason for reason in result.reasons)


def test_a_run_that_could_not_be_judged_makes_it_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(Runs(unknown="the input was not drained"), tmp_path, monkeypatch, A)
    assert (result.verdict, result.reasons) == (Verdict.UNKNOWN, ["the input was not drained"])


def test_a_step_that_did_not_come_is_not_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(Runs(unreached=A), tmp_path, monkeypatch, A, B)
    assert colours(result) == {A: Colour.UNREACHED, B: Colour.GREEN}
    assert (result.verdict, result.reached, result.planned) == (Verdict.PASS, 1, 2)


def test_where_it_is_only_to_learn_nothing_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs()
    result = run(runs, tmp_path, monkeypatch, learn_only=True)
    assert (result.verdict, result.reasons, runs.tried) == (Verdict.PASS, [], [[]])
    assert (result.steps, result.cells, result.left) == (LEARNED, [], [])


def test_what_only_the_last_audit_finds_where_nothing_was_broken_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(Runs(lambda _names: True), tmp_path, monkeypatch, learn_only=True)
    assert (result.verdict, result.before) == (Verdict.FAIL, {Code.LOST: 3})
    assert result.reasons == ["without any fault: 3 × LOST"]


def test_a_finding_where_no_step_came_is_blamed_on_no_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(Runs(lambda _names: True, unreached=A), tmp_path, monkeypatch, A)
    assert (result.verdict, result.before) == (Verdict.FAIL, {Code.LOST: 3})
    assert result.red == []


def test_a_red_cell_is_told_with_the_smallest_load_that_is_red(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs(lambda names: B in names, red_at=100)
    (red,) = run(runs, tmp_path, monkeypatch, A, B, red_enough=1).red
    assert runs.tried[1:] == [[B]] * 3
    assert runs.rates == [300, 300, 150, 75]
    assert red.repeat == f"again {B} load.rate=150 load.transaction_size=25"
    assert red.records == 150


def test_a_load_that_is_red_to_the_last_is_halved_so_often_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = Runs(lambda names: {A, B} <= set(names))
    (red,) = run(runs, tmp_path, monkeypatch, A, B, red_enough=1, halvings=2).red
    assert runs.rates[-2:] == [150, 75]
    assert red.repeat.startswith("again ")
    assert {A, B} == set(red.repeat.removeprefix("again ").partition(" load.")[0].split(" and "))
    assert red.repeat.endswith("load.rate=75 load.transaction_size=12")


@pytest.mark.parametrize("found", ["STALLED", "DUPLICATE"])
def test_another_error_with_less_load_is_not_the_same_with_less_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: str
) -> None:
    class Another(Runs):
        def __call__(self, scenario: Any, **rest: Any) -> Block:
            block = super().__call__(scenario, **rest)
            if scenario.load.rate == 300:
                return block
            return dataclasses.replace(block, red=(1, report(**{found: 1})))

    (red,) = run(Another(lambda _names: True), tmp_path, monkeypatch, A, B, red_enough=1).red
    assert "load.rate" not in red.repeat
    assert red.codes == {Code.LOST: 3}


def test_a_long_matrix_goes_on_in_a_new_run_and_is_judged_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that no audit has to read all that a long one has written."""
    runs = Runs()
    result = run(runs, tmp_path, monkeypatch, A, B, C, cells_a_run=2)
    assert [len(names) for names in runs.tried] == [2, 1]
    assert (result.verdict, result.reached, len(result.runs)) == (Verdict.PASS, 3, 2)
