"""Whom an audit that found something points at."""

from __future__ import annotations

from typing import Any, cast

from eoscheck.audit.findings import AuditReport
from eoscheck.explore.crashpoints.attribution import MOST_SUSPECTS, cleared, suspects
from eoscheck.explore.crashpoints.block import Block
from eoscheck.explore.crashpoints.outcome import Outcome
from tests.unit.explore.crashpoints.matrices import outcome, report


def block(
    *outcomes: Outcome, clean_to: int = 0, red: tuple[int, AuditReport] | None = None
) -> Block:
    return Block(
        outcomes=list(outcomes),
        clean_to=clean_to,
        red=red,
        before=None,
        stalled="",
        result=cast(Any, None),
        audits=1,
    )


A = "Produce(output) x crash-before"
B = "EndTxn(commit) x crash-after"
C = "JoinGroup x drop-response"


def names(outcomes: list[Outcome]) -> list[str]:
    return [each.cell.name for each in outcomes]


def test_where_nothing_was_found_nobody_is_suspected_and_all_are_cleared() -> None:
    found = block(outcome(A), outcome(B), clean_to=1)
    assert suspects(found) == []
    assert names(cleared(found)) == [A, B]


def test_only_what_came_after_the_last_clean_audit_is_suspected_the_latest_first() -> None:
    found = block(outcome(A), outcome(B), outcome(C), clean_to=1, red=(3, report(DUPLICATE=2)))
    assert names(suspects(found)) == [C, B]
    assert names(cleared(found)) == [A]


def test_the_cell_that_the_evidence_names_comes_first() -> None:
    red = (3, report(during=A, LOST=1))
    found = block(outcome(A), outcome(B), outcome(C), red=red)
    assert names(suspects(found)) == [A, C, B]


def test_a_step_that_did_not_come_is_not_suspected() -> None:
    found = block(outcome(A), outcome(B, fired=False), red=(2, report(LOST=1)))
    assert names(suspects(found)) == [A]
    assert names(cleared(found)) == [B]


def test_what_the_last_audit_finds_alone_may_be_of_any() -> None:
    many = [outcome(f"Produce(output) x crash-before{' x quick' * (n % 2)}") for n in range(9)]
    found = block(*many, clean_to=9, red=(9, report(STATE_DIVERGED=1)))
    assert len(suspects(found)) == MOST_SUSPECTS


def test_a_subject_that_stops_is_red_without_any_audit() -> None:
    found = block(outcome(A), outcome(B, over=False, stalled="nothing for 20 s"), clean_to=1)
    assert names(suspects(found)) == [B]
    assert names(cleared(found)) == [A]


def test_of_a_chain_that_left_the_subject_stopped_the_last_is_the_likeliest() -> None:
    stuck = [outcome(name, over=False, stalled="nothing for 20 s") for name in (A, B)]
    assert names(suspects(block(*stuck))) == [B, A]
