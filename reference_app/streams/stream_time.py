"""Stream time: how far event time has come for a task, kept beside its committed offset."""

from __future__ import annotations

from dataclasses import dataclass

NO_TIME = -1
"""Before the first record."""

_MARK = "stream-time:"


@dataclass(frozen=True)
class Committed:
    """A group's committed offset, -1 where there is none, and the stream time it was told with."""

    offset: int
    stream_time: int = NO_TIME


class StreamTime:
    """The highest event time, in Unix ms, among the records that a task has processed.

    `now` counts those of the open transaction, the record at hand included. It travels in the
    metadata of the committed offset, so that it is committed or aborted with the records it is of.
    """

    def __init__(self) -> None:
        self.now = NO_TIME
        self._committed = NO_TIME

    def resume(self, at: int) -> None:
        """A task goes on from what was committed."""
        self.now = self._committed = at

    def commit(self) -> None:
        self._committed = self.now

    def rollback(self) -> None:
        self.now = self._committed


def to_metadata(stream_time: int) -> str:
    """The metadata of an offset that is committed at `stream_time`."""
    return f"{_MARK}{stream_time}"


def from_metadata(metadata: str | None) -> int:
    """The stream time in an offset's metadata; NO_TIME where somebody else committed it."""
    text = (metadata or "").rstrip("\0")
    digits = text.removeprefix(_MARK)
    return int(digits) if text.startswith(_MARK) and digits.isdecimal() else NO_TIME
