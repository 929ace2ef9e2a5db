"""Many measured records into Locust's statistics at once.

Firing `events.request` for each of 20 000 records a second would cost more than sending them, and
for a sample of them would count wrong. Locust adds up the reports of its workers by
`StatsEntry.extend`: here the columns of a quarter of a second become such an entry, rounded by
Locust's own function, and are added in the same way. Counts, sums, extremes and the distribution
come out as if each record had been logged.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from locust.stats import RequestStats, StatsEntry, StatsError, bucket_response_time
from numpy.typing import NDArray

METHOD = "KAFKA"


def log_many(
    stats: RequestStats, name: str, milliseconds: NDArray[np.float64], *, at: float, total: bool
) -> None:
    """Adds a request for each of `milliseconds`, counted in the second of `at` (Unix time).
    `total`: they count in Locust's aggregated row too."""
    if not len(milliseconds):
        return
    entry = _entry(stats, name, at)
    whole, counts = np.unique(np.rint(milliseconds).astype(np.int64), return_counts=True)
    for value, count in zip(whole.tolist(), counts.tolist(), strict=True):
        entry.response_times[bucket_response_time(value)] += count
    entry.num_requests = len(milliseconds)
    # Locust's own are floats as well where it measures: only its annotations say int.
    entry.total_response_time = cast(int, float(milliseconds.sum()))
    entry.min_response_time = cast(int, float(milliseconds.min()))
    entry.max_response_time = cast(int, float(milliseconds.max()))
    entry.num_reqs_per_sec[int(at)] = len(milliseconds)
    _add(stats, entry, total=total)


def log_failures(stats: RequestStats, name: str, reason: str, count: int, *, at: float) -> None:
    """Adds `count` requests that failed, and that nobody timed."""
    entry = _entry(stats, name, at)
    entry.num_requests = entry.num_none_requests = entry.num_failures = count
    entry.num_reqs_per_sec[int(at)] = entry.num_fail_per_sec[int(at)] = count
    _add(stats, entry, total=True)
    _count_error(stats, METHOD, name, reason, count)


def log_event(
    stats: RequestStats,
    method: str,
    name: str,
    milliseconds: float,
    *,
    error: str | None,
    at: float,
) -> None:
    """One of what is no record: it has a row, and counts in no rate."""
    entry = StatsEntry(stats, name, method)
    entry.last_request_timestamp = at
    whole = round(milliseconds)
    entry.response_times[bucket_response_time(whole)] = entry.num_requests = 1
    entry.num_reqs_per_sec[int(at)] = 1
    entry.total_response_time = entry.min_response_time = entry.max_response_time = whole
    if error is not None:
        entry.num_failures = entry.num_fail_per_sec[int(at)] = 1
        _count_error(stats, method, name, error, 1)
    _add(stats, entry, total=False)


def _count_error(stats: RequestStats, method: str, name: str, error: str, count: int) -> None:
    key = StatsError.create_key(method, name, error)
    if key not in stats.errors:
        stats.errors[key] = StatsError(method, name, error)
    stats.errors[key].occurrences += count


def _entry(stats: RequestStats, name: str, at: float) -> StatsEntry:
    entry = StatsEntry(stats, name, METHOD)
    entry.start_time = entry.last_request_timestamp = at
    return entry


def _add(stats: RequestStats, entry: StatsEntry, *, total: bool) -> None:
    for whole in (stats.get(entry.name, entry.method), *([stats.total] if total else [])):
        entry.start_time = whole.start_time  # it is when the statistics began, not their records
        whole.extend(entry)
