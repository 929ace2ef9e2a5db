"""Durations as people write them: `500ms`, `2s`, `1m30s`."""

from __future__ import annotations

import durationpy

from eoscheck.errors import UsageError


def parse_duration(text: str, *, what: str) -> float:
    """Seconds, never negative. `what` names the setting in the error.

    Raises UsageError for anything that is not a number with a unit, or a sequence of those.
    """
    try:
        seconds: float = durationpy.from_str(text).total_seconds()
    except durationpy.DurationError as error:
        raise UsageError(f"{what}: {text!r} is not a duration like '500ms' or '1m30s'") from error
    if seconds < 0:
        raise UsageError(f"{what}: {text!r} is negative")
    return seconds
