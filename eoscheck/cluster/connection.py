"""Reaching a cluster, and saying in one line why that did not work."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

from confluent_kafka import OFFSET_INVALID, KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from eoscheck.errors import InfrastructureError

QUIET: Mapping[str, str | int] = {"log_level": 0}
"""For every librdkafka client of ours: its chatter on standard error would hide the one line."""

_CONNECT_TIMEOUT_S = 5.0
_RETRY_EVERY_S = 0.1
_LOOK_EVERY_S = 0.02
_FIRST_ATTEMPT_S = 2.0
_MOST_PROBLEMS = 100
_T = TypeVar("_T")
# librdkafka names its own errors with a leading underscore.
_REFUSED = frozenset({KafkaError._AUTHENTICATION, KafkaError._SSL})  # noqa: SLF001
_NEEDED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "READ on the topic is needed",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "DESCRIBE or READ on the group is needed",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "a right on the cluster is needed",
}
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
        KafkaError._TRANSPORT,  # noqa: SLF001 - a connection broke: its broker may come back
    }
)


def admin_client(client_config: Mapping[str, str], *, timeout_s: float) -> AdminClient:
    """Raises InfrastructureError at once where no bootstrap server takes a connection or the login
    is refused, for librdkafka itself would go on trying for the whole time-out, and not say why."""
    servers = client_config["bootstrap.servers"]
    check_reachable(servers, timeout_s=timeout_s)
    problems: list[KafkaError] = []

    def note(problem: KafkaError) -> None:
        if len(problems) < _MOST_PROBLEMS:  # the client may live long
            problems.append(problem)

    try:
        config: dict[str, Any] = {**client_config, **QUIET, "error_cb": note}
        admin = AdminClient(config)
    except KafkaException as error:
        raise InfrastructureError(f"the client cannot be made: {error_text(error)}") from error
    _check_login(admin, problems, servers=servers, timeout_s=timeout_s)
    return admin


def _check_login(
    admin: AdminClient, problems: list[KafkaError], *, servers: str, timeout_s: float
) -> None:
    """Asks for the cluster's name, which everybody may know who is let in. A broker that merely
    keeps silent is left to the questions to come."""
    answer = admin.describe_cluster(request_timeout=timeout_s)
    while True:
        try:
            answer.result(timeout=_LOOK_EVERY_S)
            return
        except TimeoutError:
            admin.poll(0)
        except KafkaException:
            break
        for problem in problems:
            if problem.code() in _REFUSED:
                reason = " ".join(problem.str().split())
                raise InfrastructureError(f"{servers} did not let us in: {reason}")
    admin.poll(0)
    if problems:
        check_reachable(servers, timeout_s=timeout_s)  # it may have gone away meanwhile
        raise InfrastructureError(
            f"{servers} closes every connection ({problems[-1].str()}): does it want another "
            "'security.protocol', or a login (--command-config)?"
        )


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


def told_offset(offset: int) -> int:
    """Raises KafkaException, to be asked again, for what librdkafka answers, without an error,
    where a leader moves: taken for a partition's end, it would hide all of it."""
    if offset == OFFSET_INVALID:
        raise KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE))
    return offset


def ask_again(admin: AdminClient, ask: Callable[[float], Future[_T]], *, timeout_s: float) -> _T:
    """What `ask`, given a time-out, is answered. Asked twice where the first answer is late: for
    many questions librdkafka waits for a "controller" that it was told of once, also when that
    broker is gone, until it learns of another by asking for metadata."""
    first_s = min(timeout_s, _FIRST_ATTEMPT_S)
    try:
        return while_moving(lambda: ask(first_s).result(), timeout_s=timeout_s)
    except KafkaException as error:
        if error_code(error) != KafkaError._TIMED_OUT or timeout_s <= first_s:  # noqa: SLF001
            raise
    with suppress(KafkaException):
        admin.list_topics(timeout=first_s)
    left_s = timeout_s - first_s
    return while_moving(lambda: ask(left_s).result(), timeout_s=left_s)


def error_text(error: KafkaException) -> str:
    """What a client's error says, without its wrapping, and the right that is missing."""
    cause = error.args[0] if error.args else error
    if not isinstance(cause, KafkaError):
        return str(cause)
    needed = _NEEDED.get(cause.code())
    return cause.str() if needed is None else f"{cause.str().rstrip('.')}: {needed}"


def error_code(error: KafkaException) -> int | None:
    cause = error.args[0] if error.args else None
    return cause.code() if isinstance(cause, KafkaError) else None
