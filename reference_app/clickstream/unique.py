"""page-views -> deduplicate (window store: seen; store: latest) -> unique-views, latest-views."""

from __future__ import annotations

from confluent_kafka import Message

from reference_app.clickstream.model import LatestView, PageView, UniqueView
from reference_app.streams import (
    STRING,
    Context,
    KeyValueStore,
    Processor,
    Sink,
    Source,
    Step,
    TimeWindows,
    Topology,
    WindowStore,
    json,
)

LATEST: KeyValueStore[str, LatestView] = KeyValueStore("latest", STRING, json(LatestView))
_SLICE_MS = 1_000
_SEEN = ""


def seen_store(bound_ms: int) -> WindowStore[str, str]:
    """Event ids, each in the slice of time of its event: known for `bound_ms` at least."""
    slices = TimeWindows(_SLICE_MS, grace_ms=bound_ms)
    return WindowStore("seen", STRING, STRING, windows=slices)


def viewed_at(view: PageView, _: Message) -> int:
    return view.time_ms


def unique_topology(
    *,
    page_views: str = "page-views",
    unique_views: str = "unique-views",
    latest_views: str = "latest-views",
    bound_ms: int = 600_000,
) -> Topology:
    """Each event once, whatever was written twice upstream, and each key's last one.

    An event that is older than `bound_ms`, by the stream time of its partition, is dropped: nobody
    knows any more whether it was seen. The counts are made anew here: those from upstream may hold
    an event twice.
    """
    seen = seen_store(bound_ms)
    unique: Sink[str, UniqueView] = Sink(unique_views, STRING, json(UniqueView))
    upserts: Sink[str, LatestView] = Sink(latest_views, STRING, json(LatestView))

    def deduplicate(context: Context) -> Step:
        known, latest = context.windows(seen), context.store(LATEST)
        send_unique, send_latest = context.sink(unique), context.sink(upserts)

        def step(key: str, view: PageView, _: Message) -> None:
            (start,) = seen.windows.starts(view.time_ms)
            if known.get(view.event_id, start) is not None:
                return
            known.put(view.event_id, start, _SEEN)
            if not known.is_open(start):
                return  # too old: the store refused it, and counts it among `late_writes`
            before = latest.get(key)
            views = 1 if before is None else before.views + 1
            now = LatestView(view.event_id, view.url, view.time_ms, views)
            latest.put(key, now)
            send_unique(key, UniqueView(view.event_id, view.user, view.url, view.time_ms))
            send_latest(key, now)

        return step

    return Topology(
        name="clickstream-downstream",
        source=Source(page_views, STRING, json(PageView), timestamp=viewed_at),
        processors=(
            Processor("deduplicate", deduplicate, stores=(seen, LATEST), sinks=(unique, upserts)),
        ),
    )
