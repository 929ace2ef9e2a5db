"""Proxies on a cluster's links: one kind, or the wire before the network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eoscheck.network import Link
from eoscheck.run.proxies import connected

CLIENT = Link(role="client", source=0, broker=1, listen=("127.0.0.1", 1), upstream=("127.0.0.1", 2))
OTHER = Link(role="client", source=1, broker=1, listen=("127.0.0.1", 3), upstream=("127.0.0.1", 4))
PEER = Link(
    role="replication", source=2, broker=1, listen=("127.1.2.1", 5), upstream=("127.0.0.1", 5)
)


class FakeProxies:
    def __init__(self, log: list[tuple[str, list[Link]]], name: str) -> None:
        self._log, self._name = log, name

    def connect(self, links: Sequence[Link]) -> None:
        self._log.append((self._name, list(links)))


def asked(*, wire: bool, network: bool) -> tuple[Any, list[tuple[str, list[Link]]]]:
    log: list[tuple[str, list[Link]]] = []
    chain: Any = connected(
        wire=FakeProxies(log, "wire") if wire else None,  # type: ignore[arg-type]
        network=FakeProxies(log, "network") if network else None,  # type: ignore[arg-type]
    )
    return chain, log


def test_one_kind_stands_on_the_links_as_they_are() -> None:
    for wire in (True, False):
        connect, log = asked(wire=wire, network=not wire)
        connect([CLIENT])
        assert log == [("wire" if wire else "network", [CLIENT])]
    assert asked(wire=False, network=False)[0] is None


def test_with_both_the_network_stands_behind_the_wire() -> None:
    connect, log = asked(wire=True, network=True)
    connect([CLIENT, PEER, OTHER])
    (first, behind), (second, before) = log
    assert (first, second) == ("network", "wire")  # who is behind must be there before
    assert PEER in behind
    clients = [link for link in behind if link.role == "client"]
    assert [link.upstream for link in clients] == [CLIENT.upstream, OTHER.upstream]
    assert [link.listen for link in before] == [CLIENT.listen, OTHER.listen]
    assert [link.upstream for link in before] == [link.listen for link in clients]
    assert len({link.listen for link in clients}) == 2
