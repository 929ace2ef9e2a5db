"""A real Apache Kafka on this machine, as a child process that never outlives us."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from eoscheck.cluster.addresses import (
    PLAIN_LISTENER,
    Address,
    ClientListener,
    Proxies,
    connected_addresses,
    host_names,
)
from eoscheck.cluster.kit import Kit, prepare_kit
from eoscheck.cluster.node import Node, PortTakenError, start_node
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
from eoscheck.cluster.storage import make_data_folder, new_cluster_id
from eoscheck.errors import UsageError
from eoscheck.process import Supervisor
from eoscheck.process.volume import Volume, require_mounts

_PORT_ATTEMPTS = 5
_DATA = "data"
_LEAST_DATA_MB = 32
_FEATURE = "transaction.version"


def start_embedded(
    spec: ClusterSpec,
    *,
    supervisor: Supervisor,
    progress: Callable[[str], None],
    proxies: Proxies | None = None,
    listener: ClientListener = PLAIN_LISTENER,
) -> NodeCluster:
    """Starts `spec.brokers` nodes, each a broker and a controller (of an even number one is a
    broker only); returns when all answer on both listeners.

    `listener` is what subjects are given, which may want a login; `direct_servers` stay open to
    everybody here. With `spec.data_size_mb` each node has a disk of its own (a tmpfs: Linux, as
    root).
    Raises UsageError for a version, setting or port that cannot be used, InfrastructureError with
    Kafka's own reasons where it does not start.
    """
    check_nodes(spec)
    _check_machine(spec, proxies)
    level = spec.transaction_version
    features = {} if level is None else {_FEATURE: level}
    kit = prepare_kit(spec.version, features=features, supervisor=supervisor, progress=progress)
    for attempt in range(1, _PORT_ATTEMPTS + 1):
        try:
            return _start(spec, kit, supervisor, proxies, listener)
        except PortTakenError:
            if attempt == _PORT_ATTEMPTS:
                raise
            progress("another program was quicker to take a port: trying others")
    raise AssertionError("unreachable")


def _check_machine(spec: ClusterSpec, proxies: Proxies | None) -> None:
    if proxies is not None and proxies.broker_links and sys.platform != "linux":
        raise UsageError(
            "links between brokers need addresses that only Linux has (127.1.0.0/16): "
            "leave out faults between brokers, or use the provider 'docker'"
        )
    if spec.data_size_mb is not None:
        require_mounts()
        if spec.data_size_mb < _LEAST_DATA_MB:
            raise UsageError(
                f"a broker needs {_LEAST_DATA_MB} MiB or more for its data: {spec.data_size_mb}"
            )


def _start(
    spec: ClusterSpec,
    kit: Kit,
    supervisor: Supervisor,
    proxies: Proxies | None,
    listener: ClientListener,
) -> NodeCluster:
    broker_links = proxies is not None and proxies.broker_links
    addresses = connected_addresses(
        spec.brokers, listener=listener, proxies=proxies, broker_links=broker_links
    )
    cluster_id = new_cluster_id()
    with undone_on_error() as made:
        folder = make_folder(f"eoscheck-kafka-{cluster_id}", supervisor=supervisor, made=made)
        volumes: dict[int, Volume] = {}
        properties = partial(
            node_properties,
            addresses=addresses,
            data=Path(_DATA),
            settings=spec.broker_settings,
            listener=listener,
        )

        def start(address: Address) -> Node:
            own = folder / str(address.node_id)
            own.mkdir()
            data = own / _DATA
            if spec.data_size_mb is not None:
                volume = Volume(data, size_bytes=spec.data_size_mb << 20, supervisor=supervisor)
                volumes[address.node_id] = made.enter_context(volume)
            make_data_folder(kit.template, data, cluster_id=cluster_id, node_id=address.node_id)
            return start_node(
                kit.distribution,
                address,
                properties(address),
                cluster_id=cluster_id,
                supervisor=supervisor,
                folder=own,
                jvm_options=kit.jvm_options,
                host_names=host_names(address, addresses) if broker_links else None,
            )

        nodes = start_nodes(addresses, start, made=made)
        return ready_cluster(
            nodes,
            brokers=NodeBrokers(nodes, volumes=volumes),
            settings=spec.settings,
            description=_description(spec, kit),
            made=made,
        )


def _description(spec: ClusterSpec, kit: Kit) -> str:
    parts = [f"embedded Apache Kafka {kit.distribution.version}", spec.size]
    if spec.transaction_version is not None:
        parts.append(f"{_FEATURE} {spec.transaction_version}")
    return ", ".join([*parts, f"Java {kit.distribution.java.version}"])
