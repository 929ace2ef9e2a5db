"""Views are counted by key upstream, and made unique downstream."""

from __future__ import annotations

from typing import Any

from reference_app.clickstream.keys import in_buckets
from reference_app.clickstream.unique import unique_topology
from reference_app.clickstream.views import views_topology
from tests.unit.reference_app.driven import driven


def click(event: str, *, user: str = "ann", url: str = "/", at: int = 0) -> dict[str, Any]:
    return {"event_id": event, "user": user, "url": url, "time_ms": at}


def view(event: str, *, at: int = 0, url: str = "/", views: int = 1) -> dict[str, Any]:
    return {**click(event, at=at, url=url), "views": views}


def test_each_click_goes_on_with_the_running_count_of_its_key() -> None:
    with driven(views_topology()) as task:
        for key, event in (("ann", "1"), ("bob", "2"), ("ann", "3")):
            task.process(key, click(event, user=key))
        told = [(sent.key, sent.value["event_id"], sent.value["views"]) for sent in task.sent]
    assert told == [("ann", "1", 1), ("bob", "2", 1), ("ann", "3", 2)]


def test_buckets_count_their_keys_together_and_every_click_still_goes_on() -> None:
    with driven(views_topology(counted_by=in_buckets(1))) as task:
        task.process("ann", click("1"))
        task.process("bob", click("2", user="bob"))
        told = [(sent.key, sent.value["user"], sent.value["views"]) for sent in task.sent]
    assert told == [("0-0", "ann", 1), ("0-0", "bob", 2)]


def test_an_event_that_comes_twice_is_told_once_and_counted_once() -> None:
    with driven(unique_topology()) as task:
        # A crash upstream: the last two again, counted twice there.
        for event, views in (("1", 1), ("2", 2), ("1", 3), ("2", 4), ("3", 5)):
            task.process("ann", view(event, at=int(event), views=views))
        unique = [sent.value["event_id"] for sent in task.to("unique-views")]
        latest = [(sent.value["event_id"], sent.value["views"]) for sent in task.to("latest-views")]
    assert unique == ["1", "2", "3"]
    assert latest == [("1", 1), ("2", 2), ("3", 3)]


def test_an_event_is_known_for_the_bound_and_one_that_is_older_is_dropped() -> None:
    with driven(unique_topology(bound_ms=10_000)) as task:
        task.process("ann", view("1", at=5_000))
        task.process("ann", view("now", at=15_000))
        task.process("ann", view("1", at=5_000))  # as old as the bound: still known
        task.process("ann", view("late", at=5_001))  # not seen before, and not too old
        task.process("ann", view("now", at=30_000))  # another time, another event
        task.process("ann", view("1", at=5_000))
        unique = [(sent.value["event_id"], sent.value["time_ms"]) for sent in task.sent[::2]]
    assert unique == [("1", 5_000), ("now", 15_000), ("late", 5_001), ("now", 30_000)]
