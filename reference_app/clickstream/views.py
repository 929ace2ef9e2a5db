"""clicks -> count (store: views) -> page-views."""

from __future__ import annotations

from confluent_kafka import Message

from reference_app.clickstream.keys import CountedBy, each_key
from reference_app.clickstream.model import Click, PageView, Views
from reference_app.streams import (
    STRING,
    Context,
    KeyValueStore,
    Processor,
    Sink,
    Source,
    Step,
    Topology,
    json,
)

VIEWS: KeyValueStore[str, Views] = KeyValueStore("views", STRING, json(Views))


def views_topology(
    *, clicks: str = "clicks", page_views: str = "page-views", counted_by: CountedBy = each_key
) -> Topology:
    """Counts views by key. The output's key is the counted one: records of one event meet in one
    partition, however often they are written."""
    sink: Sink[str, PageView] = Sink(page_views, STRING, json(PageView))

    def count(context: Context) -> Step:
        store = context.store(VIEWS)
        send = context.sink(sink)
        partition = context.partition

        def step(key: str, click: Click, _: Message) -> None:
            counted = counted_by(key, partition)
            if counted is None:
                return
            before = store.get(counted)
            views = 1 if before is None else before.views + 1
            store.put(counted, Views(views))
            send(counted, PageView(click.event_id, click.user, click.url, click.time_ms, views))

        return step

    return Topology(
        name="clickstream",
        source=Source(clicks, STRING, json(Click)),
        processors=(Processor("count", count, stores=(VIEWS,), sinks=(sink,)),),
    )
