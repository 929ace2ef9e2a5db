"""What went through the proxies of some links while a fault was on: the proof that it bit."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TypeAlias

from eoscheck.network.api import Stream, ToxiproxyApi
from eoscheck.network.links import Link
from eoscheck.network.sockets import Address, Connection


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Of several links together, between two moments; bytes as they came to the proxy, so also
    those that a toxic dropped.

    `from_broker` is None for links between brokers: their proxies share an upstream. `connections`
    were there at the start, `attempts` were taken meanwhile (None where the server's log is not
    ours); `ended` of them all were not there at the end.
    """

    to_broker: int
    from_broker: int | None
    connections: int
    ended: int
    attempts: int | None


Way: TypeAlias = tuple[str, Stream]
"""A proxy's name, and one of its directions."""


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Of all proxies, at one moment. `over`: the bytes of connections that have ended, as Toxiproxy
    counts them; `living`: of each other one by its far end, as the kernel does."""

    over: Mapping[Way, int]
    living: Mapping[Way, Mapping[Address, int]]
    accepted: Mapping[str, int] | None

    def clients(self, name: str) -> Set[Address]:
        """The ends of those that are connected to a proxy."""
        return self.living.get((name, "upstream"), {}).keys()


def snapshot(
    names: Mapping[Link, str],
    *,
    api: ToxiproxyApi,
    accepted: Callable[[], Counter[str] | None],
    established: Callable[[], Iterable[Connection]],
) -> Snapshot:
    living: dict[Way, dict[Address, int]] = defaultdict(dict)
    by_listener = {link.listen: name for link, name in names.items()}
    by_upstream = {link.upstream: name for link, name in names.items() if link.role == "client"}
    for connection in established():
        if (name := by_listener.get(connection.local)) is not None:
            living[name, "upstream"][connection.remote] = connection.received
        if (name := by_upstream.get(connection.remote)) is not None:
            living[name, "downstream"][connection.local] = connection.received
    over: Counter[Way] = Counter()
    for name, stream, count in api.received():  # a proxy may have listened elsewhere before
        over[name, stream] += count
    return Snapshot(
        over=over,
        living=living,
        accepted=accepted(),
    )


def between(
    before: Snapshot, after: Snapshot, *, links: Sequence[Link], names: Mapping[Link, str]
) -> Traffic:
    proxies = [names[link] for link in links]
    attempts = None
    if before.accepted is not None and after.accepted is not None:
        attempts = sum(
            after.accepted.get(name, 0) - before.accepted.get(name, 0) for name in proxies
        )
    gone = sum(len(before.clients(name) - after.clients(name)) for name in proxies)
    new = sum(len(after.clients(name) - before.clients(name)) for name in proxies)
    answers = all(link.role == "client" for link in links)
    return Traffic(
        to_broker=sum(_came(before, after, (name, "upstream")) for name in proxies),
        from_broker=sum(_came(before, after, (name, "downstream")) for name in proxies)
        if answers
        else None,
        connections=sum(len(before.clients(name)) for name in proxies),
        ended=gone + max(0, (attempts or 0) - new),
        attempts=attempts,
    )


def _came(before: Snapshot, after: Snapshot, way: Way) -> int:
    """At least as much as this. Toxiproxy may lose what a connection had not been read when it
    ended: what those that live were sent is certain."""
    then, now = before.living.get(way, {}), after.living.get(way, {})
    certain = sum(max(0, count - then.get(end, 0)) for end, count in now.items())
    ended = after.over.get(way, 0) - before.over.get(way, 0)
    return max(certain, ended + sum(now.values()) - sum(then.values()))
