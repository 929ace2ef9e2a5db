"""Which links a fault is on."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from eoscheck.network.links import Link

Apart = int | Literal["peers", "controllers"]


def client_links(
    links: Collection[Link], *, instances: Collection[int] | None, broker: int | None
) -> list[Link]:
    """Of these instances of the subject (None: of all) to a broker (None: to all)."""
    return [
        link
        for link in links
        if link.role == "client"
        and (instances is None or link.source in instances)
        and broker in (None, link.broker)
    ]


def links_between(links: Collection[Link], *, broker: int, apart: Apart) -> list[Link]:
    """That connect a broker to others, whoever began: to all (`peers`) or one of them, and only as
    controllers (`controllers`). Clients are no part of it."""
    return [
        link
        for link in links
        if link.role != "client"
        and broker in (link.source, link.broker)
        and (apart != "controllers" or link.role == "controller")
        and (not isinstance(apart, int) or apart in (link.source, link.broker))
    ]
