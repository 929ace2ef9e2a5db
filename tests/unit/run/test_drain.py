"""Waiting for a subject: on what can be observed, never for ever."""

from __future__ import annotations

from typing import Any

from eoscheck.errors import InfrastructureError
from eoscheck.history import OutputsObserved, SendsAcknowledged
from eoscheck.history.progress import Progress
from eoscheck.run.drain import wait_drained


class Clock:
    def __init__(self) -> None:
        self.t = 0.0

    def now(self) -> float:
        return self.t

    def sleep(self, seconds: float) -> None:
        self.t += seconds


class View:
    """A group that commits one offset a second, on each of two partitions."""

    def __init__(self, clock: Clock, *, stuck_at: int | None = None) -> None:
        self.clock = clock
        self.stuck_at = stuck_at

    def committed(self, group: str, topic: str, **_: Any) -> dict[int, int]:
        if self.clock.t < 1:
            raise InfrastructureError("no such group yet")
        done = int(self.clock.t)
        return {0: done, 1: done if self.stuck_at is None else min(done, self.stuck_at)}


def loaded() -> Progress:
    progress = Progress()
    progress(
        SendsAcknowledged(
            t=0.0,
            topic="in",
            identities=[0, 1, 2],
            partitions=[0, 1, 1],
            offsets=[2, 3, 4],
            intended=[0.0, 0.0, 0.0],
        )
    )
    return progress


def wait(view: View, clock: Clock, *, group: str | None = "g") -> tuple[bool, str]:
    progress = loaded()
    return wait_drained(
        progress=progress,
        due=progress.due,
        view=view,  # type: ignore[arg-type]
        group=group,
        input_topic="in",
        timeout_s=20,
        now=clock.now,
        sleep=clock.sleep,
    )


def test_drained_when_the_group_is_past_the_last_acknowledged_record_of_each_partition() -> None:
    clock = Clock()
    drained, _ = wait(View(clock), clock)
    assert drained
    assert (
        5 <= clock.t < 5.5
    )  # partition 1 is due up to offset 5; no marker behind it is waited for


def test_a_stuck_partition_ends_the_wait_and_is_named() -> None:
    clock = Clock()
    drained, reason = wait(View(clock, stuck_at=3), clock)
    assert not drained
    assert "2 offsets of in/1" in reason
    assert clock.t < 21


def test_without_a_group_the_outputs_falling_silent_is_the_end() -> None:
    clock = Clock()
    progress = loaded()
    progress(
        OutputsObserved(
            t=2.0, topic="o", partition=0, first_offset=0, last_offset=0, identities=[1]
        )
    )
    drained, _ = wait_drained(
        progress=progress,
        due=progress.due,
        view=View(clock),  # type: ignore[arg-type]
        group=None,
        input_topic="in",
        timeout_s=20,
        now=clock.now,
        sleep=clock.sleep,
    )
    assert drained
    assert clock.t >= 7
