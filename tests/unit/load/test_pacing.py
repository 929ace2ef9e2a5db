"""Open-loop pacing."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from eoscheck.load.pacing import LONGEST_WAIT_S, Paced, Unpaced, wait_s


def test_records_are_due_at_the_rate_from_the_start() -> None:
    pacing = Paced(rate=10, start=100.0)
    assert pacing.due(99.9) == 0
    assert pacing.due(100.0) == 1
    assert pacing.due(100.05) == 1
    assert pacing.due(100.1) == 2
    assert pacing.due(101.0) == 11


def test_intended_times_do_not_move_when_the_sender_was_held_up() -> None:
    pacing = Paced(rate=10, start=0.0)
    pacing.due(0.0)
    assert pacing.due(5.0) == 51  # all that was missed is due at once
    assert [pacing.intended(seq) for seq in (0, 1, 50)] == [0.0, 0.1, 5.0]


@given(
    rate=st.floats(0.1, 200_000),
    start=st.floats(0, 1e5),
    seq=st.integers(0, 10_000_000),
)
def test_a_record_is_due_at_its_intended_time_and_not_before(
    rate: float, start: float, seq: int
) -> None:
    pacing = Paced(rate=rate, start=start)
    assert pacing.due(pacing.intended(seq) + 1e-6) >= seq + 1
    assert pacing.due(pacing.intended(seq) - max(0.5 / rate, 1e-6)) <= seq


def test_without_a_rate_everything_is_due_and_intended_when_it_is_sent() -> None:
    pacing = Unpaced(start=1.0)
    assert pacing.intended(0) == 1.0
    assert pacing.due(2.5) == math.inf
    assert pacing.intended(10**6) == 2.5


@given(gap=st.floats(-10, 10))
def test_a_wait_is_bounded_and_never_so_short_that_the_client_would_spin(gap: float) -> None:
    wait = wait_s(gap)
    assert wait == 0 if gap <= 0 else 0.001 < wait <= LONGEST_WAIT_S
