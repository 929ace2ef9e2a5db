"""Cells by name, and which ones a matrix has."""

from __future__ import annotations

import pytest

from eoscheck.errors import UsageError
from eoscheck.explore.crashpoints.cells import Cell, base_matrix, full_matrix, parse_cell

STEPS = ["JoinGroup", "Produce(output)", "TxnOffsetCommit", "EndTxn(commit)"]


@pytest.mark.parametrize(
    "name",
    [
        "EndTxn(commit) x crash-after",
        "Produce x drop-request x span",
        "JoinGroup x crash-before x wiped x quick",
        "Heartbeat x delay",
    ],
)
def test_a_name_is_the_cell_and_the_cell_its_name(name: str) -> None:
    assert parse_cell(name).name == name


def test_the_multiplication_sign_is_one_too() -> None:
    assert parse_cell("JoinGroup × crash-after") == Cell(step="JoinGroup", action="crash-after")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("EndTx(commit) x crash-after", "did you mean 'EndTxn'"),
        ("EndTxn(comit) x crash-after", "did you mean 'EndTxn(commit)'"),
        ("EndTxn(commit) x crash-afer", "did you mean 'crash-after'"),
        ("EndTxn(commit)", "one action"),
        ("EndTxn(commit) x crash-after x crash-before", "one action"),
        ("Metadata x crash-after", "no step of exactly-once"),
        ("EndTxn(commit) x crash-after x span", "span is for"),
        ("EndTxn(commit) x delay x wiped", "wiped and quick are for"),
    ],
)
def test_what_is_no_cell_is_refused_with_the_nearest_word(name: str, hint: str) -> None:
    with pytest.raises(UsageError, match=hint.replace("(", r"\(").replace(")", r"\)")):
        parse_cell(name)


def test_the_base_matrix_is_every_step_three_ways_and_the_lost_spans() -> None:
    names = [cell.name for cell in base_matrix(STEPS)]
    assert len(names) == len(set(names)) == 4 * 3 + 3 * 2
    assert "JoinGroup x drop-response" in names
    assert names[-6:] == [
        "Produce x drop-request x span",
        "Produce x drop-response x span",
        "TxnOffsetCommit x drop-request x span",
        "TxnOffsetCommit x drop-response x span",
        "EndTxn(commit) x drop-request x span",
        "EndTxn(commit) x drop-response x span",
    ]


def test_without_transactions_offsets_are_what_is_lost_for_a_span() -> None:
    spans = [cell.step for cell in base_matrix(["Produce(output)", "OffsetCommit"]) if cell.span]
    assert spans == ["Produce", "Produce", "OffsetCommit", "OffsetCommit"]


def test_the_full_matrix_has_all_of_the_base_one_and_each_dimension_of_a_crash() -> None:
    full = full_matrix(STEPS)
    assert set(base_matrix(STEPS)) < set(full)
    assert len(set(full)) == len(full) == 4 * (2 * 2 * 2 + 6) + 6
    crashes = [c for c in full if c.step == "JoinGroup" and c.action == "crash-after"]
    assert {(c.wiped, c.quick) for c in crashes} == {
        (False, False),
        (False, True),
        (True, False),
        (True, True),
    }
