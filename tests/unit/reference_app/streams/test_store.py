"""A store is always at one committed point: in memory, on disk, and after SIGKILL."""

from __future__ import annotations

import random
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reference_app.streams.errors import StateError
from reference_app.streams.serde import STRING
from reference_app.streams.store import Position, RocksStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RocksStore[str, str]]:
    opened = open_store(tmp_path)
    yield opened
    opened.close()


def open_store(folder: Path) -> RocksStore[str, str]:
    return RocksStore(folder / "store", key=STRING, value=STRING)


def at(offset: int) -> Position:
    return Position("topic-id", offset, 0.0)


def test_writes_of_the_open_transaction_are_read_back(store: RocksStore[str, str]) -> None:
    store.put("a", "1")
    assert store.get("a") == "1"
    store.delete("a")
    assert store.get("a") is None


def test_uncommitted_writes_are_not_durable(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.put("a", "1")
    store.commit(at(1))
    store.put("a", "2")
    store.put("b", "2")
    store.close()
    again = open_store(tmp_path)
    assert dict(again.items()) == {"a": "1"}
    assert again.position == at(1)
    again.close()


def test_a_rollback_goes_back_to_the_last_commit(store: RocksStore[str, str]) -> None:
    store.put("kept", "1")
    store.put("deleted", "1")
    store.commit(at(1))
    store.put("kept", "2")
    store.delete("deleted")
    store.put("new", "2")
    store.rollback()
    assert (store.get("kept"), store.get("deleted"), store.get("new")) == ("1", "1", None)
    assert store.pending() == []


def test_the_changelog_is_told_the_last_write_of_each_key(store: RocksStore[str, str]) -> None:
    store.put("a", "1")
    store.put("a", "2")
    store.put("b", "1")
    store.delete("b")
    assert store.pending() == [(b"a", b"2"), (b"b", None)]


def test_a_deletion_is_committed_like_a_write(store: RocksStore[str, str]) -> None:
    store.put("a", "1")
    store.commit(at(1))
    store.delete("a")
    store.commit(at(2))
    assert store.get("a") is None
    assert dict(store.items()) == {}


def test_no_key_can_hide_or_change_the_position(store: RocksStore[str, str]) -> None:
    for key in ("", "position", "d", "dposition", "zzz"):
        store.put(key, "value")
    store.commit(at(5))
    assert store.position == at(5)
    assert sorted(key for key, _ in store.items()) == ["", "d", "dposition", "position", "zzz"]


def test_a_wiped_store_is_empty_and_knows_no_position(store: RocksStore[str, str]) -> None:
    store.put("a", "1")
    store.commit(at(1))
    store.put("b", "1")
    store.wipe()
    assert (store.get("a"), store.get("b"), store.position) == (None, None, None)


def test_a_damaged_directory_is_given_up_for_the_changelog(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.put("a", "1")
    store.commit(at(1))
    store.close()
    for current in (tmp_path / "store").glob("CURRENT"):
        current.write_text("MANIFEST-999999\n")
    for manifest in (tmp_path / "store").glob("MANIFEST-*"):
        manifest.write_bytes(b"\x00garbage" * 50)
    again = open_store(tmp_path)
    assert again.position is None
    again.close()


# A restore without the write-ahead log, then transactions: each writes its own number to every key,
# and is told on stdout once it is committed. Whatever the instant of the kill, the store must say
# one number, no smaller than the last one told, with all that was restored.
WRITER = """
import sys
from pathlib import Path
from reference_app.streams.errors import StateError
from reference_app.streams.serde import STRING
from reference_app.streams.store import Position, RocksStore
store = RocksStore(Path(sys.argv[1]) / "store", key=STRING, value=STRING)
number = store.position.offset if store.position else 0
print(number, flush=True)
for batch in range(20):
    number += 1
    restored = [(f"restored-{batch}-{k}".encode(), b"r") for k in range(100)]
    restored += [(str(k).encode(), str(number).encode()) for k in range(300)]
    store.restore(restored, Position("topic-id", number, 0.0))
store.finish_restore(Position("topic-id", number, 0.0))
while True:
    print(number, flush=True)
    number += 1
    for k in range(300):
        store.put(str(k), str(number))
    store.commit(Position("topic-id", number, 0.0))
    for k in range(300):
        store.put(str(k), "uncommitted")
    store.rollback()
"""


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(3))
def test_a_store_killed_at_any_instant_opens_at_one_committed_point(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    told = 0
    complete = False
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            # The first line comes before the restore, the others after a commit each.
            lines = [process.stdout.readline() for _ in range(chance.choice([1, 2, 30]))]
            time.sleep(chance.uniform(0.0, 0.02))
            process.send_signal(signal.SIGKILL)
            lines += process.communicate()[0].splitlines(keepends=True)
        told = max([told, *(int(line) for line in lines if line.endswith(b"\n"))])
        store = open_store(tmp_path)
        content = dict(store.items())
        position = store.position
        store.close()
        if position is None:
            assert content == {}
            assert told == 0
            continue
        restored = [content.pop(key) for key in list(content) if key.startswith("restored-")]
        assert set(content.values()) == {str(position.offset)}
        assert len(content) == 300
        assert position.offset >= told, "a committed transaction was lost"
        complete = complete or len(lines) > 1
        if complete:
            assert len(restored) == 2_000, "what was restored before it was lost"
    assert told > 20, "no commit was reached: the test proved nothing"


@contextmanager
def no_file_may_grow_beyond(size: int) -> Iterator[None]:
    """As a full disk does it, for everybody and without one: a write fails half-way."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)


def test_a_commit_that_does_not_fit_is_told_and_the_one_before_stays(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    store.put("a", "1")
    store.commit(at(1))
    store.put("a", "2")
    store.put("b", "x" * 100_000)
    with no_file_may_grow_beyond(50_000):
        with pytest.raises(StateError, match="store cannot be written: IO error"):
            store.commit(at(2))
    store.close()  # although RocksDB refuses to flush
    del store  # and with it RocksDB's lock
    again = open_store(tmp_path)
    assert again.position == at(1)
    assert dict(again.items()) == {"a": "1"}
    again.close()
