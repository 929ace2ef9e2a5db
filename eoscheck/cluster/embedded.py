"""A real Apache Kafka on this machine, as a child process that never outlives us."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from eoscheck.cluster.addresses import HOST, Address, free_addresses, host_names, links
from eoscheck.cluster.connection import admin_client
from eoscheck.cluster.distribution import KAFKA_VERSION
from eoscheck.cluster.embedded_brokers import EmbeddedBrokers
from eoscheck.cluster.kit import Kit, prepare_kit
from eoscheck.cluster.node import Node, PortTakenError, start_node
from eoscheck.cluster.node_properties import node_properties
from eoscheck.cluster.settings import (
    PROFILES,
    default_settings,
    refuse_reserved_settings,
    refuse_unknown_settings,
)
from eoscheck.cluster.storage import make_data_folder, new_cluster_id
from eoscheck.errors import UsageError, did_you_mean
from eoscheck.network.links import Link
from eoscheck.process import Supervisor
from eoscheck.process.volume import Volume, require_mounts

_READY_TIMEOUT_S = 90.0
_PORT_ATTEMPTS = 5
_DATA = "data"
_LEAST_DATA_MB = 32
_FEATURE = "transaction.version"


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What `start_embedded` was asked for."""

    brokers: int
    settings: Mapping[str, str]
    profile: str
    transaction_version: int | None
    client_port: int | None
    client_protocol: str
    advertised_port: int | None
    slots: int
    broker_links: bool
    connect: Callable[[Sequence[Link]], None] | None
    data_size_mb: int | None

    def __post_init__(self) -> None:
        refuse_reserved_settings(self.settings)
        if self.profile not in PROFILES:
            raise UsageError(
                f"no such failover profile {self.profile!r}{did_you_mean(self.profile, PROFILES)}: "
                f"use {' or '.join(PROFILES)}"
            )
        if self.brokers < 1:
            raise UsageError(f"a cluster needs at least 1 broker: {self.brokers}")
        if self.broker_links and sys.platform != "linux":
            raise UsageError(
                "links between brokers need addresses that only Linux has (127.1.0.0/16): "
                "leave out faults between brokers, or use the provider 'docker'"
            )
        if self.data_size_mb is not None:
            require_mounts()
            if self.data_size_mb < _LEAST_DATA_MB:
                raise UsageError(
                    f"a broker needs {_LEAST_DATA_MB} MiB or more for its data: {self.data_size_mb}"
                )
        if (self.slots or self.broker_links) and self.connect is None:
            raise ValueError("slots and links lead nowhere without proxies: give 'connect'")

    def properties(self, address: Address, addresses: Sequence[Address]) -> dict[str, str]:
        return node_properties(
            address,
            addresses=addresses,
            data=Path(_DATA),
            settings={
                **default_settings(brokers=self.brokers, profile=self.profile),
                **self.settings,
            },
            client_protocol=self.client_protocol,
            advertised_port=self.advertised_port,
        )

    def description(self, kit: Kit) -> str:
        parts = [f"embedded Apache Kafka {kit.distribution.version}"]
        if self.brokers == 1:
            parts.append("one node")
        else:
            parts += [f"{self.brokers} nodes", f"{self.profile} failover"]
        if self.transaction_version is not None:
            parts.append(f"{_FEATURE} {self.transaction_version}")
        return ", ".join([*parts, f"Java {kit.distribution.java.version}"])


class EmbeddedCluster:
    """A running cluster of our own. `close` kills it and removes its data; so does the supervisor,
    should this process die first."""

    owned = True

    def __init__(
        self,
        *,
        nodes: Sequence[Node],
        volumes: Mapping[int, Volume],
        folder: Path,
        description: str,
    ) -> None:
        self._nodes = nodes
        self._volumes = volumes
        self._folder = folder
        self.description = description

    @property
    def brokers(self) -> EmbeddedBrokers:
        return EmbeddedBrokers(self._nodes, self._volumes)

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
        for node in self._nodes:
            node.kill()
        for volume in self._volumes.values():
            volume.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def start_embedded(
    *,
    supervisor: Supervisor,
    settings: Mapping[str, str],
    progress: Callable[[str], None],
    client_port: int | None = None,
    client_protocol: str = "PLAINTEXT",
    advertised_port: int | None = None,
    brokers: int = 1,
    version: str = KAFKA_VERSION,
    transaction_version: int | None = None,
    profile: str = "fast",
    slots: int = 0,
    broker_links: bool = False,
    connect: Callable[[Sequence[Link]], None] | None = None,
    data_size_mb: int | None = None,
) -> EmbeddedCluster:
    """Starts `brokers` nodes, each a broker and a controller (of an even number one is a broker
    only); returns when all answer on both listeners.

    `settings` are broker properties over `settings.default_settings`. `client_port` fixes the first
    node's port that subjects are given; the others are always free ones. `client_protocol` is what
    that port speaks, with the `settings` of `listener.name.client.*`; `direct_servers` stay open to
    everybody here. `advertised_port` is where clients are told to find that port instead: a
    proxy's.
    `transaction_version` is the level of Kafka's feature of that name, None: the version's own.
    `profile` says how soon several nodes miss one (`settings.PROFILES`).
    `slots`: so many instances of the subject get a listener of their own on each broker;
    `broker_links`: brokers reach each other by links too (Linux). `connect` is then given all
    links before a node starts, and has a proxy take connections on each; it is called again, with
    other links, where a port was lost to another program.
    `data_size_mb`: each node has a disk of its own, of so many MiB (a tmpfs: Linux, as root).
    Raises UsageError for a version, setting or port that cannot be used, InfrastructureError with
    Kafka's own reasons where it does not start.
    """
    plan = _Plan(
        brokers=brokers,
        settings=settings,
        profile=profile,
        transaction_version=transaction_version,
        client_port=client_port,
        client_protocol=client_protocol,
        advertised_port=advertised_port,
        slots=slots,
        broker_links=broker_links,
        connect=connect,
        data_size_mb=data_size_mb,
    )
    features = {} if transaction_version is None else {_FEATURE: transaction_version}
    kit = prepare_kit(version, features=features, supervisor=supervisor, progress=progress)
    for attempt in range(1, _PORT_ATTEMPTS + 1):
        try:
            return _start(plan, kit, supervisor)
        except PortTakenError:
            if attempt == _PORT_ATTEMPTS:
                raise
            progress("another program was quicker to take a port: trying others")
    raise AssertionError("unreachable")


def _start(plan: _Plan, kit: Kit, supervisor: Supervisor) -> EmbeddedCluster:
    addresses = free_addresses(
        plan.brokers,
        client_port=plan.client_port,
        slots=plan.slots,
        broker_links=plan.broker_links,
    )
    if plan.connect is not None:
        plan.connect(links(addresses))
    cluster_id = new_cluster_id()
    folder = Path(tempfile.gettempdir()) / f"eoscheck-kafka-{cluster_id}"
    # Told before it exists: there is no moment at which our death would leave it behind.
    supervisor.remove_at_exit(folder)
    folder.mkdir(mode=0o700)
    nodes: list[Node] = []
    volumes: dict[int, Volume] = {}
    cluster = EmbeddedCluster(
        nodes=nodes, volumes=volumes, folder=folder, description=plan.description(kit)
    )
    try:
        for address in addresses:
            own = folder / str(address.node_id)
            own.mkdir()
            data = own / _DATA
            if plan.data_size_mb is not None:
                size = plan.data_size_mb << 20
                volumes[address.node_id] = Volume(data, size_bytes=size, supervisor=supervisor)
            make_data_folder(kit.template, data, cluster_id=cluster_id, node_id=address.node_id)
            nodes.append(
                start_node(
                    kit.distribution,
                    address,
                    plan.properties(address, addresses),
                    cluster_id=cluster_id,
                    supervisor=supervisor,
                    folder=own,
                    jvm_options=kit.jvm_options,
                    host_names=host_names(address, addresses) if plan.broker_links else None,
                )
            )
        cluster.wait_ready()
        if plan.settings:
            refuse_unknown_settings(
                plan.settings, admin_client(cluster.client_config, timeout_s=_READY_TIMEOUT_S)
            )
    except BaseException:
        cluster.close()
        raise
    return cluster
