"""What network faults and partitions share: something is on links, and must have bitten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.faults.action import DidNotBiteError, Evidence
from eoscheck.faults.scene import Scene
from eoscheck.network import Disturbance, Link, Network
from eoscheck.network.proof import Bite, Direction, why_missed

CONNECTED_S = 5.0
"""How long a fault that ends connections waits for one: a client may be between two."""

_LOOK_EVERY_S = 0.05


def network_of(scene: Scene) -> Network:
    """Raises UsageError where no proxy stands."""
    if scene.network is None:
        raise UsageError(
            "faults of the network need proxies before our own brokers: leave out "
            "cluster.provider, or set it to 'embedded'"
        )
    return scene.network


class OnLinks:
    """One disturbance; its proof is what its links saw until the heal."""

    def __init__(self, disturbance: Disturbance, *, bite: Bite, direction: Direction) -> None:
        self._disturbance = disturbance
        self._bite = bite
        self._direction = direction
        self._struck = False

    def strike(self) -> Evidence:
        if self._bite == "ends":
            _wait_connected(self._disturbance)
        self._disturbance.begin()
        self._struck = True
        return {"links": _words(self._disturbance.links)}

    def heal(self) -> Evidence:
        traffic = self._disturbance.end()
        if traffic is None or not self._struck:
            return {}
        missed = why_missed(traffic, bite=self._bite, direction=self._direction)
        if missed is not None:
            raise DidNotBiteError(missed)
        return asdict(traffic)


def _wait_connected(disturbance: Disturbance) -> None:
    try:
        Retrying(
            retry=retry_if_result(lambda connections: connections == 0),
            stop=stop_after_delay(CONNECTED_S),
            wait=wait_fixed(_LOOK_EVERY_S),
        )(disturbance.connections)
    except RetryError:
        raise InfrastructureError(
            f"nobody was connected through it within {CONNECTED_S:.0f} s: nothing to end"
        ) from None


def _words(links: Sequence[Link]) -> list[str]:
    return [
        f"{'instance' if link.role == 'client' else 'broker'} {link.source} to broker "
        f"{link.broker} ({link.role})"
        for link in links
    ]
