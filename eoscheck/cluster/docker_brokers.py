"""What is done to brokers in containers, beside what is done to any of ours: their network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from eoscheck.cluster.embedded_brokers import EmbeddedBrokers
from eoscheck.cluster.node import Node
from eoscheck.errors import InfrastructureError
from eoscheck.process.container import Container, ContainerNetwork


class DockerBrokers(EmbeddedBrokers):
    """`Brokers` over nodes in `containers`, by id, that reach each other by `network`."""

    def __init__(
        self,
        nodes: Sequence[Node],
        containers: Mapping[int, Container],
        network: ContainerNetwork,
    ) -> None:
        super().__init__(nodes, {})
        self._containers = containers
        self._network = network

    @property
    def may_be_disconnected(self) -> bool:
        return True

    def disconnect(self, broker: int) -> dict[str, Any]:
        """Returns when it does not answer any more."""
        node = self._running(broker)
        self._network.disconnect(self._containers[broker])
        if node.knows(broker):
            raise InfrastructureError(f"broker {broker} is off its network, and still answers")
        return {"docker": "network disconnect", "network": self._network.name, "pid": node.pid}

    def heal(self, broker: int) -> dict[str, Any]:
        """Also puts it back on its network."""
        container = self._containers[broker]
        connected = not self._network.has(container)
        if connected:
            self._network.connect(container)
        return {"connected": connected, **super().heal(broker)}
