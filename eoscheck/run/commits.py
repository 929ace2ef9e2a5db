"""A drain as its group's commits show it: how much was done in how much time, and for what."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from eoscheck.cluster.view import ClusterView
from eoscheck.errors import EoscheckError, InfrastructureError
from eoscheck.measure.figures import Drain
from eoscheck.run.meter import Spent

_POLL_S = 0.02
_TIMEOUT_S = 120.0


class FewCommitsError(InfrastructureError):
    """The backlog was done before there was anything to time."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """What of a drain is timed: from the first commit past `warm_up` records to the first one that
    is `seconds` later, or to the last one before the end of the backlog."""

    warm_up: float
    seconds: float = float("inf")


@dataclass(frozen=True, kw_only=True)
class _Mark:
    t: float
    done: int
    spent: Spent


def committed_yet(view: ClusterView, group: str, topic: str) -> dict[int, int]:
    """By partition; nothing where it cannot be told: a group is not there before its first
    commit."""
    try:
        return view.committed(group, topic, require_stable=False)
    except EoscheckError:
        return {}


def follow_commits(
    *,
    label: str,
    due: Mapping[int, int],
    window: Window,
    committed: Callable[[], Mapping[int, int]],
    spent: Callable[[], Spent],
    check: Callable[[], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Drain:
    """`due` and `committed` are offsets by partition. From commit to commit, because the last one
    of all may have waited for its interval with nothing left to do.

    Raises InfrastructureError where the backlog is not done in time, FewCommitsError where it is
    done before there were two.
    """
    total = sum(due.values())
    wait_s = _TIMEOUT_S if window.seconds == float("inf") else _TIMEOUT_S + 4 * window.seconds
    deadline = clock() + wait_s
    first: _Mark | None = None
    last: _Mark | None = None
    seen = 0
    while (now := clock()) < deadline:
        done = sum(min(offset, due.get(part, 0)) for part, offset in committed().items())
        if first is None:
            if window.warm_up <= done < total:
                first = _Mark(t=now, done=done, spent=spent())
        elif seen < done < total:
            last = _Mark(t=now, done=done, spent=spent())
        ended = done >= total or (last is not None and now - _start(first) >= window.seconds)
        if ended:
            return _between(label, first, last, total)
        seen = done
        check()
        sleep(_POLL_S)
    raise InfrastructureError(f"{label} did not drain {total} records within {wait_s:g} s")


def _start(first: _Mark | None) -> float:
    return float("inf") if first is None else first.t


def _between(label: str, first: _Mark | None, last: _Mark | None, total: int) -> Drain:
    if first is None or last is None:
        raise FewCommitsError(
            f"{label} drained {total} records in fewer than three commits: give it more records"
        )
    before, after = first.spent, last.spent
    brokers = None
    if before.brokers_s is not None and after.brokers_s is not None:
        brokers = after.brokers_s - before.brokers_s
    return Drain(
        label=label,
        seconds=last.t - first.t,
        records=last.done - first.done,
        # A process may have used less than its clock can tell.
        cpu_s=after.subject_s - before.subject_s or None,
        broker_cpu_s=brokers or None,
    )
