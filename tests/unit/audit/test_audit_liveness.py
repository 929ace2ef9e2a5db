"""STALLED: silence while input waits, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from eoscheck.audit.checks.liveness import check_stalled
from eoscheck.history import (
    Event,
    FaultHealed,
    FaultInjected,
    GroupSampled,
    LogSampled,
    OutputsObserved,
    RunFinished,
    SendsAcknowledged,
)

BOUND_S = 10.0


def injected(t: float) -> FaultInjected:
    return FaultInjected(
        t=t,
        fault_id="f",
        kind="kill",
        instance=0,
        down_s=1.0,
        outlasts_session=False,
        wiped=False,
        evidence={},
    )


def healed(t: float) -> FaultHealed:
    return FaultHealed(t=t, fault_id="f", kind="kill", instance=0)


def lag(t: float, records: int) -> GroupSampled:
    return GroupSampled(t=t, lag=records, committed={}, ends={})


def output(t: float, topic: str = "out") -> OutputsObserved:
    return OutputsObserved(
        t=t, topic=topic, partition=0, first_offset=0, last_offset=0, identities=[1]
    )


def stalled(history: list[Event]) -> list[tuple[float, float]]:
    found = check_stalled(history, topic="out", liveness_s=BOUND_S).found
    return [
        (anomaly.facts["from_s"], anomaly.facts["silence_s"])
        for each in found
        for anomaly in each.anomalies
    ]


def test_silence_after_the_heal_while_input_waits_is_a_stall() -> None:
    history: list[Event] = [output(1), injected(5), healed(6)]
    history += [lag(t, 50) for t in range(7, 20)]
    assert stalled(history) == [(6, 13)]


@pytest.mark.parametrize(
    "later",
    [
        pytest.param([lag(t, 50) for t in range(7, 16)], id="shorter than the bound"),
        pytest.param([lag(t, 50) for t in range(7, 16)] + [output(16), lag(20, 50)], id="output"),
        pytest.param([lag(t, 0 if t == 12 else 50) for t in range(7, 22)], id="drained once"),
        pytest.param([lag(t, 0) for t in range(7, 40)], id="nothing waits"),
        pytest.param([], id="nothing known"),
        pytest.param([RunFinished(t=8, drained=True, reason=""), lag(30, 50)], id="after the run"),
    ],
)
def test_work_and_idleness_are_no_stall(later: list[Event]) -> None:
    assert stalled([output(1), injected(5), healed(6), *later]) == []


def test_a_stall_may_begin_long_after_the_heal_and_another_topic_does_not_end_it() -> None:
    history: list[Event] = [injected(5), healed(6), lag(7, 5), output(8), lag(9, 5)]
    history += [lag(15, 5), output(16, "other"), lag(21, 5)]
    assert stalled(history) == [(8, 13)]


def test_silence_during_the_faults_is_not_judged() -> None:
    history: list[Event] = [output(0), injected(1)]
    history += [lag(t, 5) for t in range(2, 30)]
    history += [healed(30), lag(31, 5), output(32), lag(33, 5)]
    assert stalled(history) == []
    assert stalled(history[:30]) != []  # never healed: counts from its planned end


def sent(offset: int) -> SendsAcknowledged:
    return SendsAcknowledged(
        t=2, topic="in", identities=[1], partitions=[0], offsets=[offset], intended=[2.0]
    )


@pytest.mark.parametrize(
    ("committed", "stalls"), [(9, [(6, 13)]), (10, [])], ids=["a record", "a marker"]
)
def test_what_waits_is_a_record_and_not_the_marker_behind_the_last_one(
    committed: int, stalls: list[tuple[float, float]]
) -> None:
    """Many clients commit up to the last record of a transaction: there is a lag of 1 for ever."""
    history: list[Event] = [output(1), sent(9), injected(5), healed(6)]
    history += [
        GroupSampled(t=t, lag=1, committed={0: committed}, ends={0: 11}) for t in range(7, 20)
    ]
    assert stalled(history) == stalls


def log(t: float, *, high_watermark: int, last_stable_offset: int) -> LogSampled:
    return LogSampled(
        t=t,
        topic="out",
        high_watermarks={0: high_watermark},
        last_stable_offsets={0: last_stable_offset},
    )


@pytest.mark.parametrize(
    ("stable_at", "stalls"),
    [
        pytest.param(lambda _t: 5, [(6, 13)], id="held back all the time"),
        pytest.param(lambda t: t if t == 12 else 5, [], id="let go once"),
        pytest.param(lambda t: t, [], id="nothing held back"),
    ],
)
def test_a_group_that_goes_on_behind_an_open_transaction_is_stalled(
    stable_at: Callable[[int], int], stalls: list[tuple[float, float]]
) -> None:
    """Its offsets are committed and its outputs written, and no reader is given them."""
    history: list[Event] = [output(1), injected(5), healed(6)]
    for t in range(7, 20):
        history += [log(t, high_watermark=t, last_stable_offset=stable_at(t)), lag(t, 0)]
    assert stalled(history) == stalls


def test_of_two_apps_the_one_that_does_not_go_on_is_told_though_the_other_has_finished() -> None:
    def sample(t: float, role: str, topic: str, committed: int) -> GroupSampled:
        return GroupSampled(
            t=t, lag=9 - committed, committed={0: committed}, ends={0: 9}, topic=topic, role=role
        )

    sent = SendsAcknowledged(
        t=0.0, topic="in", identities=[1], partitions=[0], offsets=[8], intended=[0.0]
    )
    history: list[Event] = [sent, output(0.5)]
    history += [
        each
        for t in range(1, 13)
        for each in (sample(t, "bill", "between", 3), sample(t + 0.1, "settle", "in", 9))
    ]
    assert stalled(history) == [(0.5, 11.6)]
