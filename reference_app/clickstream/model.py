"""What clicks and views look like. Times are Unix milliseconds."""

from __future__ import annotations

from typing import Annotated

import msgspec

Milliseconds = Annotated[int, msgspec.Meta(ge=0)]


class Click(msgspec.Struct, frozen=True, gc=False):
    """A record of the input; its key is what views are counted by. Further fields are ignored."""

    event_id: str
    user: str
    url: str
    time_ms: Milliseconds


class Views(msgspec.Struct, frozen=True, gc=False):
    """A value of the store `views`."""

    views: int


class PageView(msgspec.Struct, frozen=True, gc=False):
    """A click with the running count of its key. After a crash both may be told twice, and the
    count may be too high."""

    event_id: str
    user: str
    url: str
    time_ms: Milliseconds
    views: int


class UniqueView(msgspec.Struct, frozen=True, gc=False):
    """A page view that was not seen before."""

    event_id: str
    user: str
    url: str
    time_ms: int


class LatestView(msgspec.Struct, frozen=True, gc=False):
    """The last unique view of a key, and how many unique views it had."""

    event_id: str
    url: str
    time_ms: int
    views: int
