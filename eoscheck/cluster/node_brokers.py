"""What is done to single brokers of a cluster of our own: signals to processes, and to containers
what Docker has for them."""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from typing import Any

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from eoscheck.cluster.node import Node
from eoscheck.errors import InfrastructureError
from eoscheck.process.container import Container
from eoscheck.process.volume import Volume

_STOP_TIMEOUT_S = 60.0
_LOOK_EVERY_S = 0.05
_NONE: Mapping[int, Any] = {}


class NodeBrokers:
    """`Brokers` over the nodes of a cluster. By id: `volumes` are disks of their own, small ones,
    and `containers` what they run in; empty where there are none."""

    def __init__(
        self,
        nodes: Sequence[Node],
        *,
        volumes: Mapping[int, Volume] = _NONE,
        containers: Mapping[int, Container] = _NONE,
    ) -> None:
        self._nodes = {node.id: node for node in nodes}
        self._volumes = volumes
        self._containers = containers

    @property
    def ids(self) -> Sequence[int]:
        return list(self._nodes)

    def is_up(self, broker: int) -> bool:
        node = self._node(broker)
        return node.running and not node.paused

    def kill(self, broker: int) -> dict[str, Any]:
        node = self._running(broker)
        node.kill()
        return {"signal": "SIGKILL", "pid": node.pid, "gone": not node.running}

    def stop(self, broker: int) -> dict[str, Any]:
        node = self._running(broker)
        code = node.stop(timeout_s=_STOP_TIMEOUT_S)
        if code == -signal.SIGKILL:
            raise InfrastructureError(
                f"broker {broker} did not stop within {_STOP_TIMEOUT_S:.0f} s, and was killed"
            )
        return {"signal": "SIGTERM", "pid": node.pid, "exit_code": code}

    def pause(self, broker: int) -> dict[str, Any]:
        node = self._running(broker)
        node.pause()
        return {"signal": node.paused_by, "pid": node.pid, "stopped": node.paused}

    def resume(self, broker: int) -> dict[str, Any]:
        node = self._running(broker)
        node.resume()
        return {"signal": node.resumed_by, "pid": node.pid}

    def start(self, broker: int) -> dict[str, Any]:
        node = self._node(broker)
        before = node.pid
        node.start()
        return {"pid": node.pid, "started": node.pid != before}

    def wait_ready(self, broker: int, *, timeout_s: float) -> None:
        """Until it answers clients, and all other brokers that are up tell clients of it."""
        self._node(broker).wait_ready(timeout_s=timeout_s)

        def strangers() -> list[int]:
            return [
                other for other in self.ids if self.is_up(other) and not self._knows(other, broker)
            ]

        try:
            Retrying(
                retry=retry_if_result(bool),
                stop=stop_after_delay(timeout_s),
                wait=wait_fixed(_LOOK_EVERY_S),
            )(strangers)
        except RetryError as error:
            without = ", ".join(map(str, error.last_attempt.result()))
            raise InfrastructureError(
                f"broker {broker} answers, but broker {without} did not know it "
                f"within {timeout_s:.0f} s"
            ) from None

    @property
    def disks_may_be_filled(self) -> bool:
        return bool(self._volumes)

    def fill_disk(self, broker: int) -> dict[str, Any]:
        node = self._running(broker)
        if not self.disks_may_be_filled:
            raise InfrastructureError(f"the disk of broker {broker} is not a small one of its own")
        node.expect_end()
        return self._volumes[broker].fill()

    @property
    def may_be_disconnected(self) -> bool:
        return bool(self._containers)

    def disconnect(self, broker: int) -> dict[str, Any]:
        """Returns when it does not answer any more."""
        node = self._running(broker)
        if not self.may_be_disconnected:
            raise InfrastructureError(
                f"broker {broker} is a process: it shares this machine's network"
            )
        network = self._containers[broker].disconnect()
        if node.knows(broker):
            raise InfrastructureError(f"broker {broker} is off its network, and still answers")
        return {"docker": "network disconnect", "network": network, "pid": node.pid}

    def heal(self, broker: int) -> dict[str, Any]:
        node = self._node(broker)
        if broker in self._volumes:
            self._volumes[broker].empty()
        evidence = {}
        if broker in self._containers:
            evidence["connected"] = self._containers[broker].connect()
        resumed = node.paused
        if resumed:
            node.resume()
        return {**evidence, "resumed": resumed, **self.start(broker)}

    def heal_all(self) -> None:
        for broker in self.ids:
            self.heal(broker)

    def _knows(self, other: int, broker: int) -> bool:
        return self._node(other).knows(broker)

    def _running(self, broker: int) -> Node:
        node = self._node(broker)
        if not node.running:
            raise InfrastructureError(f"broker {broker} is down already")
        return node

    def _node(self, broker: int) -> Node:
        try:
            return self._nodes[broker]
        except KeyError:
            raise InfrastructureError(
                f"there is no broker {broker}: there are {', '.join(map(str, self.ids))}"
            ) from None
