"""A running cluster of our own: nodes, whatever each of them runs in."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from eoscheck.closing import Closing
from eoscheck.cluster.addresses import Address
from eoscheck.cluster.connection import admin_client
from eoscheck.cluster.node import Node
from eoscheck.cluster.node_brokers import NodeBrokers
from eoscheck.cluster.settings import refuse_unknown_settings
from eoscheck.network.ports import HOST
from eoscheck.process import Supervisor

_READY_TIMEOUT_S = 90.0


class NodeCluster(Closing):
    """`made` is what it consists of: `close` ends and removes that; so does the supervisor, should
    this process die first."""

    owned = True

    def __init__(
        self, *, nodes: Sequence[Node], brokers: NodeBrokers, description: str, made: ExitStack
    ) -> None:
        self._nodes = nodes
        self._made = made
        self.brokers = brokers
        self.description = description

    @property
    def bootstrap_servers(self) -> str:
        return ",".join(f"{HOST}:{node.address.client}" for node in self._nodes)

    def bootstrap_for(self, instance: int) -> str:
        """The addresses of the instance's slot; with no slot left for it, those for all."""
        slots = [node.address.slots for node in self._nodes]
        if instance >= len(slots[0]):
            return self.bootstrap_servers
        return ",".join(f"{HOST}:{each[instance].advertised}" for each in slots)

    @property
    def direct_servers(self) -> str:
        return ",".join(f"{HOST}:{node.address.direct}" for node in self._nodes)

    @property
    def client_config(self) -> dict[str, str]:
        return {"bootstrap.servers": self.direct_servers}

    @property
    def pids(self) -> list[int]:
        """Process ids of the brokers, by node."""
        return [node.pid for node in self._nodes]

    def failure(self, *, timeout_s: float = 0.0) -> str | None:
        """Why a broker ended by itself, None while all run or where it was us; waits at most
        `timeout_s` for that."""
        each_s = timeout_s / len(self._nodes)
        return next(filter(None, (node.failure(timeout_s=each_s) for node in self._nodes)), None)

    def restart(self) -> None:
        """Kills every broker and starts it again, on the same ports and with what it had stored.

        Raises InfrastructureError with Kafka's own reasons where one does not come back.
        """
        for node in self._nodes:
            node.kill()
        for node in self._nodes:
            node.start()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Until every broker answers and knows all others. Raises as `restart`."""
        for node in self._nodes:
            node.wait_ready(timeout_s=_READY_TIMEOUT_S, peers=self._nodes)

    def close(self) -> None:
        """Idempotent."""
        self._made.close()


@contextmanager
def undone_on_error() -> Iterator[ExitStack]:
    """What is put on the stack is undone where the block ends by an exception; else it stays."""
    made = ExitStack()
    try:
        yield made
    except BaseException:
        made.close()
        raise


def make_folder(name: str, *, supervisor: Supervisor, made: ExitStack) -> Path:
    """A temporary one of our own, which `made` removes."""
    folder = Path(tempfile.gettempdir()) / name
    # Told before it exists: there is no moment at which our death would leave it behind.
    supervisor.remove_at_exit(folder)
    made.callback(shutil.rmtree, folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    return folder


def start_nodes(
    addresses: Sequence[Address], start: Callable[[Address], Node], *, made: ExitStack
) -> list[Node]:
    """A node at each address, which `start` makes and `made` kills. They may not answer yet."""
    nodes = []
    for address in addresses:
        nodes.append(start(address))
        made.callback(nodes[-1].kill)
    return nodes


def ready_cluster(
    nodes: Sequence[Node],
    *,
    brokers: NodeBrokers,
    settings: Mapping[str, str],
    description: str,
    made: ExitStack,
) -> NodeCluster:
    """The cluster of `nodes` once all answer.

    Raises UsageError for one of `settings` that Kafka does not know, InfrastructureError with its
    reasons where a node does not start.
    """
    cluster = NodeCluster(nodes=nodes, brokers=brokers, description=description, made=made)
    cluster.wait_ready()
    if settings:
        admin = admin_client(cluster.client_config, timeout_s=_READY_TIMEOUT_S)
        refuse_unknown_settings(settings, admin)
    return cluster
