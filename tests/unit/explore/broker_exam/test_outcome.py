"""Kept, broken, unknown: what is made of what was seen."""

from __future__ import annotations

import pytest

from eoscheck.explore.broker_exam.outcome import (
    ExamResult,
    Observation,
    PromiseResult,
    Verdict,
    judged,
)

GOOD = Observation(
    expected="a late commit is refused", seen="EndTxn -> PRODUCER_FENCED", holds=True
)
BAD = Observation(expected="a late record is refused", seen="Produce(...) -> offset 3", holds=False)


def promise(verdict: Verdict, *seen: Observation, reason: str | None = None) -> PromiseResult:
    return PromiseResult(
        name="fencing",
        title="A producer's old epoch is fenced",
        verdict=verdict,
        observations=list(seen),
        exchanges=[],
        seconds=0.1,
        reason=reason,
    )


@pytest.mark.parametrize(
    ("seen", "reason", "verdict"),
    [
        ([GOOD, GOOD], None, Verdict.KEPT),
        ([GOOD, BAD], None, Verdict.BROKEN),
        ([BAD], "no answer to EndTxn", Verdict.BROKEN),
        ([GOOD], "no answer to EndTxn", Verdict.UNKNOWN),
        ([], "nobody is there", Verdict.UNKNOWN),
        ([], None, Verdict.UNKNOWN),
    ],
)
def test_one_breach_is_enough_and_nothing_seen_is_not_kept(
    seen: list[Observation], reason: str | None, verdict: Verdict
) -> None:
    assert judged(seen, reason=reason) is verdict


def test_the_evidence_of_a_broken_one_are_its_breaches() -> None:
    assert promise(Verdict.BROKEN, GOOD, BAD).evidence == [
        "a late record is refused: Produce(...) -> offset 3"
    ]
    assert promise(Verdict.KEPT, GOOD).evidence == ["EndTxn -> PRODUCER_FENCED"]
    assert promise(Verdict.UNKNOWN, GOOD, reason="no answer").evidence == ["no answer"]


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ((Verdict.KEPT, Verdict.KEPT), 0),
        ((Verdict.KEPT, Verdict.UNKNOWN), 2),
        ((Verdict.UNKNOWN, Verdict.BROKEN), 1),
        ((Verdict.KEPT, Verdict.NOT_OFFERED), 0),
        ((Verdict.UNKNOWN, Verdict.NOT_OFFERED), 2),
    ],
)
def test_exit_codes(verdicts: tuple[Verdict, ...], code: int) -> None:
    result = ExamResult(broker="x", promises=[promise(each) for each in verdicts], left_behind=[])
    assert result.exit_code == code
