"""Bugs in windows and in the stream time that closes them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from reference_app.bugs.bug import Bug
from reference_app.streams.stream_time import NO_TIME, StreamTime
from reference_app.streams.windows import WindowedStore

_FOR_EVER_MS = 2**62


class _StartsAnew(StreamTime):
    def resume(self, at: int) -> None:
        super().resume(NO_TIME)


def _for_ever(path: Path, **rest: Any) -> WindowedStore[Any, Any]:
    return WindowedStore(path, **{**rest, "retention_ms": _FOR_EVER_MS})


STREAM_TIME_LOST = Bug(
    name="stream-time-lost",
    breaks="Stream time is committed with the offset and goes on from there: here it starts anew "
    "with each start of a task, and windows that were closed take late records again.",
    like="Kafka Streams before it kept a partition's time in the metadata of its committed offset.",
    anomalies=("WRONG_RESULT", "STATE_DIVERGED"),
    fault="kill and terminate, and late records after the restart",
    scenario="zoo-late-payments",
    matrix="crashpoints-alerts",
    breed=lambda parts: replace(parts, stream_time=_StartsAnew),
)
WINDOW_RETENTION_IGNORED = Bug(
    name="window-retention-ignored",
    breaks="Windows are dropped, in whole segments, once they are past their retention: here they "
    "are kept, readable, for ever.",
    like="Windows in a key-value store, as keys with a time in them that nobody deletes.",
    anomalies=("RETENTION_BREACH",),
    fault="none: stream time goes on",
    scenario="zoo-windows",
    matrix="crashpoints-alerts",
    breed=lambda parts: replace(parts, window_store=_for_ever),
)
