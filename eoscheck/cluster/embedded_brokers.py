"""What is done to single brokers of an embedded cluster: signals to processes of our own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from eoscheck.cluster.node import Node
from eoscheck.errors import InfrastructureError

_STOP_TIMEOUT_S = 60.0
_LOOK_EVERY_S = 0.05


class EmbeddedBrokers:
    """`Brokers` over the nodes of a cluster."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = {node.id: node for node in nodes}

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
        return {"signal": "SIGTERM", "pid": node.pid, "exit_code": code}

    def pause(self, broker: int) -> dict[str, Any]:
        node = self._running(broker)
        node.pause()
        return {"signal": "SIGSTOP", "pid": node.pid, "stopped": node.paused}

    def resume(self, broker: int) -> dict[str, Any]:
        node = self._running(broker)
        node.resume()
        return {"signal": "SIGCONT", "pid": node.pid}

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

    def heal(self, broker: int) -> dict[str, Any]:
        node = self._node(broker)
        resumed = node.paused
        if resumed:
            node.resume()
        return {"resumed": resumed, **self.start(broker)}

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
