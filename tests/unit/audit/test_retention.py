"""Windows that can be read for too long, or are gone too early, by the store's stream time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from eoscheck.audit.checks.outcome import Anomaly, Checked
from eoscheck.audit.checks.retention import check_retention
from eoscheck.audit.checks.state import check_tables
from eoscheck.audit.checks.tables import TableRows
from eoscheck.audit.findings import Code
from eoscheck.audit.oracles.windows import (
    Retention,
    StreamTimes,
    from_prefix,
    from_suffix,
    window_expression,
    windowed_key,
)
from eoscheck.audit.rows.block import Numbers
from eoscheck.audit.rows.records import Place
from eoscheck.errors import UsageError
from tests.unit.audit.tables import Put, dump, reasons, table

LOG = "app-counts-changelog"
MINUTE = 60_000
RETENTION = Retention(retention_ms=10 * MINUTE, segment_ms=MINUTE)


def logged(*minutes: int, partition: int = 0) -> list[Put]:
    return [
        Put(partition, offset, f"k@{minute}", "1", minute * MINUTE)
        for offset, minute in enumerate(minutes)
    ]


def stored(
    *minutes: int,
    newest: int,
    stated: int | None = None,
    partition: int = 0,
    below: Mapping[int, int] | None = None,
) -> TableRows:
    """A dump with those windows; the newest window of the changelog starts at `newest`."""
    return dump(
        logged(*minutes, partition=partition),
        below={0: 2**60} if below is None and partition >= 0 else below,
        times=StreamTimes(
            newest={0: newest * MINUTE}, stated={} if stated is None else {0: stated * MINUTE}
        ),
        oldest={partition: min(minutes) * MINUTE} if minutes else {},
    )


def check(changelog: list[Put], found: TableRows) -> Checked:
    return check_retention(found, table(LOG, changelog), retention=RETENTION, limit=10)


def only(checked: Checked) -> Anomaly:
    assert not checked.unknowns
    (found,) = checked.found
    assert found.code is Code.RETENTION_BREACH
    assert found.total == 1
    return found.anomalies[0]


def test_a_window_that_is_readable_a_segment_after_its_retention_is_a_breach() -> None:
    found = only(check(logged(5, 20), stored(5, 20, newest=20)))
    assert found.identity == "k@5"
    assert found.place == Place(LOG, 0, -1)
    assert found.facts == {
        "window_start_ms": 5 * MINUTE,
        "stream_time_ms": 20 * MINUTE,
        "retention_ms": 10 * MINUTE,
        "segment_ms": MINUTE,
    }
    assert "240000 ms of stream time after" in found.detail


@pytest.mark.parametrize("oldest", [10, 11])
def test_a_window_within_its_retention_and_a_segment_may_be_there(oldest: int) -> None:
    checked = check(logged(oldest, 20), stored(oldest, 20, newest=20))
    assert not checked.found
    assert not checked.unknowns


def test_what_is_left_in_the_changelog_says_nothing() -> None:
    checked = check(logged(1, 2, 3, 20), stored(20, newest=20))
    assert not checked.found
    assert not checked.unknowns


def test_stream_time_that_the_dump_states_counts_before_that_of_the_newest_window() -> None:
    assert not check(logged(12, 20), stored(12, 20, newest=20)).found
    only(check(logged(12, 20), stored(12, 20, newest=20, stated=23)))


def test_windows_dropped_before_their_time_are_a_breach_where_stream_time_is_stated() -> None:
    found = only(check(logged(15, 20), stored(20, newest=20, stated=20)))
    assert found.place == Place(LOG, 0, 0)
    assert "is gone from dump at stream time 1200000, within its retention" in found.detail


def test_windows_that_may_have_expired_are_unknown_where_stream_time_is_not_stated() -> None:
    checked = check(logged(15, 20), stored(20, newest=20))
    assert not checked.found
    (reason,) = reasons(checked)
    assert "state stream_time_ms in the dump" in reason


def test_a_window_that_is_missing_among_older_ones_is_a_diverged_state_instead() -> None:
    changelog, found = logged(15, 16, 20), stored(15, 20, newest=20, stated=20)
    assert not check(changelog, found).found
    (diverged,) = check_tables(table(LOG, changelog), [found], retention=RETENTION, limit=10).found
    assert diverged.code is Code.STATE_DIVERGED
    assert diverged.anomalies[0].place == Place(LOG, 0, 1)
    assert diverged.anomalies[0].facts["window_start_ms"] == 16 * MINUTE


def test_windows_dropped_early_are_one_anomaly_and_not_two() -> None:
    changelog, found = logged(15, 20), stored(20, newest=20, stated=20)
    checked = check_tables(table(LOG, changelog), [found], retention=RETENTION, limit=10)
    assert not checked.found
    assert not checked.unknowns


def test_expired_windows_do_not_diverge_wherever_they_still_are() -> None:
    changelog = [*logged(1, 10, 15, 20), Put(0, 9, "old@2", "1", 2 * MINUTE)]
    found = dump(
        [Put(0, 0, "k@1", "other", MINUTE), *logged(15, 20), Put(0, 9, "k@9", "1", 9 * MINUTE)],
        below={0: 100},
        times=StreamTimes(newest={0: 20 * MINUTE}),
        oldest={0: MINUTE},
    )
    checked = check_tables(table(LOG, changelog), [found], retention=RETENTION, limit=10)
    assert not checked.found
    assert not checked.unknowns


def test_a_live_window_with_another_value_diverges() -> None:
    found = dump(
        [Put(0, 0, "k@20", "2", 20 * MINUTE)],
        below={0: 100},
        times=StreamTimes(newest={0: 20 * MINUTE}),
        oldest={0: 20 * MINUTE},
    )
    (diverged,) = check_tables(table(LOG, logged(20)), [found], retention=RETENTION, limit=10).found
    assert diverged.total == 1


def test_two_changelogs_must_hold_the_same_live_windows() -> None:
    times = StreamTimes(newest={0: 20 * MINUTE}, exact=True)
    other = table("other", logged(20), times=times)
    (diverged,) = check_tables(
        table(LOG, logged(3, 15, 20)), [other], retention=RETENTION, limit=10
    ).found
    assert diverged.total == 1
    assert diverged.anomalies[0].place == Place(LOG, 0, 1)


def test_without_partitions_the_one_that_is_furthest_behind_decides() -> None:
    times = StreamTimes(newest={0: 20 * MINUTE, 1: 9 * MINUTE})
    found = dump([Put(-1, 0, "k@5", "1", 5 * MINUTE)], times=times, oldest={-1: 5 * MINUTE})
    assert not check(logged(5), found).found
    times.newest[1] = 20 * MINUTE
    only(check(logged(5), found))


def test_a_stream_time_stated_for_all_counts_for_each_partition() -> None:
    times = StreamTimes(newest={0: 20 * MINUTE}, stated={-1: 23 * MINUTE})
    whole = dump([Put(-1, 0, "k@12", "1", 12 * MINUTE)], times=times, oldest={-1: 12 * MINUTE})
    only(check(logged(12, 20), whole))
    headed = dump(
        [Put(0, 0, "k@12", "1", 12 * MINUTE)], below={0: 9}, times=times, oldest={0: 12 * MINUTE}
    )
    only(check(logged(12), headed))


def test_partitions_that_the_dump_does_not_hold_are_not_missed() -> None:
    changelog = [*logged(15, 20), *logged(15, 20, partition=1)]
    checked = check(changelog, stored(15, 20, newest=20, stated=20))
    assert not checked.found
    assert not checked.unknowns


def test_stream_time_is_the_newest_windows_below_the_dumps_offset() -> None:
    times = StreamTimes()
    starts = Numbers(np.array([1, 7, 9]), np.array([True, True, False]))
    times.add(0, np.array([0, 5, 6]), starts)
    times.add(1, np.array([0, 5, 6]), starts, below=5)
    times.add(1, np.array([7]), Numbers(np.array([100]), None), below=5)
    assert times.newest == {0: 7, 1: 1}


def test_a_segment_is_half_the_retention_and_a_minute_at_least() -> None:
    assert Retention(retention_ms=600_000).slack_ms == 300_000
    assert Retention(retention_ms=1_000).slack_ms == 60_000


@pytest.mark.parametrize(("form", "read"), [("suffix", from_suffix), ("prefix", from_prefix)])
def test_a_windows_start_is_read_from_its_key(form: str, read: object) -> None:
    key = windowed_key(form, b"account", 1_700_000_000_123)
    assert read(key, None, None) == 1_700_000_000_123  # type: ignore[operator]
    assert read(b"short", None, None) is None  # type: ignore[operator]
    assert read(None, None, None) is None  # type: ignore[operator]


def test_where_the_window_stands_must_be_said_in_a_known_form() -> None:
    assert window_expression("python:my.app:start") == "python:my.app:start"
    with pytest.raises(UsageError, match="write suffix"):
        window_expression("middle")
