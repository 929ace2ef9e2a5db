"""What comes next: one cell's end is another one's occasion."""

from __future__ import annotations

from eoscheck.explore.crashpoints.agenda import Agenda
from eoscheck.explore.crashpoints.cells import base_matrix, parse_cell
from eoscheck.explore.crashpoints.learn import LearnedStep, Occasion

STEPS = [
    LearnedStep(step="JoinGroup", occasion=Occasion.START, times=1),
    LearnedStep(step="Produce(output)", occasion=Occasion.WORK, times=5),
    LearnedStep(step="EndTxn(commit)", occasion=Occasion.WORK, times=5),
    LearnedStep(step="LeaveGroup", occasion=Occasion.STOP, times=1),
]


def learned(seed: int = 1) -> Agenda:
    agenda = Agenda(seed=seed)
    assert agenda.needs_learning
    agenda.learned(STEPS)
    assert not agenda.needs_learning
    return agenda


def order(agenda: Agenda) -> list[str]:
    """As a course goes through it, with every step coming."""
    names, down, chain = [], False, 0
    while (cell := agenda.next(down=down, chain=chain)) is not None:
        agenda.done(cell)
        names.append(cell.name)
        down = cell.crashes
        chain = chain + 1 if down else 0
    return names


def test_it_is_the_whole_matrix_each_cell_once() -> None:
    names = order(learned())
    expected = {cell.name for cell in base_matrix([each.step for each in STEPS])}
    assert len(names) == len(expected)
    assert set(names) == expected


def test_lost_spans_come_first_and_the_start_after_a_crash_serves_a_cell() -> None:
    names = order(learned())
    assert all(name.endswith("x span") for name in names[:4])
    for number, name in enumerate(names):
        if name.startswith("JoinGroup x crash"):
            assert "x crash" in names[number - 1]
        if name == "JoinGroup x drop-response":
            assert names[number - 1].startswith("JoinGroup x crash")


def test_an_instance_is_not_kept_down_for_ever() -> None:
    agenda = learned()
    starts = [parse_cell("JoinGroup x crash-before"), parse_cell("JoinGroup x crash-after")]
    first = agenda.next(down=True, chain=1)
    assert first in starts
    third = agenda.next(down=True, chain=2)
    assert third == parse_cell("JoinGroup x drop-response")


def test_the_same_seed_is_the_same_order_and_another_one_another() -> None:
    assert order(learned(1)) == order(learned(1))
    assert order(learned(1)) != order(learned(2))


def test_an_abort_that_is_seen_adds_its_cells_once() -> None:
    agenda = learned()
    before = len(agenda.left)
    agenda.discovered("EndTxn(abort)")
    agenda.discovered("EndTxn(abort)")
    assert len(agenda.left) == before + 3
    assert agenda.steps[-1].occasion is Occasion.ROLLBACK


def test_named_cells_are_all_there_is() -> None:
    agenda = Agenda(cells=[parse_cell("JoinGroup x crash-after")], seed=1)
    assert not agenda.needs_learning
    agenda.discovered("EndTxn(abort)")
    assert order(agenda) == ["JoinGroup x crash-after"]


def test_what_could_not_be_told_is_tried_again() -> None:
    agenda = Agenda(cells=[parse_cell("JoinGroup x crash-after")], seed=1)
    (cell,) = agenda.left
    agenda.done(cell)
    assert agenda.next(down=False, chain=0) is None
    agenda.again([cell])
    assert agenda.next(down=False, chain=0) == cell
