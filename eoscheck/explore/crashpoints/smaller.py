"""Less load for a cell that is red: pure functions."""

from __future__ import annotations

import msgspec

from eoscheck.load import LoadSpec

_LEAST = 20.0
"""Records a second: with fewer an instance may have nothing to commit, and seem to stand still."""


def halved(load: LoadSpec) -> LoadSpec | None:
    """Half as many records a second, in transactions of half the size: as many transactions. None
    where that would be too few."""
    if load.rate / 2 < _LEAST:
        return None
    size = load.transaction_size
    return msgspec.structs.replace(
        load,
        rate=load.rate / 2,
        transaction_size=None if size is None else max(1, size // 2),
    )


def load_settings(load: LoadSpec, *, instead_of: LoadSpec) -> list[str]:
    """What `--set` has to say to get from one to the other."""
    settings = []
    if load.rate != instead_of.rate:
        settings.append(f"load.rate={load.rate:g}")
    if load.transaction_size != instead_of.transaction_size:
        settings.append(f"load.transaction_size={load.transaction_size}")
    return settings
