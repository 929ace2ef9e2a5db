"""The sequence diagram: an arrow for each request, a second one for an answer that came late."""

from __future__ import annotations

from typing import Any

from eoscheck.report.sequence import Arrow, sequence_chart
from eoscheck.run.sequence import SequenceStep, StepSequence


def step(name: str, *, sent: float, took: float | None = 0.002, **keys: Any) -> SequenceStep:
    answered = None if took is None else sent + took
    return SequenceStep(**({"sent": sent, "answered": answered, "broker": 1, "step": name} | keys))


def drawn(*steps: SequenceStep, at: float = 0.0) -> list[Arrow]:
    sequence = StepSequence(title="hold-1", at=at, instance=0, steps=list(steps))
    return sequence_chart(sequence).arrows


def test_a_prompt_answer_is_told_with_its_request() -> None:
    (arrow,) = drawn(step("EndTxn(commit)", sent=1.0, error=16))
    assert arrow.label == "EndTxn(commit) 2.0 ms NOT_COORDINATOR"
    assert (arrow.answer, arrow.lost, arrow.hit) == (False, False, False)
    assert arrow.x1 < arrow.x2


def test_nor_does_one_that_came_at_once_behind_another_make_an_arrow() -> None:
    both = drawn(step("Produce", sent=1.0, took=0.04), step("Produce", sent=1.01))
    assert [arrow.answer for arrow in both] == [False, False]


def test_an_answer_behind_other_steps_is_an_arrow_of_its_own() -> None:
    slow, other, answer = drawn(
        step("Produce(output)", sent=1.0, took=3.0), step("Heartbeat", sent=2.0)
    )
    assert (slow.answer, other.label, answer.answer) == (False, "Heartbeat 2.0 ms", True)
    assert answer.t == 4.0
    assert (answer.x1, answer.x2) == (slow.x2, slow.x1)


def test_a_held_request_stops_half_way_and_goes_on_when_it_is_released() -> None:
    kept, other, late = drawn(
        step("EndTxn(commit)", sent=1.0, took=2.0, action="hold"),
        step("Produce(output)", sent=2.0),
    )
    assert kept.label == "EndTxn(commit) ← hold"
    assert kept.x1 < kept.x2 == late.x1 < late.x2 == other.x2
    assert late.label == "EndTxn(commit) of 1.000, released"
    assert (kept.hit, kept.lost, late.hit) == (True, False, True)


def test_what_the_broker_never_saw_ends_in_a_cross() -> None:
    for action in ("drop-request", "crash-before", "close"):
        (lost,) = drawn(step("EndTxn(commit)", sent=1.0, took=None, action=action))
        assert lost.lost
        assert lost.label == f"EndTxn(commit) ← {action}"


def test_an_answer_that_nobody_heard_ends_in_a_cross_on_its_way_back() -> None:
    asked, answer = drawn(step("EndTxn(commit)", sent=1.0, action="crash-after"))
    assert not asked.lost
    assert answer.lost
    assert answer.x2 < answer.x1 == asked.x2
    assert answer.label == "EndTxn(commit): done ← crash-after"


def test_each_broker_has_a_lifeline_and_the_moment_lies_before_its_first_step() -> None:
    sequence = StepSequence(
        title="hold-1",
        at=2.0,
        instance=3,
        steps=[step("Produce", sent=1.0, broker=2), step("EndTxn", sent=2.0, broker=1)],
    )
    chart = sequence_chart(sequence)
    assert [line.label for line in chart.lifelines] == ["instance 3", "broker 1", "broker 2"]
    assert chart.lifelines[0].x < chart.lifelines[1].x < chart.lifelines[2].x < 1
    assert chart.arrows[0].y < chart.at < chart.arrows[1].y < chart.height
