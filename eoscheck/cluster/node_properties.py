"""What a node is told: its listeners, its peers, and the settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from eoscheck.cluster.addresses import PLAIN_LISTENER, Address, ClientListener, host_of
from eoscheck.network.ports import HOST


def voters(addresses: Sequence[Address]) -> Sequence[Address]:
    """Those that are controllers too: an odd number, for an even one more bears no more losses."""
    return addresses[: len(addresses) - (len(addresses) + 1) % 2]


def node_properties(
    address: Address,
    *,
    addresses: Sequence[Address],
    data: Path,
    settings: Mapping[str, str],
    listener: ClientListener = PLAIN_LISTENER,
) -> dict[str, str]:
    """Of the node at `address`, a broker and, as one of the `voters`, a controller too.

    `listener` is how CLIENT speaks, and where it is told to be found.
    """
    listeners = dict(_listeners(address, listener.advertised_port or address.client))
    protocols = dict.fromkeys((*listeners, "CONTROLLER"), "PLAINTEXT")
    protocols["CLIENT"] = listener.protocol
    bound = {name: port for name, (port, _) in listeners.items()}
    controllers = voters(addresses)
    votes = address in controllers
    told = {name: advertised for name, (_, advertised) in listeners.items()}
    if votes:
        bound["CONTROLLER"] = address.controller
        # Else an elected one tells the others where it is bound, past the proxies of their links.
        told["CONTROLLER"] = f"{host_of(address)}:{address.controller}"
    return {
        **settings,
        "process.roles": "broker,controller" if votes else "broker",
        "node.id": str(address.node_id),
        "controller.quorum.voters": ",".join(
            f"{voter.node_id}@{host_of(voter)}:{voter.controller}" for voter in controllers
        ),
        "listeners": ",".join(f"{name}://{HOST}:{port}" for name, port in bound.items()),
        "advertised.listeners": ",".join(f"{name}://{at}" for name, at in told.items()),
        "listener.security.protocol.map": ",".join(
            f"{name}:{protocol}" for name, protocol in protocols.items()
        ),
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "DIRECT" if address.replication is None else "REPLICATION",
        "log.dirs": str(data),
    }


def _listeners(address: Address, advertised_port: int) -> Iterator[tuple[str, tuple[int, str]]]:
    """Name, port, and the address that is told to those who ask at it."""
    yield "CLIENT", (address.client, f"{HOST}:{advertised_port}")
    yield "DIRECT", (address.direct, f"{HOST}:{address.direct}")
    if address.replication is not None:
        told = f"{host_of(address)}:{address.replication}"
        yield "REPLICATION", (address.replication, told)
    for number, slot in enumerate(address.slots):
        yield f"SLOT{number}", (slot.port, f"{HOST}:{slot.advertised}")
