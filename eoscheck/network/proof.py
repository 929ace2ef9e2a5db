"""Whether a network fault bit, by what its links saw while it was on."""

from __future__ import annotations

from typing import Literal

from eoscheck.network.traffic import Traffic

Direction = Literal["to-broker", "from-broker", "both"]
Bite = Literal["carries", "swallows", "ends"]
"""How a fault shows: bytes that it `carries` otherwise than they came (latency, bandwidth, slicer);
bytes, or attempts to connect, that it `swallows` (timeout); connections that it `ends`."""


def why_missed(traffic: Traffic, *, bite: Bite, direction: Direction) -> str | None:
    """The reason, None where it bit."""
    came = _bytes(traffic, direction)
    match bite:
        case "carries" if came == 0:
            return f"no byte went through it ({_idle(traffic)})"
        case "swallows" if came == 0 and not traffic.attempts:
            return f"nothing went or tried to go through it ({_idle(traffic)})"
        case "ends" if traffic.ended == 0:
            return f"it ended no connection ({_idle(traffic)}, {came} bytes came)"
        case _:
            return None


def _bytes(traffic: Traffic, direction: Direction) -> int:
    to_broker = 0 if direction == "from-broker" else traffic.to_broker
    from_broker = 0 if direction == "to-broker" else traffic.from_broker or 0
    return to_broker + from_broker


def _idle(traffic: Traffic) -> str:
    new = "" if traffic.attempts is None else f", {traffic.attempts} new ones meanwhile"
    return f"{traffic.connections} connections at its start{new}"
