"""What a subject says about rebuilding its state, and what is seen of it, as events of a run."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class RestoreStarted(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="restore_started"
):
    """An instance begins to read a partition of a changelog, at `start`. `end` is where it says it
    will stop (exclusive). `store` is the name of the store, or of the changelog topic."""

    t: float
    instance: int
    store: str
    partition: int
    start: int
    end: int


class RestoreEnded(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="restore_ended"
):
    """It is done, and goes to work: with everything below `restored_to`, it says."""

    t: float
    instance: int
    store: str
    partition: int
    restored_to: int


class ChangelogSampled(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="changelog_sampled"
):
    """The high watermark of each partition of a changelog, as the harness saw it."""

    t: float
    topic: str
    high_watermarks: dict[int, int]


RestoreEvent: TypeAlias = RestoreStarted | RestoreEnded
