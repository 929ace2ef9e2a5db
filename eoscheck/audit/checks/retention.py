"""RETENTION_BREACH: a window that can be read for too long, or was gone too early.

Judged from what a store gave when it was read (a dump). Never by what is left in its changelog:
that is cleaned when the broker gets round to it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from eoscheck.audit.checks.outcome import Anomaly, Checked, Doubt, Found
from eoscheck.audit.checks.tables import (
    NOBODY,
    TableRows,
    group,
    knows_partitions,
    last_values,
)
from eoscheck.audit.findings import Code
from eoscheck.audit.oracles.windows import Retention, StreamTimes
from eoscheck.audit.rows.block import Numbers
from eoscheck.audit.rows.columns import Flags, Integers
from eoscheck.audit.rows.records import Place


def check_retention(
    dump: TableRows,
    changelog: TableRows,
    *,
    retention: Retention,
    limit: int,
) -> Checked:
    """Windows of the dump that should be gone by the stream time when it was made, and windows of
    the changelog that should be in it.

    A window is *dropped* early where the dump's partition holds nothing as old any more: one that
    is missing among others as old is STATE_DIVERGED, which is another check's.
    """
    assert dump.window is not None
    assert changelog.window is not None
    assert dump.times is not None
    times = dump.times
    kept, unjudged = _kept_too_long(dump, retention=retention, times=times)
    early, doubtful = _gone_early(dump, changelog, retention=retention, times=times)
    topic = changelog.topic or changelog.name
    anomalies = [
        _readable(dump, int(row), topic=topic, retention=retention, times=times)
        for row in kept[:limit]
    ]
    anomalies += [
        _gone(dump, changelog, int(row), retention=retention, times=times)
        for row in early[: limit - len(anomalies)]
    ]
    unknowns = []
    if unjudged:
        unknowns.append(
            _doubt(
                unjudged,
                f"{{count}} windows of {dump.name} are not judged: no stream time is known",
            )
        )
    if doubtful:
        unknowns.append(
            _doubt(
                doubtful,
                f"{{count}} windows of {topic} are not in {dump.name}, and may be past their "
                "retention: state stream_time_ms in the dump",
            )
        )
    total = len(kept) + len(early)
    return Checked(
        found=[Found(code=Code.RETENTION_BREACH, total=total, anomalies=anomalies)]
        if total
        else [],
        unknowns=unknowns,
        counts={"judged_windows": len(dump) - unjudged},
    )


def dropped(start: Integers, partition: Integers, oldest: Mapping[int, int]) -> Flags:
    """Windows older than everything that the dump of their partition holds."""
    beginning = int(np.iinfo(np.int64).min)  # a partition that holds none has dropped none
    floor = np.full(len(start), beginning, dtype=np.int64)
    for each in np.unique(partition).tolist():
        floor[partition == each] = oldest.get(each, oldest.get(NOBODY, beginning))
    return np.asarray(start < floor)


def _kept_too_long(
    dump: TableRows, *, retention: Retention, times: StreamTimes
) -> tuple[Integers, int]:
    """Rows, and how many cannot be judged."""
    assert dump.window is not None
    now, known = times.at_least(dump.partition)
    has_start = known_of(dump.window)
    judged = known & has_start
    gone = retention.must_be_gone(dump.window.value, now) & judged
    return np.flatnonzero(gone), int((~judged).sum())


def _gone_early(
    dump: TableRows,
    changelog: TableRows,
    *,
    retention: Retention,
    times: StreamTimes,
) -> tuple[Integers, int]:
    """Rows of the changelog whose windows were dropped too early, and how many may have been."""
    window = changelog.window
    assert window is not None
    groups = group(changelog, dump, by_partition=knows_partitions(dump))
    logged = last_values(changelog, groups, 0, below=dump.below)
    stored = np.zeros(groups.count, dtype=np.bool_)
    stored[groups.of[1]] = True
    rows = logged.row[(logged.row != NOBODY) & ~stored & ~logged.unclear]
    rows = rows[changelog.alive()[rows] & known_of(window)[rows]]
    start, partition = window.value[rows], changelog.partition[rows]
    rows = rows[dropped(start, partition, dump.oldest or {})]
    start, partition = window.value[rows], changelog.partition[rows]
    latest, known = times.at_most(partition)
    early = known & retention.must_be_there(start, latest)
    least, some = times.at_least(partition)
    doubtful = ~known & ~(some & ~retention.must_be_there(start, least))
    return rows[early], int(doubtful.sum())


def known_of(window: Numbers) -> Flags:
    if window.known is not None:
        return window.known
    return np.ones(len(window.value), dtype=np.bool_)


def _readable(
    dump: TableRows, row: int, *, topic: str, retention: Retention, times: StreamTimes
) -> Anomaly:
    assert dump.window is not None
    start, now = int(dump.window.value[row]), _time(times, dump, row)
    over = now - start - retention.retention_ms - retention.slack_ms
    return Anomaly(
        place=Place(topic, int(dump.partition[row]), -1),
        offsets=[],
        detail=f"the window from {start} is still in {dump.name}, {over} ms of stream time after "
        f"its retention of {retention.retention_ms} ms and a segment of {retention.slack_ms} ms",
        identity=dump.name_of(row) if dump.name_of else None,
        facts=_facts(start, now, retention),
    )


def _gone(
    dump: TableRows, changelog: TableRows, row: int, *, retention: Retention, times: StreamTimes
) -> Anomaly:
    assert changelog.window is not None
    start, now = int(changelog.window.value[row]), _time(times, changelog, row)
    place = changelog.place(row)
    assert place is not None
    return Anomaly(
        place=place,
        offsets=[place.offset],
        detail=f"the window from {start} is gone from {dump.name} at stream time {now}, within its "
        f"retention of {retention.retention_ms} ms",
        related={"copies": [place]},
        facts=_facts(start, now, retention),
    )


def _time(times: StreamTimes, table: TableRows, row: int) -> int:
    return int(times.at_least(table.partition[row : row + 1])[0][0])


def _facts(start: int, now: int, retention: Retention) -> dict[str, object]:
    return {
        "window_start_ms": start,
        "stream_time_ms": now,
        "retention_ms": retention.retention_ms,
        "segment_ms": retention.slack_ms,
    }


def _doubt(count: int, reason: str) -> Doubt:
    return Doubt(subject=Code.RETENTION_BREACH, reason=reason, count=count)
