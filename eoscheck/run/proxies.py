"""Which proxies stand on a cluster's links: those that read the protocol, those that disturb, or
one behind the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from eoscheck.network import Link, Network
from eoscheck.network.ports import HOST, free_ports
from eoscheck.wire import Wire

Connect = Callable[[Sequence[Link]], None]


def connected(*, wire: Wire | None, network: Network | None) -> Connect | None:
    """What puts them there; None where there is neither.

    Clients come to the wire first: what it drops or holds was sent, whatever the network does to
    it. With a network behind it, that one's proxies listen on ports of their own.
    """
    if wire is None:
        return None if network is None else network.connect
    if network is None:
        return wire.connect
    wire_first, disturbed = wire.connect, network.connect

    def connect(links: Sequence[Link]) -> None:
        clients = [link for link in links if link.role == "client"]
        behind = [
            replace(link, listen=(HOST, port))
            for link, port in zip(clients, free_ports(len(clients)), strict=True)
        ]
        disturbed([*behind, *(link for link in links if link.role != "client")])
        wire_first(
            [
                replace(link, upstream=next_to.listen)
                for link, next_to in zip(clients, behind, strict=True)
            ]
        )

    return connect
