"""Drives the clickstream app and its downstream: a feed of clicks, and what came out of it."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.reference_app.app_driver import App


@dataclass
class Upstream(App):
    """At-least-once: clicks to page views."""

    module = "reference_app.clickstream"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.input, self.output = f"{self.name}-clicks", f"{self.name}-page-views"
        self.create_topics(self.input, self.output)
        self._clicks = self.producer()
        self._next_id = 0

    def feed(self, count: int, *, users: int = 50) -> None:
        chance = random.Random(self._next_id)
        for _ in range(count):
            user = f"user-{chance.randrange(users)}"
            click = {
                "event_id": f"click-{self._next_id}",
                "user": user,
                "url": f"/{chance.randrange(100)}",
                "time_ms": int(time.time() * 1000) - chance.choice((0, 0, 20)),
            }
            self._clicks.produce(self.input, json.dumps(click).encode(), user.encode())
            self._next_id += 1
        self._clicks.flush()


@dataclass
class Downstream(App):
    """Exactly-once: page views to unique views and the latest view of each key."""

    module = "reference_app.clickstream.downstream"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.output, self.latest = f"{self.name}-unique-views", f"{self.name}-latest-views"
        self.create_topics(self.output)
        self.create_topics(self.latest, config={"cleanup.policy": "compact"})
        self.options += ["--latest", self.latest]


class Clickstream:
    """Both apps, one behind the other."""

    def __init__(self, bootstrap: str, name: str, folder: Path) -> None:
        folders = folder / "up", folder / "down"
        for each in folders:
            each.mkdir()
        self.upstream = Upstream(bootstrap, f"{name}-up", folders[0])
        self.downstream = Downstream(bootstrap, f"{name}-down", folders[1])
        self.downstream.input = self.upstream.output

    def stop(self) -> None:
        self.upstream.stop()
        self.downstream.stop()

    def repeated(self) -> int:
        """Page views that are not the first of their event."""
        views = (_json(message) for message in self.upstream.read(self.upstream.output))
        events = Counter(view["event_id"] for view in views)
        return events.total() - len(events)

    def latest_views(self) -> dict[str, tuple[str, int]]:
        """By key: the event id and the count that were upserted last."""
        return {
            (message.key() or b"").decode(): (view["event_id"], view["views"])
            for message in self.downstream.read(self.downstream.latest)
            for view in [_json(message)]
        }

    def folded_clicks(self) -> dict[str, tuple[str, int]]:
        """What the latest views must be, from the clicks alone."""
        latest: dict[str, tuple[str, int]] = {}
        for message in self.upstream.read(self.upstream.input):
            click = _json(message)
            _, before = latest.get(click["user"], ("", 0))
            latest[click["user"]] = click["event_id"], before + 1
        return latest


def _json(message: Any) -> Any:
    return json.loads(message.value())
