"""A real Apache Kafka on this machine, as a child process that never outlives us."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from eoscheck.cluster.archive import archive_options
from eoscheck.cluster.connection import admin_client
from eoscheck.cluster.distribution import Distribution, prepare_distribution
from eoscheck.cluster.node import (
    HOST,
    Address,
    Node,
    PortTakenError,
    free_address,
    node_properties,
    start_node,
)
from eoscheck.cluster.settings import refuse_reserved_settings, refuse_unknown_settings
from eoscheck.cluster.storage import formatted_template, make_data_folder, new_cluster_id
from eoscheck.errors import InfrastructureError
from eoscheck.process import Supervisor

_READY_TIMEOUT_S = 90.0
_PREPARE_TIMEOUT_S = 300.0
_PORT_ATTEMPTS = 5


@dataclass(frozen=True, kw_only=True)
class _Kit:
    """What every broker is started from; all of it in the cache."""

    distribution: Distribution
    template: Path
    jvm_options: tuple[str, ...]


class EmbeddedCluster:
    """A running cluster of our own. `close` kills it and removes its data; so does the supervisor,
    should this process die first."""

    owned = True

    def __init__(self, *, nodes: Sequence[Node], folder: Path, description: str) -> None:
        self._nodes = nodes
        self._folder = folder
        self.description = description

    @property
    def bootstrap_servers(self) -> str:
        return ",".join(f"{HOST}:{node.address.client}" for node in self._nodes)

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
        """Why a broker ended by itself, None while all run; waits at most `timeout_s` for that."""
        return next(filter(None, (node.failure(timeout_s=timeout_s) for node in self._nodes)), None)

    def restart(self) -> None:
        """Kills every broker and starts it again, on the same ports and with what it had stored.

        Raises InfrastructureError with Kafka's own reasons where one does not come back.
        """
        for node in self._nodes:
            node.kill()
        for node in self._nodes:
            node.restart()
        for node in self._nodes:
            node.wait_ready(timeout_s=_READY_TIMEOUT_S, brokers=len(self._nodes))

    def close(self) -> None:
        """Idempotent."""
        for node in self._nodes:
            node.kill()
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
) -> EmbeddedCluster:
    """Starts one combined broker and controller, and `brokers - 1` that are brokers only; returns
    when they answer on both listeners.

    `settings` are broker properties over `node.DEFAULT_SETTINGS`. `client_port` fixes the port that
    subjects are given; the others are always free ones. `client_protocol` is what that port speaks,
    with the `settings` of `listener.name.client.*`; `direct_servers` stay open to everybody here.
    `advertised_port` is where clients are told to find that port instead: a proxy's.
    Raises UsageError for a setting or port that cannot be used, InfrastructureError with Kafka's
    own reasons where it does not start.
    """
    refuse_reserved_settings(settings)
    kit = _prepare(supervisor, progress)
    for attempt in range(1, _PORT_ATTEMPTS + 1):
        addresses = [
            free_address(node_id=number, client_port=client_port if number == 1 else None)
            for number in range(1, brokers + 1)
        ]
        described = [
            node_properties(
                address,
                voters=addresses[:1],
                data=Path("data"),
                settings=settings,
                client_protocol=client_protocol,
                advertised_port=advertised_port,
            )
            for address in addresses
        ]
        try:
            return _start(kit, supervisor, addresses, described, settings)
        except PortTakenError:
            if attempt == _PORT_ATTEMPTS:
                raise
            progress("another program was quicker to take a port: trying others")
    raise AssertionError("unreachable")


def _prepare(supervisor: Supervisor, progress: Callable[[str], None]) -> _Kit:
    distribution = prepare_distribution(supervisor=supervisor, progress=progress)
    distribution.work.mkdir(parents=True, exist_ok=True)
    guard = FileLock(distribution.work / ".lock", timeout=_PREPARE_TIMEOUT_S)
    try:
        with guard:
            template = formatted_template(distribution, supervisor=supervisor)
            options = archive_options(
                distribution, template=template, supervisor=supervisor, progress=progress
            )
    except Timeout:
        raise InfrastructureError(
            f"another process has held {guard.lock_file} for {_PREPARE_TIMEOUT_S:.0f} s: "
            "end it, or set EOSCHECK_CACHE to another folder"
        ) from None
    return _Kit(distribution=distribution, template=template, jvm_options=options)


def _start(
    kit: _Kit,
    supervisor: Supervisor,
    addresses: Sequence[Address],
    properties: Sequence[Mapping[str, str]],
    settings: Mapping[str, str],
) -> EmbeddedCluster:
    cluster_id = new_cluster_id()
    folder = Path(tempfile.gettempdir()) / f"eoscheck-kafka-{cluster_id}"
    # Told before it exists: there is no moment at which our death would leave it behind.
    supervisor.remove_at_exit(folder)
    folder.mkdir(mode=0o700)
    nodes: list[Node] = []
    count = "one node" if len(addresses) == 1 else f"{len(addresses)} nodes"
    cluster = EmbeddedCluster(
        nodes=nodes,
        folder=folder,
        description=(
            f"embedded Apache Kafka {kit.distribution.version}, {count}, "
            f"Java {kit.distribution.java.version}"
        ),
    )
    try:
        for address, described in zip(addresses, properties, strict=True):
            own = folder / str(address.node_id)
            own.mkdir()
            make_data_folder(
                kit.template, own / "data", cluster_id=cluster_id, node_id=address.node_id
            )
            nodes.append(
                start_node(
                    kit.distribution,
                    address,
                    described,
                    cluster_id=cluster_id,
                    supervisor=supervisor,
                    folder=own,
                    jvm_options=kit.jvm_options,
                )
            )
        for node in nodes:
            node.wait_ready(timeout_s=_READY_TIMEOUT_S, brokers=len(nodes))
        if settings:
            refuse_unknown_settings(
                settings, admin_client(cluster.client_config, timeout_s=_READY_TIMEOUT_S)
            )
    except BaseException:
        cluster.close()
        raise
    return cluster
