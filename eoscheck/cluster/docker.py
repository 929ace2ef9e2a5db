"""A real Apache Kafka in containers, a broker each: the official image, or one that is started as
it is (`KAFKA_` environment variables)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from eoscheck.cluster.addresses import (
    PLAIN_LISTENER,
    Address,
    ClientListener,
    Proxies,
    connected_addresses,
    host_of,
)
from eoscheck.cluster.node import Node
from eoscheck.cluster.node_brokers import NodeBrokers
from eoscheck.cluster.node_cluster import (
    NodeCluster,
    make_folder,
    ready_cluster,
    start_nodes,
    undone_on_error,
)
from eoscheck.cluster.node_properties import node_properties
from eoscheck.cluster.spec import ClusterSpec, check_nodes
from eoscheck.cluster.storage import new_cluster_id
from eoscheck.network.ports import HOST
from eoscheck.process import Supervisor
from eoscheck.process.container import Container, ContainerNetwork, ContainerSpec, docker_client

OFFICIAL_IMAGE = "apache/kafka"

_DATA = Path("/tmp/kafka-data")  # noqa: S108 - inside the container, where any user may write
_HEAP = "-Xms256m -Xmx512m"
_JVM = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Djava.awt.headless=true"


def start_docker(
    spec: ClusterSpec,
    *,
    supervisor: Supervisor,
    progress: Callable[[str], None],
    proxies: Proxies | None = None,
    listener: ClientListener = PLAIN_LISTENER,
) -> NodeCluster:
    """Starts `spec.brokers` containers, each a broker and a controller; returns when all answer.

    Docker pulls what it does not have of images. Every port is the same at each start of a broker,
    and open at 127.0.0.1 only. Of `proxies` there are no links between brokers.
    Raises UsageError for settings that cannot be used, InfrastructureError with Docker's or Kafka's
    own reasons where it does not start.
    """
    check_nodes(spec)
    docker_client()
    image = spec.image or f"{OFFICIAL_IMAGE}:{spec.version}"
    progress(f"starting {spec.brokers} container(s) of {image}")
    # With names of their own for each other: inside a container, 127.0.0.1 is itself.
    addresses = connected_addresses(
        spec.brokers, listener=listener, proxies=proxies, broker_links=True
    )
    return _start(spec, image, addresses, listener, supervisor)


def _start(
    spec: ClusterSpec,
    image: str,
    addresses: Sequence[Address],
    listener: ClientListener,
    supervisor: Supervisor,
) -> NodeCluster:
    cluster_id = new_cluster_id()
    with undone_on_error() as made:
        folder = make_folder(f"eoscheck-docker-{cluster_id}", supervisor=supervisor, made=made)
        network = ContainerNetwork(supervisor=supervisor)
        made.callback(network.close)
        containers: dict[int, Container] = {}
        properties = partial(
            node_properties,
            addresses=addresses,
            data=_DATA,
            settings=spec.broker_settings,
            listener=listener,
        )

        def start(address: Address) -> Node:
            recipe = _recipe(
                address, properties(address), image=image, cluster_id=cluster_id, network=network
            )
            container = Container(recipe, supervisor=supervisor)
            made.callback(container.remove)
            containers[address.node_id] = container
            return Node(
                address=address,
                cluster_id=cluster_id,
                start=partial(container.start, output=folder / f"{address.node_id}.log"),
                secured=listener.secured,
            )

        nodes = start_nodes(addresses, start, made=made)
        return ready_cluster(
            nodes,
            brokers=NodeBrokers(nodes, containers=containers),
            settings=spec.settings,
            description=f"Apache Kafka in Docker ({image}), {spec.size}",
            made=made,
        )


def _recipe(
    address: Address,
    properties: Mapping[str, str],
    *,
    image: str,
    cluster_id: str,
    network: ContainerNetwork,
) -> ContainerSpec:
    # Docker forwards 127.0.0.1 of this machine to the container's own address.
    bound = properties["listeners"].replace(HOST, "0.0.0.0")  # noqa: S104
    told = {**properties, "listeners": bound}
    return ContainerSpec(
        image=image,
        env={
            "CLUSTER_ID": cluster_id,
            "KAFKA_HEAP_OPTS": _HEAP,
            "KAFKA_JVM_PERFORMANCE_OPTS": _JVM,
            **{environment_name(name): value for name, value in told.items()},
        },
        ports=[address.client, address.direct, *(slot.port for slot in address.slots)],
        network=network,
        alias=host_of(address),
    )


def environment_name(name: str) -> str:
    """How Kafka's images are told a broker property."""
    return "KAFKA_" + name.replace("_", "__").replace("-", "___").replace(".", "_").upper()
