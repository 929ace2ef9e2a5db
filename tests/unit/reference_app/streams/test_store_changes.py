"""What a store tells its changelog and its readers, commit after commit."""

from __future__ import annotations

from pathlib import Path

from reference_app.streams.serde import STRING
from reference_app.streams.store import _CACHED_ENTRIES, Position, RocksStore

HERE = Position("topic-id", 1, 1.0)


def test_writes_after_a_commit_without_any_are_still_told(tmp_path: Path) -> None:
    """A transaction may hold offsets only: what is written in the next one must not be missed."""
    store = RocksStore(tmp_path / "store", key=STRING, value=STRING)
    assert store.pending() == []
    store.put("account", "1")
    assert store.pending() == [(b"account", b"1")]
    store.close()


def test_what_was_committed_is_read_after_a_rollback_and_not_what_was_not(tmp_path: Path) -> None:
    """Also from memory, where values stay that were read or committed before."""
    store = RocksStore(tmp_path / "store", key=STRING, value=STRING)
    store.put("kept", "1")
    store.put("deleted", "1")
    store.commit(HERE)
    store.delete("deleted")
    store.commit(HERE)
    store.put("kept", "2")
    store.put("deleted", "2")
    store.put("new", "2")
    store.rollback()
    assert [store.get(key) for key in ("kept", "deleted", "new")] == ["1", None, None]
    store.close()


def test_what_a_restore_brings_is_read_and_not_what_was_there_before(tmp_path: Path) -> None:
    store = RocksStore(tmp_path / "store", key=STRING, value=STRING)
    store.put("k", "before")
    store.commit(HERE)
    store.restore([(b"k", b"restored")], HERE)
    assert store.get("k") == "restored"
    store.put("k", "again")
    store.commit(HERE)
    store.wipe()
    assert store.get("k") is None
    store.close()


def test_values_in_memory_are_bounded(tmp_path: Path) -> None:
    store: RocksStore[str, str] = RocksStore(tmp_path / "store", key=STRING, value=STRING)
    for turn in range(3):
        for number in range(_CACHED_ENTRIES // 2 + 1):
            store.put(f"{turn}-{number}", "v")
        store.commit(HERE)
        assert len(store._cached) <= _CACHED_ENTRIES
    assert store.get("0-0") == "v"
    store.close()
