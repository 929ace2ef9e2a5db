"""What a store tells its changelog, commit after commit."""

from __future__ import annotations

from pathlib import Path

from reference_app.streams.serde import STRING
from reference_app.streams.store import RocksStore


def test_writes_after_a_commit_without_any_are_still_told(tmp_path: Path) -> None:
    """A transaction may hold offsets only: what is written in the next one must not be missed."""
    store = RocksStore(tmp_path / "store", key=STRING, value=STRING)
    assert store.pending() == []
    store.put("account", "1")
    assert store.pending() == [(b"account", b"1")]
    store.close()
