"""Bytes and connections between two moments: of the living from the kernel, of the dead from
Toxiproxy, and none of them twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from eoscheck.network.api import Stream
from eoscheck.network.links import Link
from eoscheck.network.sockets import Connection
from eoscheck.network.traffic import Snapshot, Traffic, between, snapshot

CLIENT = Link(
    role="client", source=0, broker=1, listen=("127.0.0.1", 10), upstream=("127.0.0.1", 11)
)
OTHER = Link(
    role="client", source=1, broker=1, listen=("127.0.0.1", 20), upstream=("127.0.0.1", 21)
)
PEERS = [
    Link(
        role="replication",
        source=source,
        broker=1,
        listen=(f"127.1.{source}.1", 30),
        upstream=("127.0.0.1", 30),
    )
    for source in (2, 3)
]
NAMES = {link: f"{link.role}-{link.source}" for link in (CLIENT, OTHER, *PEERS)}


class Toxiproxy:
    """What it has counted of connections that are over."""

    def __init__(self, **counts: tuple[int, int]) -> None:
        self.counts = counts

    def received(self) -> Iterator[tuple[str, Stream, int]]:
        for name, (up, down) in self.counts.items():
            yield name.replace("_", "-"), "upstream", up
            yield name.replace("_", "-"), "downstream", down


def look(
    *living: Connection, over: Toxiproxy | None = None, accepted: dict[str, int] | None = None
) -> Snapshot:
    api: Any = over or Toxiproxy()
    return snapshot(
        NAMES,
        api=api,
        accepted=lambda: None if accepted is None else Counter(accepted),
        established=lambda: living,
    )


def through(link: Link, *, port: int, up: int, down: int) -> Sequence[Connection]:
    """Both of the proxy's ends of one connection, and those of its peers, which do not count."""
    client, middle = ("127.0.0.1", port), ("127.0.0.1", port + 1)
    return [
        Connection(local=link.listen, remote=client, received=up),
        Connection(local=client, remote=link.listen, received=down + 7000),
        Connection(local=middle, remote=link.upstream, received=down),
        Connection(local=link.upstream, remote=middle, received=up + 7000),
    ]


def traffic(before: Snapshot, after: Snapshot, *links: Link) -> Traffic:
    return between(before, after, links=links, names=NAMES)


def test_of_a_living_connection_what_came_meanwhile() -> None:
    before = look(*through(CLIENT, port=100, up=40, down=50))
    after = look(*through(CLIENT, port=100, up=43, down=55))
    assert traffic(before, after, CLIENT) == Traffic(
        to_broker=3, from_broker=5, connections=1, ended=0, attempts=None
    )
    assert traffic(before, after, OTHER) == Traffic(
        to_broker=0, from_broker=0, connections=0, ended=0, attempts=None
    )


def test_of_one_that_ended_meanwhile_what_came_before_is_not_counted_again() -> None:
    before = look(*through(CLIENT, port=100, up=40, down=50), over=Toxiproxy(client_0=(1000, 2000)))
    after = look(over=Toxiproxy(client_0=(1043, 2055)))
    assert traffic(before, after, CLIENT) == Traffic(
        to_broker=3, from_broker=5, connections=1, ended=1, attempts=None
    )


def test_one_that_came_and_went_meanwhile() -> None:
    before = look(accepted={"client-0": 4, "client-1": 9})
    after = look(over=Toxiproxy(client_0=(10, 20)), accepted={"client-0": 5, "client-1": 19})
    assert traffic(before, after, CLIENT) == Traffic(
        to_broker=10, from_broker=20, connections=0, ended=1, attempts=1
    )


def test_what_the_proxy_never_read_makes_no_negative_number() -> None:
    before = look(*through(CLIENT, port=100, up=40, down=50))
    after = look(*through(OTHER, port=200, up=7, down=8), over=Toxiproxy(client_0=(30, 50)))
    both = traffic(before, after, CLIENT, OTHER)
    assert (both.to_broker, both.from_broker) == (7, 8)


def test_what_toxiproxy_loses_of_one_does_not_hide_what_another_was_sent() -> None:
    dead, alive = (
        through(CLIENT, port=100, up=500, down=600),
        through(CLIENT, port=200, up=1, down=2),
    )
    before = look(*dead, *alive)
    after = look(*through(CLIENT, port=200, up=11, down=22))
    seen = traffic(before, after, CLIENT)
    assert (seen.to_broker, seen.from_broker, seen.ended) == (10, 20, 1)


def test_brokers_share_an_upstream_so_their_answers_belong_to_no_link() -> None:
    before = look()
    after = look(*through(PEERS[0], port=100, up=40, down=50))
    assert traffic(before, after, PEERS[0]).to_broker == 40
    assert traffic(before, after, PEERS[0]).from_broker is None
    assert traffic(before, after, PEERS[1]).to_broker == 0


def test_a_client_that_connected_anew_is_another_connection() -> None:
    before = look(*through(CLIENT, port=100, up=40, down=50))
    after = look(*through(CLIENT, port=200, up=40, down=50))
    assert traffic(before, after, CLIENT).ended == 1
