"""When a subject has finished its input: bounded waits on what can be observed."""

from __future__ import annotations

import time
from collections.abc import Callable

from eoscheck.cluster.view import ClusterView
from eoscheck.errors import EoscheckError
from eoscheck.history.progress import Progress

_POLL_S = 0.1
_QUIET_S = 5.0
_SETTLED_S = 1.0


def wait_drained(
    *,
    progress: Progress,
    view: ClusterView,
    group: str | None,
    input_topic: str,
    timeout_s: float,
    now: Callable[[], float],
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[bool, str]:
    """Waits until the subject has committed all its input: (done, what was seen, in words).

    Without a group there is nothing to ask: then it is done when no output came for a while.
    """
    deadline = now() + timeout_s
    missing = ""
    while now() < deadline:
        if group is None:
            if now() - progress.last_output_at >= _QUIET_S:
                return True, f"no output for {_QUIET_S:g} s"
        else:
            missing = _missing(progress, view=view, group=group, topic=input_topic)
            if not missing:
                return True, f"group {group} has committed all {sum(progress.due.values())} offsets"
        sleep(_POLL_S)
    waited = f"waited {timeout_s:g} s for the subject to finish its input"
    return False, f"{waited}: {missing or 'outputs still come'}"


def _missing(progress: Progress, *, view: ClusterView, group: str, topic: str) -> str:
    try:
        committed = view.committed(group, topic, require_stable=False)
    except EoscheckError as error:
        return str(error)
    behind = {
        partition: due - committed.get(partition, 0)
        for partition, due in sorted(progress.due.items())
        if committed.get(partition, 0) < due
    }
    if not behind:
        return ""
    return "group {} lacks {}".format(
        group, ", ".join(f"{count} offsets of {topic}/{part}" for part, count in behind.items())
    )


def wait_observed(
    *,
    progress: Progress,
    view: ClusterView,
    topic: str,
    now: Callable[[], float],
    timeout_s: float = 10.0,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Gives the live reader time to see the last committed outputs, for the figures' sake: the
    audit reads the topic itself, so a reader that is late costs figures and no verdict.

    A partition's end may be a transaction's marker, which no reader is given: so this waits until
    nothing new has come for a moment, not for an offset.
    """
    ends = view.last_stable_offsets(topic)
    deadline = now() + timeout_s
    while now() < deadline:
        behind = any(end > progress.observed_to.get(part, 0) + 1 for part, end in ends.items())
        quiet = now() - progress.last_output_at
        if quiet >= (_SETTLED_S if behind else 0.0):
            return
        sleep(_POLL_S)
