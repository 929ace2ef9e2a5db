"""Where the nodes of an embedded cluster listen, and the links on which proxies may stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from eoscheck.network.links import Link
from eoscheck.network.ports import HOST, held_port


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A listener for one instance of the subject; `advertised` is the port of its proxy."""

    port: int
    advertised: int


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a node listens, by port. CLIENT is what subjects without a slot are given, DIRECT goes
    past every proxy. With links between brokers they reach each other by REPLICATION, and by names
    that mean another address to each (`host_names`)."""

    node_id: int
    client: int
    direct: int
    controller: int
    replication: int | None = None
    slots: tuple[Slot, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Proxies:
    """Links of a cluster on which proxies stand. `slots`: so many instances of the subject get a
    listener of their own on each broker; `broker_links`: brokers reach each other by links too
    (Linux).

    `connect` is given all links before a node starts, and has a proxy take connections on each; it
    is called again, with other links, where a port was lost to another program.
    """

    connect: Callable[[Sequence[Link]], None]
    slots: int = 0
    broker_links: bool = False


@dataclass(frozen=True, kw_only=True)
class ClientListener:
    """The listener that subjects without a slot are given. `port` is the first node's, None: a free
    one, as all others are; `protocol` is what it speaks, with the settings of
    `listener.name.client.*`; `advertised_port` is where clients are told to find it instead: a
    proxy's."""

    port: int | None = None
    protocol: str = "PLAINTEXT"
    advertised_port: int | None = None

    @property
    def secured(self) -> bool:
        """It wants a login, or an encrypted connection."""
        return self.protocol != "PLAINTEXT"


PLAIN_LISTENER = ClientListener()


def free_addresses(
    count: int, *, client_port: int | None = None, slots: int = 0, broker_links: bool = False
) -> list[Address]:
    """Of nodes 1 to `count`, with ports that nobody listens on at this moment. `client_port` is the
    first node's.

    Raises UsageError where `client_port` was chosen and is taken.
    """
    with ExitStack() as stack:
        return [
            Address(
                node_id=number,
                client=held_port(stack, (client_port or 0) if number == 1 else 0),
                direct=held_port(stack),
                controller=held_port(stack),
                replication=held_port(stack) if broker_links else None,
                slots=tuple(
                    Slot(port=held_port(stack), advertised=held_port(stack)) for _ in range(slots)
                ),
            )
            for number in range(1, count + 1)
        ]


def connected_addresses(
    count: int, *, listener: ClientListener, proxies: Proxies | None, broker_links: bool
) -> list[Address]:
    """`free_addresses`, with a proxy on each link that `proxies` stand on. `broker_links`: brokers
    have ports and names for each other, whether or not there is something in between."""
    addresses = free_addresses(
        count,
        client_port=listener.port,
        slots=proxies.slots if proxies else 0,
        broker_links=broker_links,
    )
    if proxies is not None:
        wanted = [
            each for each in links(addresses) if proxies.broker_links or each.role == "client"
        ]
        proxies.connect(wanted)
    return addresses


def links(addresses: Sequence[Address]) -> list[Link]:
    """Every link of a cluster; of its clients' only those of slots."""
    return [link for address in addresses for link in _links_to(address, addresses)]


def _links_to(address: Address, addresses: Sequence[Address]) -> Iterator[Link]:
    for source, slot in enumerate(address.slots):
        yield Link(
            role="client",
            source=source,
            broker=address.node_id,
            listen=(HOST, slot.advertised),
            upstream=(HOST, slot.port),
        )
    if address.replication is None:
        return
    for other in addresses:
        if other.node_id == address.node_id:
            continue
        host = _way(source=other.node_id, broker=address.node_id)
        yield Link(
            role="replication",
            source=other.node_id,
            broker=address.node_id,
            listen=(host, address.replication),
            upstream=(HOST, address.replication),
        )
        yield Link(
            role="controller",
            source=other.node_id,
            broker=address.node_id,
            listen=(host, address.controller),
            upstream=(HOST, address.controller),
        )


def host_of(address: Address) -> str:
    """The name by which the other nodes reach it."""
    return HOST if address.replication is None else f"broker-{address.node_id}"


def host_names(address: Address, addresses: Sequence[Address]) -> dict[str, str]:
    """What `host_of` each node means to this one: the proxy of its link, or itself."""
    return {
        host_of(other): HOST
        if other == address
        else _way(source=address.node_id, broker=other.node_id)
        for other in addresses
    }


def _way(*, source: int, broker: int) -> str:
    """Linux has all of 127.0.0.0/8; elsewhere only 127.0.0.1 is there."""
    return f"127.1.{source}.{broker}"
