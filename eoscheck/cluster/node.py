"""One Kafka node: its ports and properties, its process, and why it did not start."""

from __future__ import annotations

import re
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import javaproperties
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from eoscheck.cluster.distribution import Distribution
from eoscheck.cluster.settings import DEFAULT_SETTINGS
from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.process import Child, Supervisor, tail

HOST = "127.0.0.1"
_PROBE_S = 0.2
_KILL_TIMEOUT_S = 10.0
_QUIET_CLIENT = {"log_level": 0, "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 50}

_REASON = re.compile(r"ERROR|Exception|Error occurred|Could not|insufficient memory")
_LOG_PREFIX = re.compile(r"^\S+ \[[^\]]+\] [A-Z]+ \S+ - ")


class PortTakenError(InfrastructureError):
    """Somebody else took a port between our looking and Kafka's binding."""


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a node listens. CLIENT is what subjects are given, DIRECT goes past every proxy."""

    node_id: int
    client: int
    direct: int
    controller: int


def free_address(*, node_id: int, client_port: int | None = None) -> Address:
    """Ports that nobody listens on at this moment.

    Raises UsageError where `client_port` was chosen and is taken.
    """
    with ExitStack() as stack:
        client = _bound(stack, client_port or 0)
        direct, controller = _bound(stack, 0), _bound(stack, 0)
        return Address(node_id=node_id, client=client, direct=direct, controller=controller)


def _bound(stack: ExitStack, port: int) -> int:
    listener = stack.enter_context(socket.socket())
    # As Kafka binds: a connection that is only waiting to time out does not count.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        raise UsageError(
            f"port {port} on {HOST} cannot be used ({error.strerror}): choose another --port"
        ) from error
    return int(listener.getsockname()[1])


def node_properties(
    address: Address,
    *,
    voters: Sequence[Address],
    data: Path,
    settings: Mapping[str, str],
    client_protocol: str = "PLAINTEXT",
    advertised_port: int | None = None,
) -> dict[str, str]:
    """A broker, and a controller too where it is one of the `voters`; `settings` come before the
    defaults.

    `client_protocol` is what CLIENT speaks, SASL_SSL for example; its `settings` begin with
    `listener.name.client.`. `advertised_port` is where others are told to find it.
    """
    direct = f"DIRECT://{HOST}:{address.direct}"
    listeners = f"CLIENT://{HOST}:{address.client},{direct}"
    votes = address in voters
    return {
        **DEFAULT_SETTINGS,
        **settings,
        "process.roles": "broker,controller" if votes else "broker",
        "node.id": str(address.node_id),
        "controller.quorum.voters": ",".join(
            f"{voter.node_id}@{HOST}:{voter.controller}" for voter in voters
        ),
        "listeners": listeners + (f",CONTROLLER://{HOST}:{address.controller}" if votes else ""),
        "advertised.listeners": f"CLIENT://{HOST}:{advertised_port or address.client},{direct}",
        "listener.security.protocol.map": (
            f"CLIENT:{client_protocol},DIRECT:PLAINTEXT,CONTROLLER:PLAINTEXT"
        ),
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "DIRECT",
        "log.dirs": str(data),
    }


class Node:
    """A started node; `start` starts its process, again too. `secured`: CLIENT wants a login."""

    def __init__(
        self, *, address: Address, cluster_id: str, start: Callable[[], Child], secured: bool
    ) -> None:
        self.address = address
        self._cluster_id = cluster_id
        self._secured = secured
        self._start = start
        self._child = start()

    @property
    def pid(self) -> int:
        return self._child.pid

    def wait_ready(self, *, timeout_s: float, brokers: int = 1) -> None:
        """Until both listeners answer, and know `brokers` that take part; a CLIENT that wants a
        login only has to take connections.

        Raises PortTakenError, or InfrastructureError with the reasons that Kafka printed.
        """
        give_up_at = time.monotonic() + timeout_s
        direct, client = (
            self._probe(port, brokers) for port in (self.address.direct, self.address.client)
        )
        for answers in (direct, self._takes_clients if self._secured else client):
            while not answers():
                if self._child.poll() is not None:
                    raise self._failure("Kafka ended while it started")
                if time.monotonic() > give_up_at:
                    raise self._failure(f"Kafka was not ready within {timeout_s:.0f} s")

    def failure(self, *, timeout_s: float) -> str | None:
        """Why it ended by itself, None while it runs; waits at most `timeout_s` for that."""
        code = self._child.wait(timeout_s=timeout_s)
        if code is None:
            return None
        return f"Kafka ended by itself (code {code}): {failure_reason(self._child.output)}"

    def stop(self, *, timeout_s: float) -> int:
        """Ends it in order; its exit code."""
        return self._child.stop(timeout_s=timeout_s)

    def kill(self) -> None:
        """Ends it at once; idempotent."""
        self._child.signal(signal.SIGKILL)
        self._child.wait(timeout_s=_KILL_TIMEOUT_S)

    def restart(self) -> None:
        """Kills it, where it still runs, and starts it with its data and ports; `wait_ready`."""
        self.kill()
        self._child = self._start()

    def _probe(self, port: int, brokers: int) -> Callable[[], bool]:
        """By its id: in a race for a port it may be somebody else's Kafka that answers."""
        client = AdminClient({**_QUIET_CLIENT, "bootstrap.servers": f"{HOST}:{port}"})

        def answers() -> bool:
            try:
                metadata = client.list_topics(timeout=_PROBE_S)
            except KafkaException:
                return False
            return len(metadata.brokers) >= brokers and metadata.cluster_id == self._cluster_id

        return answers

    def _takes_clients(self) -> bool:
        try:
            with socket.create_connection((HOST, self.address.client), timeout=_PROBE_S):
                return True
        except OSError:
            return False

    def _failure(self, what: str) -> InfrastructureError:
        reason = failure_reason(self._child.output)
        kind = PortTakenError if "Address already in use" in reason else InfrastructureError
        return kind(f"{what}: {reason}")


def start_node(
    distribution: Distribution,
    address: Address,
    properties: Mapping[str, str],
    *,
    cluster_id: str,
    supervisor: Supervisor,
    folder: Path,
    jvm_options: Sequence[str] = (),
) -> Node:
    """`folder` gets the properties file and the log; the data directory is there already."""
    file = folder / "server.properties"
    file.write_text(javaproperties.dumps(dict(properties)))

    def start() -> Child:
        return supervisor.start(
            distribution.command("kafka.Kafka", str(file), options=jvm_options),
            output=folder / "broker.log",
            env=distribution.environment,
            cwd=folder,
        )

    protocols = properties["listener.security.protocol.map"]
    return Node(
        address=address,
        cluster_id=cluster_id,
        start=start,
        secured="CLIENT:PLAINTEXT" not in protocols.split(","),
    )


def failure_reason(log: Path) -> str:
    """What a broker's log says about why it ended, as one line."""
    lines = tail(log, 200)
    reasons = [_LOG_PREFIX.sub("", line) for line in lines if _REASON.search(line)]
    return "; ".join(list(dict.fromkeys(reasons))[:3] or lines[-3:]) or "it printed nothing"
