"""Window stores: what can be read, what is dropped, and what never comes back."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reference_app.streams.serde import STRING
from reference_app.streams.store import Position
from reference_app.streams.stream_time import StreamTime
from reference_app.streams.topology import TimeWindows
from reference_app.streams.windows import WindowedStore, Windows

MINUTE = 60_000
RETENTION = 4 * MINUTE
SEGMENT = 2 * MINUTE


class Bench:
    """A store of windows of a minute, kept for four; its stream time is set by the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.time = StreamTime()
        self.clock = 0.0
        self.offset = 0
        self.reopen()

    def reopen(self) -> None:
        self.store = WindowedStore(
            self.folder / "store",
            key=STRING,
            value=STRING,
            retention_ms=RETENTION,
            clock=lambda: self.clock,
        )
        self.store.follow(self.time)
        self.windows = Windows(self.store, TimeWindows(MINUTE, grace_ms=MINUTE), self.time)

    def put_at(self, now: int, key: str, start: int, value: str) -> None:
        self.time.now = max(self.time.now, now)
        self.windows.put(key, start, value)

    def commit(self) -> None:
        self.offset += 1
        self.time.commit()
        self.store.commit(Position("topic-id", self.offset, 0.0))

    def on_disk(self) -> dict[tuple[int, str], str]:
        return dict(self.store.items())

    def bytes_on_disk(self) -> int:
        return sum(file.stat().st_size for file in (self.folder / "store").glob("*.sst"))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.store.close()


def test_a_key_has_a_value_for_each_window(bench: Bench) -> None:
    bench.put_at(MINUTE, "a", 0, "early")
    bench.put_at(MINUTE, "a", MINUTE, "late")
    assert bench.windows.get("a", 0) == "early"
    bench.commit()
    assert (bench.windows.get("a", 0), bench.windows.get("a", MINUTE)) == ("early", "late")
    assert bench.windows.get("b", 0) is None


def test_windows_lie_in_the_order_of_time_on_disk_and_in_the_changelog(bench: Bench) -> None:
    """One range delete drops the old ones only where their starts come first, as numbers do."""
    for start in (256 * MINUTE, MINUTE, 255 * MINUTE):
        bench.store.put((start, "a"), "1")
    assert sorted(key for key, _ in bench.store.pending()) == [
        start.to_bytes(8, "big") + b"a" for start in (MINUTE, 255 * MINUTE, 256 * MINUTE)
    ]


def test_a_window_closes_by_stream_time_after_its_grace(bench: Bench) -> None:
    bench.time.now = 2 * MINUTE - 1
    assert bench.windows.is_open(0)
    bench.time.now = 2 * MINUTE
    assert not bench.windows.is_open(0)
    assert bench.windows.is_open(MINUTE)


def test_a_window_past_its_retention_cannot_be_read_even_while_it_is_there(bench: Bench) -> None:
    bench.put_at(0, "a", 0, "1")
    bench.commit()
    bench.time.now = RETENTION - 1
    assert bench.windows.get("a", 0) == "1"
    bench.time.now = RETENTION
    assert bench.windows.get("a", 0) is None
    assert bench.on_disk() == {(0, "a"): "1"}, "its segment is still there"


def test_a_late_write_to_an_expired_window_is_refused_and_counted(bench: Bench) -> None:
    bench.put_at(RETENTION, "a", 0, "1")
    bench.windows.delete("a", 0)
    assert bench.store.pending() == []
    assert bench.store.refused == 2
    bench.windows.put("a", 1, "1")
    assert bench.store.refused == 2


def test_a_window_without_a_record_yet_cannot_be_written(bench: Bench) -> None:
    """A restore takes a window's start for a time that the stream has come to."""
    with pytest.raises(ValueError, match="stream time is 5"):
        bench.put_at(5, "a", 6, "1")


def test_whole_segments_are_dropped_with_the_commit(bench: Bench) -> None:
    for start in (0, MINUTE, SEGMENT):
        bench.put_at(start, "a", start, "1")
    bench.commit()
    # The first segment's last window is a minute before its end: both windows go at once.
    bench.put_at(SEGMENT + RETENTION - 2, "b", SEGMENT + RETENTION - 2, "1")
    bench.commit()
    assert (0, "a") in bench.on_disk()
    bench.time.now = SEGMENT + RETENTION - 1
    assert bench.store.has_changes, "nothing was written, and there is something to drop"
    bench.commit()
    assert bench.on_disk().keys() == {(SEGMENT, "a"), (SEGMENT + RETENTION - 2, "b")}
    assert not bench.store.has_changes


def test_a_window_that_expires_within_its_own_transaction_is_not_kept(bench: Bench) -> None:
    bench.put_at(0, "a", 0, "1")
    bench.time.now = SEGMENT + RETENTION
    bench.commit()
    assert bench.on_disk() == {}


def test_an_aborted_transaction_drops_nothing_and_writes_nothing(bench: Bench) -> None:
    bench.put_at(0, "a", 0, "1")
    bench.commit()
    bench.put_at(10 * RETENTION, "b", 10 * RETENTION, "1")
    assert bench.windows.get("a", 0) is None
    bench.store.rollback()
    bench.time.rollback()
    assert bench.windows.get("a", 0) == "1"
    assert bench.on_disk() == {(0, "a"): "1"}
    assert not bench.store.has_changes


def test_a_deleted_window_leaves_a_tombstone_and_nothing_on_disk(bench: Bench) -> None:
    bench.put_at(0, "a", 0, "1")
    bench.put_at(0, "b", 0, "1")
    bench.commit()
    bench.windows.delete("a", 0)
    assert bench.store.pending() == [(bytes(8) + b"a", None)]
    bench.commit()
    assert bench.on_disk() == {(0, "b"): "1"}
    bench.store.restore([(bytes(8) + b"b", None)], Position("topic-id", 9, 0.0))
    assert bench.on_disk() == {}


def test_dropped_segments_give_their_disk_back(bench: Bench) -> None:
    chance = random.Random(0)
    for start in range(0, SEGMENT, MINUTE // 4):
        for number in range(400):
            bench.put_at(start, f"key-{number}", start, chance.randbytes(300).hex())
    bench.commit()
    bench.store.finish_restore(Position("topic-id", bench.offset, 0.0))
    bench.store._db.flush(wait=True)
    full = bench.bytes_on_disk()
    bench.time.now = SEGMENT + RETENTION
    bench.clock = 100.0
    bench.commit()
    assert bench.bytes_on_disk() < full / 10


def test_disk_is_given_back_now_and_then_however_fast_stream_time_runs(bench: Bench) -> None:
    compacted: list[float] = []
    real = bench.store._db

    class Watched:
        def compact_range(self, begin: bytes, end: bytes) -> None:
            compacted.append(bench.clock)

        def __getattr__(self, name: str) -> object:
            return getattr(real, name)

    bench.store._db = Watched()  # type: ignore[assignment]
    for turn in range(1, 100):
        bench.clock = float(turn)
        bench.time.now = RETENTION + turn * SEGMENT
        bench.commit()
    assert compacted == [float(turn) for turn in range(1, 100, 10)]


# -- restoring


def changelog(*starts: int) -> list[tuple[bytes, bytes | None]]:
    return [(start.to_bytes(8, "big") + b"a", b"1") for start in starts]


def test_a_changelog_that_still_holds_an_expired_window_does_not_bring_it_back(
    bench: Bench,
) -> None:
    bench.store.restore(changelog(0, RETENTION), Position("topic-id", 2, 0.0))
    bench.store.finish_restore(Position("topic-id", 2, 0.0))
    bench.time.resume(RETENTION)
    assert bench.windows.get("a", 0) is None
    assert bench.windows.get("a", RETENTION) == "1"


def test_a_standby_drops_segments_by_what_it_reads(bench: Bench) -> None:
    """It has no task, and so no stream time: the windows themselves say how late it is."""
    newest = SEGMENT + RETENTION
    bench.store.restore(changelog(0, SEGMENT), Position("topic-id", 2, 0.0))
    bench.store.restore(changelog(newest), Position("topic-id", 3, 0.0))
    assert bench.on_disk().keys() == {(SEGMENT, "a"), (newest, "a")}
    bench.store.restore(changelog(MINUTE), Position("topic-id", 4, 0.0))
    assert (MINUTE, "a") not in bench.on_disk()


def test_what_was_dropped_stays_dropped_where_stream_time_was_lost(bench: Bench) -> None:
    bench.put_at(SEGMENT + RETENTION, "a", SEGMENT + RETENTION, "1")
    bench.commit()
    bench.store.close()
    bench.time = StreamTime()
    bench.reopen()
    bench.put_at(0, "a", 0, "again")
    assert bench.windows.get("a", 0) is None
    assert bench.store.refused == 1
    bench.store.restore(changelog(0), Position("topic-id", 5, 0.0))
    assert (0, "a") not in bench.on_disk()


def test_a_wiped_store_takes_every_window_again(bench: Bench) -> None:
    bench.put_at(SEGMENT + RETENTION, "a", SEGMENT + RETENTION, "1")
    bench.commit()
    bench.store.wipe()
    bench.time.resume(-1)
    bench.put_at(0, "a", 0, "1")
    assert bench.windows.get("a", 0) == "1"


# Each transaction moves stream time on by a segment, drops one, and writes its own number to all
# keys of the newest window. Whatever the instant of the kill, what is there is of one commit.
WRITER = """
import sys
from pathlib import Path
from reference_app.streams.serde import STRING
from reference_app.streams.store import Position
from reference_app.streams.stream_time import StreamTime
from reference_app.streams.windows import WindowedStore
store = WindowedStore(Path(sys.argv[1]) / "store", key=STRING, value=STRING, retention_ms=240_000)
time = StreamTime()
store.follow(time)
number = store.position.offset if store.position else 0
while True:
    print(number, flush=True)
    number += 1
    time.now = number * 120_000
    for key in range(300):
        store.put((time.now, str(key)), str(number))
    store.commit(Position("topic-id", number, 0.0))
"""


@pytest.mark.thorough
def test_a_kill_at_any_instant_leaves_the_windows_of_one_commit(tmp_path: Path) -> None:
    chance = random.Random(7)
    dropped = False
    for _ in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            told = [int(process.stdout.readline()) for _ in range(10)][-1]
            time.sleep(chance.uniform(0.0, 0.02))
            process.send_signal(signal.SIGKILL)
        store = WindowedStore(tmp_path / "store", key=STRING, value=STRING, retention_ms=240_000)
        assert store.position is not None
        number = store.position.offset
        content = dict(store.items())
        floor = store.floor
        store.close()
        assert number >= told
        # The retention is two segments long: theirs and the newest one's windows are there.
        kept = range(max(number - 2, 1), number + 1)
        assert content == {(n * SEGMENT, str(k)): str(n) for n in kept for k in range(300)}
        dropped = dropped or floor > SEGMENT
    assert dropped, "nothing was dropped: the test proved nothing"
