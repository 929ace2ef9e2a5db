"""Parts of a trace: of one instance, of a time, around a fault or a record."""

from __future__ import annotations

from typing import Any

import pytest

from eoscheck.errors import UsageError
from eoscheck.history import FaultHealed, FaultInjected, OutputsObserved
from eoscheck.run.trace import Traced
from eoscheck.run.trace_select import Span, around, select
from tests.unit.run.test_trace import exchange

TRACE: list[Traced] = [
    exchange("EndTxn(commit)", sent=1.0, made=Traced),
    exchange("Fetch(input)", sent=2.0, answered=6.0, made=Traced),
    exchange("Heartbeat", sent=3.0, times=5, last=9.0, made=Traced),
    exchange("EndTxn(abort)", sent=8.0, instance=1, made=Traced),
]
EVENTS: list[Any] = [
    FaultInjected(
        t=10.0,
        fault_id="hold-1",
        kind="hold",
        instance=0,
        down_s=2.0,
        outlasts_session=False,
        wiped=False,
        evidence={},
    ),
    FaultHealed(t=14.0, fault_id="hold-1", kind="hold", instance=0),
    OutputsObserved(
        t=20.0, topic="out", partition=2, first_offset=50, last_offset=60, identities=[1, 2]
    ),
]


def steps(**keys: Any) -> list[str]:
    return [each.steps[0] for each in select(TRACE, **({"instance": None} | keys))]


def test_what_any_part_of_lies_within() -> None:
    assert steps(span=Span()) == ["EndTxn(commit)", "Fetch(input)", "Heartbeat", "EndTxn(abort)"]
    assert steps(span=Span(start=5.0, end=7.0)) == ["Fetch(input)", "Heartbeat"]
    assert steps(span=Span(end=2.0)) == ["EndTxn(commit)", "Fetch(input)"]
    assert steps(span=Span(), instance=1) == ["EndTxn(abort)"]
    with pytest.raises(UsageError, match="no instance 2"):
        steps(span=Span(), instance=2)


def test_around_a_fault_from_before_it_struck_to_after_its_heal() -> None:
    assert around("hold-1", EVENTS) == Span(start=9.0, end=16.0)


def test_around_a_record_by_when_it_was_read() -> None:
    for what in ("2@55", "out/2@60"):
        assert around(what, EVENTS) == Span(start=19.0, end=22.0)


@pytest.mark.parametrize("what", ["hold-2", "2@61", "other/2@55", "1@55"])
def test_around_what_is_not_there_is_refused(what: str) -> None:
    with pytest.raises(UsageError, match="--around"):
        around(what, EVENTS)
