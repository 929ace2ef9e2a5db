"""One word for a matrix."""

from __future__ import annotations

from typing import Any

from eoscheck.audit.findings import Verdict
from eoscheck.explore.crashpoints.cells import parse_cell
from eoscheck.explore.crashpoints.hazards import known_hazard
from eoscheck.explore.crashpoints.result import CellResult, Colour, judge_matrix


def cell(name: str, colour: Colour, **other: Any) -> CellResult:
    return CellResult(cell=parse_cell(name), colour=colour, repeat="again", **other)


GREEN = cell("JoinGroup x crash-after", Colour.GREEN)
RED = cell("EndTxn(commit) x crash-after", Colour.RED, reason="2 × LOST")
UNKNOWN = cell("SyncGroup x crash-after", Colour.UNKNOWN, reason="it still runs")
UNREACHED = cell("LeaveGroup x crash-after", Colour.UNREACHED, reason="it sent none")


def test_one_red_cell_fails_it_whatever_else() -> None:
    verdict, reasons = judge_matrix([GREEN, UNKNOWN, RED])
    assert verdict is Verdict.FAIL
    assert reasons[0] == "EndTxn(commit) x crash-after: 2 × LOST"


def test_what_was_reached_and_not_judged_makes_it_unknown() -> None:
    assert judge_matrix([GREEN, UNKNOWN])[0] is Verdict.UNKNOWN
    assert judge_matrix([GREEN], doubts=["not drained"]) == (Verdict.UNKNOWN, ["not drained"])


def test_a_step_that_did_not_come_is_told_by_the_coverage_alone() -> None:
    assert judge_matrix([GREEN, UNREACHED])[0] is Verdict.PASS


def test_where_nothing_was_reached_nothing_was_shown() -> None:
    assert judge_matrix([UNREACHED])[0] is Verdict.UNKNOWN
    assert judge_matrix([])[0] is Verdict.UNKNOWN


def test_a_hazard_of_the_protocol_is_told_and_does_not_fail_the_app() -> None:
    held = "EndTxn(commit) x hold"
    known = known_hazard(parse_cell(held))
    assert "KAFKA-17754" in known
    verdict, reasons = judge_matrix([GREEN, cell(held, Colour.RED, reason="x", known=known)])
    assert verdict is Verdict.PASS
    assert "KAFKA-17754" in reasons[0]


def test_a_crash_is_never_the_protocols_fault() -> None:
    assert known_hazard(parse_cell("EndTxn(commit) x crash-after")) == ""
    assert known_hazard(parse_cell("JoinGroup x hold")) == ""
