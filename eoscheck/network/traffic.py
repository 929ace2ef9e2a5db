"""What went through the proxies of some links while a fault was on: the proof that it bit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from eoscheck.network.api import Stream, ToxiproxyApi
from eoscheck.network.links import Link
from eoscheck.network.sockets import Address, Connection


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Of several links together, between two moments; bytes as they came to the proxy, so also
    those that a toxic dropped.

    `from_broker` is None for links between brokers: their proxies share an upstream. `connections`
    were there at the start, `ended` of them were not at the end; `attempts` were taken meanwhile,
    None where the server's log is not ours.
    """

    to_broker: int
    from_broker: int | None
    connections: int
    ended: int
    attempts: int | None


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Of all proxies, at one moment; counts of bytes only grow."""

    received: Mapping[tuple[str, Stream], int]
    clients: Mapping[str, frozenset[Address]]
    """By proxy, the ends of those that are connected to it."""
    accepted: Mapping[str, int] | None


def snapshot(
    names: Mapping[Link, str],
    *,
    api: ToxiproxyApi,
    accepted: Callable[[], Counter[str] | None],
    established: Callable[[], Iterable[Connection]],
) -> Snapshot:
    """Bytes of connections that are over, as Toxiproxy counts them, and of those that live, as
    the kernel does."""
    received: Counter[tuple[str, Stream]] = Counter()
    clients: dict[str, set[Address]] = {name: set() for name in names.values()}
    by_listener = {link.listen: name for link, name in names.items()}
    by_upstream = {link.upstream: name for link, name in names.items() if link.role == "client"}
    for connection in established():
        name = by_listener.get(connection.local)
        if name is not None:
            received[name, "upstream"] += connection.received
            clients[name].add(connection.remote)
        name = by_upstream.get(connection.remote)
        if name is not None:
            received[name, "downstream"] += connection.received
    for name, stream, count in api.received():
        received[name, stream] += count
    return Snapshot(
        received=received,
        clients={name: frozenset(ends) for name, ends in clients.items()},
        accepted=accepted(),
    )


def between(
    before: Snapshot, after: Snapshot, *, links: Sequence[Link], names: Mapping[Link, str]
) -> Traffic:
    def bytes_of(stream: Stream) -> int:
        # Never below 0: what still waited in the kernel for a proxy when its connection ended
        # was counted while that lived, and not after.
        return sum(
            max(
                0,
                after.received.get((names[link], stream), 0)
                - before.received.get((names[link], stream), 0),
            )
            for link in links
        )

    attempts = None
    if before.accepted is not None and after.accepted is not None:
        attempts = sum(
            after.accepted.get(names[link], 0) - before.accepted.get(names[link], 0)
            for link in links
        )
    return Traffic(
        to_broker=bytes_of("upstream"),
        from_broker=bytes_of("downstream")
        if all(link.role == "client" for link in links)
        else None,
        connections=sum(len(before.clients[names[link]]) for link in links),
        ended=sum(len(before.clients[names[link]] - after.clients[names[link]]) for link in links),
        attempts=attempts,
    )
