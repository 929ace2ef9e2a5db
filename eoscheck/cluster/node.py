"""One Kafka node: its process, and why it did not start."""

from __future__ import annotations

import re
import signal
import socket
import time
from collections.abc import Callable, Mapping, Sequence, Set
from functools import partial
from pathlib import Path

import javaproperties
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from eoscheck.cluster.addresses import Address
from eoscheck.cluster.distribution import Distribution
from eoscheck.cluster.known_brokers import known_brokers
from eoscheck.errors import InfrastructureError
from eoscheck.network.ports import HOST
from eoscheck.process import Child, Supervisor, tail

_PROBE_S = 0.2
_LONGEST_PROBE_S = 2.0
_KILL_TIMEOUT_S = 10.0
_SIGNAL_TIMEOUT_S = 5.0
_LOOK_EVERY_S = 0.005
_PAUSE_S = 0.02

_REASON = re.compile(r"ERROR|Exception|Error occurred|Could not|insufficient memory")
_STACK = re.compile(r"\s+(?:at |\.\.\. \d)")
_LOG_PREFIX = re.compile(r'^\S+ \[[^\]]+\] [A-Z]+ \S+ - |^Exception in thread "main" ')


class PortTakenError(InfrastructureError):
    """Somebody else took a port between our looking and Kafka's binding."""


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
        self._end_expected = False

    @property
    def id(self) -> int:
        return self.address.node_id

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def running(self) -> bool:
        """Its process is there, paused or not."""
        return self._child.poll() is None

    @property
    def paused(self) -> bool:
        return self._child.stopped

    @property
    def paused_by(self) -> str:
        """How `pause` does it, for evidence."""
        return self._child.stops_by

    @property
    def resumed_by(self) -> str:
        return self._child.continues_by

    def wait_ready(self, *, timeout_s: float, peers: Sequence[Node] = ()) -> None:
        """Until both listeners answer, and know this node and its `peers`, which must not end
        meanwhile; a CLIENT that wants a login only has to take connections.

        Raises PortTakenError, or InfrastructureError with the reasons that Kafka printed.
        """
        give_up_at = time.monotonic() + timeout_s
        ids = {self.id, *(peer.id for peer in peers)}
        direct, client = (
            partial(self._answers, port, ids) for port in (self.address.direct, self.address.client)
        )
        for answers in (direct, self._takes_clients if self._secured else client):
            probe_s = _PROBE_S
            while not answers(timeout_s=probe_s):
                for node in (self, *peers):
                    node.check_running()
                if time.monotonic() > give_up_at:
                    raise self._failure(f"Kafka {self.id} was not ready within {timeout_s:.0f} s")
                probe_s = min(2 * probe_s, _LONGEST_PROBE_S)
                time.sleep(_PAUSE_S)

    def check_running(self) -> None:
        """Raises as `wait_ready` where it has ended."""
        if not self.running:
            raise self._failure(f"Kafka {self.id} ended before it was ready")

    def knows(self, broker: int) -> bool:
        """Whether it answers, and tells clients of that broker."""
        return self._answers(self.address.direct, {broker})

    def failure(self, *, timeout_s: float) -> str | None:
        """Why it ended by itself, None while it runs or where it was our doing; waits at most
        `timeout_s` for that."""
        code = self._child.wait(timeout_s=timeout_s)
        if code is None or self._end_expected:
            return None
        return f"Kafka ended by itself (code {code}): {failure_reason(self._child.output)}"

    def stop(self, *, timeout_s: float) -> int:
        """Ends it in order; its exit code (-9: that took too long, and it was killed)."""
        self._end_expected = True
        return self._child.stop(timeout_s=timeout_s)

    def kill(self) -> None:
        """Ends it at once; idempotent. Raises InfrastructureError where it does not end."""
        self._end_expected = True
        self._child.signal(signal.SIGKILL)
        if self._child.wait(timeout_s=_KILL_TIMEOUT_S) is None:
            raise InfrastructureError(f"process {self.pid} of Kafka does not end by SIGKILL")

    def expect_end(self) -> None:
        """We are about to do what may make it end."""
        self._end_expected = True

    def pause(self) -> None:
        """Returns when it has stopped. Raises InfrastructureError where it does not."""
        self._child.signal(signal.SIGSTOP)
        self._wait_paused(True)

    def resume(self) -> None:
        self._child.signal(signal.SIGCONT)
        self._wait_paused(False)

    def start(self) -> None:
        """Where it is down: with its data and ports; `wait_ready`."""
        if not self.running:
            self._child = self._start()
            self._end_expected = False

    def restart(self) -> None:
        """Kills it, where it still runs, and starts it."""
        self.kill()
        self.start()

    def _wait_paused(self, wanted: bool) -> None:
        try:
            Retrying(
                retry=retry_if_result(lambda paused: paused is not wanted),
                stop=stop_after_delay(_SIGNAL_TIMEOUT_S),
                wait=wait_fixed(_LOOK_EVERY_S),
            )(lambda: self.paused)
        except RetryError:
            word = "stop" if wanted else "go on"
            raise InfrastructureError(
                f"process {self.pid} of Kafka did not {word} within {_SIGNAL_TIMEOUT_S:.0f} s"
            ) from None

    def _answers(self, port: int, brokers: Set[int], *, timeout_s: float = _PROBE_S) -> bool:
        """By its id: in a race for a port it may be somebody else's Kafka that answers."""
        try:
            known = known_brokers(port, timeout_s=timeout_s)
        except (OSError, EOFError):
            return False
        return brokers <= known.addresses.keys() and known.cluster_id == self._cluster_id

    def _takes_clients(self, *, timeout_s: float) -> bool:
        try:
            with socket.create_connection((HOST, self.address.client), timeout=timeout_s):
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
    host_names: Mapping[str, str] | None = None,
) -> Node:
    """`folder` gets the properties file and the log; the data directory is there already.
    `host_names`, by name, are then the only ones that it can look up."""
    file = folder / "server.properties"
    file.write_text(javaproperties.dumps(dict(properties)))
    options = list(jvm_options)
    if host_names is not None:
        hosts = folder / "hosts"
        known = {"localhost": HOST, socket.gethostname(): HOST, **host_names}
        hosts.write_text("".join(f"{address} {name}\n" for name, address in known.items()))
        options.append(f"-Djdk.net.hosts.file={hosts}")

    def start() -> Child:
        return supervisor.start(
            distribution.command("kafka.Kafka", str(file), options=options),
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
    said = [line for line in lines if not _STACK.match(line)]
    reasons = [_LOG_PREFIX.sub("", line) for line in said if _REASON.search(line)]
    return "; ".join(list(dict.fromkeys(reasons))[:3] or lines[-3:]) or "it printed nothing"
