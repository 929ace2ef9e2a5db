"""Steps are learned on the occasion on which they happen."""

from __future__ import annotations

from eoscheck.explore.crashpoints.learn import LearnedStep, Occasion, learn, usual_occasion
from tests.unit.explore.crashpoints.matrices import exchange


def test_a_step_is_learned_where_it_usually_happens_in_the_order_of_the_protocol() -> None:
    work = [exchange("Produce(output)"), exchange("EndTxn(commit)"), exchange("JoinGroup")]
    start = [exchange("JoinGroup"), exchange("JoinGroup"), exchange("EndTxn(commit)")]
    assert learn(work=[work], starts=[start]) == [
        LearnedStep(step="JoinGroup", occasion=Occasion.START, times=2),
        LearnedStep(step="Produce(output)", occasion=Occasion.WORK, times=1),
        LearnedStep(step="EndTxn(commit)", occasion=Occasion.WORK, times=1),
    ]


def test_a_step_that_was_seen_elsewhere_only_is_learned_there() -> None:
    """An app that looks its offsets up as it works."""
    (learned,) = learn(work=[[exchange("OffsetFetch")]])
    assert (learned.step, learned.occasion) == ("OffsetFetch", Occasion.WORK)
    (learned,) = learn(work=[], rebalances=[[exchange("SyncGroup")]])
    assert learned.occasion is Occasion.REBALANCE


def test_it_counts_on_the_fewest_that_were_seen() -> None:
    once, twice = [exchange("JoinGroup")], [exchange("JoinGroup"), exchange("JoinGroup")]
    (learned,) = learn(work=[], starts=[twice, once])
    assert learned.times == 1


def test_what_was_broken_or_not_answered_teaches_nothing() -> None:
    broken = [
        exchange("JoinGroup", action="drop-response"),
        exchange("JoinGroup", outcome="unanswered"),
    ]
    assert learn(work=[], starts=[broken]) == []


def test_reading_the_input_and_asking_for_metadata_are_no_crash_points() -> None:
    assert learn(work=[[exchange("Fetch(input)"), exchange("Metadata")]]) == []


def test_an_abort_is_brought_about_for_certain_wherever_it_was_seen() -> None:
    (learned,) = learn(work=[], rebalances=[[exchange("EndTxn(abort)")]])
    assert learned.occasion is Occasion.ROLLBACK


def test_what_nobody_has_learned_happens_at_work() -> None:
    assert usual_occasion("Produce(output)") is Occasion.WORK
    assert usual_occasion("LeaveGroup") is Occasion.STOP
