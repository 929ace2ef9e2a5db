"""Reaching a cluster, and saying in one line why that did not work."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from eoscheck.errors import InfrastructureError

QUIET: Mapping[str, str | int] = {"log_level": 0}
"""For every librdkafka client of ours: its chatter on standard error would hide the one line."""

_CONNECT_TIMEOUT_S = 5.0
_RETRY_EVERY_S = 0.1
_T = TypeVar("_T")
# A leader or coordinator moves, or the broker has not taken up what the controller gave it.
_MOVING = frozenset(
    {
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.UNKNOWN_LEADER_EPOCH,
    }
)


def admin_client(client_config: Mapping[str, str], *, timeout_s: float) -> AdminClient:
    """Raises InfrastructureError at once where no bootstrap server takes a connection, for
    librdkafka itself would go on trying for the whole time-out, and not say why."""
    check_reachable(client_config["bootstrap.servers"], timeout_s=timeout_s)
    try:
        return AdminClient({**client_config, **QUIET})
    except KafkaException as error:
        raise InfrastructureError(f"the client cannot be made: {error_text(error)}") from error


def check_reachable(bootstrap_servers: str, *, timeout_s: float) -> None:
    """Raises InfrastructureError where none of `host:port,...` takes a TCP connection."""
    refusals = []
    for server in bootstrap_servers.split(","):
        host, _, port = server.strip().rpartition(":")
        address = (host.strip("[]"), int(port))
        try:
            with socket.create_connection(address, timeout=min(timeout_s, _CONNECT_TIMEOUT_S)):
                return
        except OSError as error:
            refusals.append(f"{server.strip()}: {error.strerror or error}")
    raise InfrastructureError(
        f"cannot reach Kafka at {'; '.join(refusals)}: is it running, and is the address right?"
    )


def while_moving(ask: Callable[[], _T], *, timeout_s: float) -> _T:
    """The answer, asked for again, at most for `timeout_s`, while it is "not here, not yet"."""
    retrying = Retrying(
        retry=retry_if_exception(
            lambda error: isinstance(error, KafkaException) and error_code(error) in _MOVING
        ),
        stop=stop_after_delay(timeout_s),
        wait=wait_fixed(_RETRY_EVERY_S),
        reraise=True,
    )
    return retrying(ask)


def error_text(error: KafkaException) -> str:
    """What a client's error says, without its wrapping."""
    cause = error.args[0] if error.args else error
    return cause.str() if isinstance(cause, KafkaError) else str(cause)


def error_code(error: KafkaException) -> int | None:
    cause = error.args[0] if error.args else None
    return cause.code() if isinstance(cause, KafkaError) else None
