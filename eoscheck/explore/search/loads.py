"""Loads that an app finds harder than the scenario's own: what a schedule says of `[load]`."""

from __future__ import annotations

from eoscheck.load.spec import LoadSpec

Knobs = dict[str, float | int]
"""Keys of `[load]` that differ from the scenario's."""

_BUSY = 3
_LARGER = 2
_BURST_S = 3.0


def busy(load: LoadSpec) -> Knobs:
    """So many times the rate: a process that is stopped is stopped at work. Transactions come one
    after the other: they are larger, for so many would not fit, and yet more of them."""
    knobs: Knobs = {"rate": load.rate * _BUSY}
    if load.transaction_size is not None:
        knobs["transaction_size"] = load.transaction_size * _LARGER
    return knobs


def in_bursts(load: LoadSpec) -> Knobs:
    """As `busy`, but nothing for seconds and then all of it at once, as a large transaction becomes
    readable: more than a consumer processes before its next commit. Without transactions nothing
    can be held back."""
    knobs = busy(load)
    if load.transaction_size is None:
        return knobs
    return {**knobs, "transaction_size": round(knobs["rate"] * _BURST_S)}
