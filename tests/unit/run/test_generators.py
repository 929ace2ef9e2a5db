"""What generators in other processes report: every record accounted for once, or it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from eoscheck.errors import InfrastructureError
from eoscheck.history import (
    BlockWritten,
    OutputsObserved,
    Recorder,
    SendsAcknowledged,
    SendsUnconfirmed,
    read_history,
)
from eoscheck.load.engine import BLOCK, Report
from eoscheck.run.arrivals import Arrivals
from eoscheck.run.generators import Generators


def acknowledged(*identities: int, t: float = 1.0, topic: str = "in") -> SendsAcknowledged:
    zeros = [0] * len(identities)
    return SendsAcknowledged(
        t=t,
        topic=topic,
        identities=list(identities),
        partitions=zeros,
        offsets=list(zeros),
        intended=[identity / 10 for identity in identities],
    )


def report(first: int, sent: list[int], *events: SendsAcknowledged) -> Report:
    return Report(first=first, sent=list(sent), events=list(events), intended=[], answered=[])


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path, clock=iter(range(100)).__next__)


@pytest.fixture
def generators(recorder: Recorder) -> Generators:
    return Generators(recorder, topic="in")


def test_outcomes_stand_in_the_history_at_the_time_they_were_heard(
    generators: Generators, recorder: Recorder
) -> None:
    generators.reported(0, report(0, [0, 1], acknowledged(0, 1, t=99.0)))
    [event] = read_history(recorder.path.parent)
    assert isinstance(event, SendsAcknowledged)
    assert (event.identities, event.t) == ([0, 1], 1)


def test_a_lost_generator_leaves_what_it_sent_and_did_not_tell_of_indeterminate(
    generators: Generators, recorder: Recorder
) -> None:
    generators.reported(1, report(BLOCK, [BLOCK, BLOCK + 1, BLOCK + 2], acknowledged(BLOCK + 1)))
    generators.ended(1, lost=True)
    generators.ended(1)  # a word that comes later changes nothing
    _, unconfirmed, block = read_history(recorder.path.parent)
    assert isinstance(unconfirmed, SendsUnconfirmed)
    assert unconfirmed.outcome == "indeterminate"
    assert sorted(map(int, unconfirmed.identities)) == [BLOCK, BLOCK + 2]
    assert isinstance(block, BlockWritten)
    assert (block.first, block.count, block.lost) == (BLOCK, 3, True)


def test_each_generator_has_its_own_block(generators: Generators, recorder: Recorder) -> None:
    for number in (0, 1):
        first = number * BLOCK
        generators.reported(number, report(first, [first], acknowledged(first)))
        generators.ended(number)
    blocks = [e for e in read_history(recorder.path.parent) if isinstance(e, BlockWritten)]
    assert [(b.generator, b.first, b.count, b.lost) for b in blocks] == [
        (0, 0, 1, False),
        (1, BLOCK, 1, False),
    ]


def test_those_that_never_said_that_they_ended_are_lost(
    generators: Generators, recorder: Recorder
) -> None:
    generators.reported(0, report(0, [0]))
    generators.end_all()
    unconfirmed, block = read_history(recorder.path.parent)
    assert isinstance(unconfirmed, SendsUnconfirmed)
    assert isinstance(block, BlockWritten)
    assert block.lost


def test_a_missing_report_is_no_gap_in_silence(generators: Generators) -> None:
    generators.reported(0, report(0, [0, 1]))
    with pytest.raises(InfrastructureError, match="a report of it is missing"):
        generators.reported(0, report(3, [3]))


@pytest.mark.parametrize("identities", [[7], [0, 0], [0, 7]])
def test_an_outcome_of_a_record_that_was_not_sent_or_was_told_of_is_refused(
    generators: Generators, identities: list[int]
) -> None:
    generators.reported(0, report(0, [0]))
    with pytest.raises(InfrastructureError, match="another identity"):
        generators.reported(0, report(1, [], acknowledged(*identities)))


def observed(*identities: int, t: float) -> OutputsObserved:
    return OutputsObserved(
        t=t, topic="out", partition=0, first_offset=0, last_offset=0, identities=list(identities)
    )


def test_arrivals_are_joined_whichever_side_is_told_first_and_each_once() -> None:
    arrivals = Arrivals()
    arrivals(acknowledged(10, 20))
    arrivals(observed(20, 30, t=5.0))
    arrivals(observed(30, t=5.5))
    arrivals(acknowledged(30))
    assert arrivals.take() == ([2.0, 3.0], [5.0, 5.0])
    arrivals(observed(10, t=6.0))
    arrivals(observed(10, 20, t=7.0))  # processed again
    assert arrivals.take() == ([1.0], [6.0])
