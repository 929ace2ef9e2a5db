"""A real Apache Kafka in containers, a broker each: the official image, or one that is started as
it is (`KAFKA_` environment variables)."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from eoscheck.cluster.addresses import HOST, Address, free_addresses, host_of, links
from eoscheck.cluster.connection import admin_client
from eoscheck.cluster.distribution import KAFKA_VERSION
from eoscheck.cluster.docker_brokers import DockerBrokers
from eoscheck.cluster.embedded import EmbeddedCluster
from eoscheck.cluster.node import Node
from eoscheck.cluster.node_properties import node_properties
from eoscheck.cluster.settings import (
    PROFILES,
    default_settings,
    refuse_reserved_settings,
    refuse_unknown_settings,
)
from eoscheck.cluster.storage import new_cluster_id
from eoscheck.errors import UsageError
from eoscheck.network.links import Link
from eoscheck.process import Supervisor
from eoscheck.process.container import Container, ContainerNetwork, ContainerSpec, docker_client

OFFICIAL_IMAGE = "apache/kafka"

_DATA = Path("/tmp/kafka-data")  # noqa: S108 - inside the container, where any user may write
_HEAP = "-Xms256m -Xmx512m"
_JVM = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Djava.awt.headless=true"
_READY_TIMEOUT_S = 90.0


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What `start_docker` was asked for."""

    image: str
    brokers: int
    settings: Mapping[str, str]
    profile: str
    slots: int
    connect: Callable[[Sequence[Link]], None] | None

    def __post_init__(self) -> None:
        refuse_reserved_settings(self.settings)
        if self.profile not in PROFILES:
            raise UsageError(f"no such failover profile {self.profile!r}: {' or '.join(PROFILES)}")
        if self.brokers < 1:
            raise UsageError(f"a cluster needs at least 1 broker: {self.brokers}")
        if self.slots and self.connect is None:
            raise ValueError("slots lead nowhere without proxies: give 'connect'")

    def description(self) -> str:
        parts = [f"Apache Kafka in Docker ({self.image})"]
        if self.brokers == 1:
            return ", ".join([*parts, "one node"])
        return ", ".join([*parts, f"{self.brokers} nodes", f"{self.profile} failover"])


class DockerCluster(EmbeddedCluster):
    """As the embedded one, its nodes in containers. `close` removes them and their network; so does
    the supervisor, should this process die first."""

    def __init__(
        self,
        *,
        nodes: Sequence[Node],
        containers: Mapping[int, Container],
        network: ContainerNetwork,
        folder: Path,
        description: str,
    ) -> None:
        super().__init__(nodes=nodes, volumes={}, folder=folder, description=description)
        self._containers = containers
        self._network = network

    @property
    def brokers(self) -> DockerBrokers:
        return DockerBrokers(self._nodes, self._containers, self._network)

    def close(self) -> None:
        """Idempotent."""
        for container in self._containers.values():
            container.remove()
        self._network.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def start_docker(
    *,
    supervisor: Supervisor,
    settings: Mapping[str, str],
    progress: Callable[[str], None],
    image: str | None = None,
    version: str = KAFKA_VERSION,
    brokers: int = 1,
    profile: str = PROFILES[0],
    slots: int = 0,
    connect: Callable[[Sequence[Link]], None] | None = None,
) -> DockerCluster:
    """Starts `brokers` containers, each a broker and a controller; returns when all answer.

    `image`: None means the official one of `version`; Docker pulls what it does not have. The rest
    is as `start_embedded` has it; every port is the same at each start of a broker, and open at
    127.0.0.1 only.
    Raises UsageError for settings that cannot be used, InfrastructureError with Docker's or Kafka's
    own reasons where it does not start.
    """
    plan = _Plan(
        image=image or f"{OFFICIAL_IMAGE}:{version}",
        brokers=brokers,
        settings=settings,
        profile=profile,
        slots=slots,
        connect=connect,
    )
    docker_client()
    progress(f"starting {brokers} container(s) of {plan.image}")
    # With names of their own for each other: inside a container, 127.0.0.1 is itself.
    addresses = free_addresses(brokers, slots=slots, broker_links=True)
    if connect is not None:
        connect([link for link in links(addresses) if link.role == "client"])
    cluster_id = new_cluster_id()
    folder = Path(tempfile.gettempdir()) / f"eoscheck-docker-{cluster_id}"
    supervisor.remove_at_exit(folder)
    folder.mkdir(mode=0o700)
    network = ContainerNetwork(supervisor=supervisor)
    nodes: list[Node] = []
    containers: dict[int, Container] = {}
    cluster = DockerCluster(
        nodes=nodes,
        containers=containers,
        network=network,
        folder=folder,
        description=plan.description(),
    )
    try:
        for address in addresses:
            spec = _container(plan, address, addresses, cluster_id=cluster_id, network=network)
            container = Container(spec, supervisor=supervisor)
            containers[address.node_id] = container
            nodes.append(
                Node(
                    address=address,
                    cluster_id=cluster_id,
                    start=partial(container.start, output=folder / f"{address.node_id}.log"),
                    secured=False,
                )
            )
        cluster.wait_ready()
        if settings:
            refuse_unknown_settings(
                settings, admin_client(cluster.client_config, timeout_s=_READY_TIMEOUT_S)
            )
    except BaseException:
        cluster.close()
        raise
    return cluster


def _container(
    plan: _Plan,
    address: Address,
    addresses: Sequence[Address],
    *,
    cluster_id: str,
    network: ContainerNetwork,
) -> ContainerSpec:
    properties = node_properties(
        address,
        addresses=addresses,
        data=_DATA,
        settings={
            **default_settings(brokers=plan.brokers, profile=plan.profile),
            **plan.settings,
        },
    )
    # Docker forwards 127.0.0.1 of this machine to the container's own address.
    properties["listeners"] = properties["listeners"].replace(HOST, "0.0.0.0")  # noqa: S104
    slots = [slot.port for slot in address.slots]
    return ContainerSpec(
        image=plan.image,
        env={
            "CLUSTER_ID": cluster_id,
            "KAFKA_HEAP_OPTS": _HEAP,
            "KAFKA_JVM_PERFORMANCE_OPTS": _JVM,
            **{environment_name(name): value for name, value in properties.items()},
        },
        ports=[address.client, address.direct, *slots],
        network=network,
        alias=host_of(address),
    )


def environment_name(name: str) -> str:
    """How Kafka's images are told a broker property."""
    return "KAFKA_" + name.replace("_", "__").replace("-", "___").replace(".", "_").upper()
