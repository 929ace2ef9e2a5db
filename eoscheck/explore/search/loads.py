"""A load that an app finds harder than the scenario's own: what a schedule says of `[load]`."""

from __future__ import annotations

from eoscheck.load.spec import LoadSpec

_BUSY = 3
_LARGER = 2


def busy(load: LoadSpec) -> dict[str, float | int]:
    """So many times the rate: what is struck is struck at work. Transactions come one after the
    other: they are larger, for so many would not fit, and yet more of them."""
    knobs: dict[str, float | int] = {"rate": load.rate * _BUSY}
    if load.transaction_size is not None:
        knobs["transaction_size"] = load.transaction_size * _LARGER
    return knobs
