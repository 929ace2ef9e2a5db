"""A fault that nothing went through, or tried to, is a miss, and says what there was instead."""

from __future__ import annotations

import pytest

from eoscheck.network.proof import Bite, Direction, why_missed
from eoscheck.network.traffic import Traffic


def traffic(
    *,
    to_broker: int = 0,
    from_broker: int | None = 0,
    ended: int = 0,
    attempts: int | None = 0,
) -> Traffic:
    return Traffic(
        to_broker=to_broker,
        from_broker=from_broker,
        connections=3,
        ended=ended,
        attempts=attempts,
    )


@pytest.mark.parametrize("bite", ["carries", "swallows"])
@pytest.mark.parametrize(
    ("seen", "direction", "bit"),
    [
        (traffic(to_broker=1), "to-broker", True),
        (traffic(to_broker=1), "from-broker", False),
        (traffic(to_broker=1), "both", True),
        (traffic(from_broker=1), "to-broker", False),
        (traffic(from_broker=1), "from-broker", True),
        (traffic(from_broker=1), "both", True),
        (traffic(to_broker=1, from_broker=None), "both", True),
        (traffic(from_broker=None), "both", False),
        (traffic(ended=1, attempts=None), "both", False),
    ],
)
def test_bytes_in_the_fault_s_direction_count(
    bite: Bite, seen: Traffic, direction: Direction, bit: bool
) -> None:
    assert (why_missed(seen, bite=bite, direction=direction) is None) is bit


def test_attempts_to_connect_count_for_what_swallows_only() -> None:
    seen = traffic(attempts=2)
    assert why_missed(seen, bite="swallows", direction="both") is None
    assert why_missed(seen, bite="carries", direction="both") == (
        "no byte went through it (3 connections at its start, 2 new ones meanwhile)"
    )


def test_what_ends_connections_must_have_ended_one() -> None:
    assert why_missed(traffic(ended=1), bite="ends", direction="both") is None
    assert why_missed(traffic(to_broker=9, attempts=None), bite="ends", direction="both") == (
        "it ended no connection (3 connections at its start, 9 bytes came)"
    )
