"""Opens kafka-python's admin client from a librdkafka configuration.

Only kafka-python speaks the forensic APIs (KIP-664: ListTransactions, DescribeTransactions,
DescribeProducers) and hands out raw record batches; everything else uses confluent-kafka.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from itertools import cycle
from typing import Any, TypeVar

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError, UnknownBrokerIdError

from eoscheck.cluster.java_login import MECHANISMS
from eoscheck.cluster.oauth import ClientCredentials
from eoscheck.cluster.tls import ssl_context
from eoscheck.errors import InfrastructureError, UsageError

_T = TypeVar("_T")
_SAME_VALUE = {
    "client.id": "client_id",
    "sasl.mechanism": "sasl_mechanism",
    "sasl.mechanisms": "sasl_mechanism",
    "sasl.username": "sasl_plain_username",
    "sasl.password": "sasl_plain_password",
}


def admin_config(client_config: Mapping[str, str]) -> dict[str, Any]:
    """The same connection settings under kafka-python's names.

    Settings that do not concern the connection are left out. Raises UsageError where a security
    setting has no counterpart: a silent fallback could reach another cluster, or none.
    """
    config: dict[str, Any] = {
        ours: client_config[theirs]
        for theirs, ours in _SAME_VALUE.items()
        if theirs in client_config
    }
    protocol = client_config.get("security.protocol", "plaintext").upper()
    config["bootstrap_servers"] = client_config["bootstrap.servers"].split(",")
    config["security_protocol"] = protocol
    if protocol.startswith("SASL"):
        mechanism = config.get("sasl_mechanism")
        if mechanism not in MECHANISMS:
            raise UsageError(
                f"transactions cannot be looked up with sasl.mechanism {mechanism}: "
                f"supported are {', '.join(MECHANISMS)}"
            )
        if mechanism == "OAUTHBEARER":
            config["sasl_oauth_token_provider"] = ClientCredentials(client_config)
    if protocol.endswith("SSL"):
        config["ssl_context"] = ssl_context(client_config)
    return config


def open_admin(client_config: Mapping[str, str], *, timeout_s: float) -> KafkaAdminClient:
    """An admin client that has reached the cluster.

    Raises InfrastructureError where none answers within `timeout_s`.
    """
    timeout_ms = max(1, int(timeout_s * 1000))
    # In two steps: a constructor that fails leaves a thread and its sockets behind, and nobody who
    # could close them.
    admin = KafkaAdminClient.__new__(KafkaAdminClient)
    try:
        admin.__init__(
            **admin_config(client_config),
            bootstrap_timeout_ms=timeout_ms,
            request_timeout_ms=timeout_ms,
        )
    except (KafkaError, OSError) as error:
        if hasattr(admin, "_client"):
            admin._closed = False  # noqa: SLF001 - or it takes itself for closed
            admin.close()
        raise InfrastructureError(
            f"no Kafka broker answers at {client_config['bootstrap.servers']}: {error}"
        ) from error
    return admin


def passes(error: BaseException) -> bool:
    """Whether another try may be answered: not what a broker has said for good. A broker that the
    client does not know (any more) has come or gone since it asked who is there."""
    if isinstance(error, KafkaError):
        return bool(error.retriable) or isinstance(error, UnknownBrokerIdError)
    return isinstance(error, InfrastructureError)


class RotatingAdmin:
    """One question after the other, each to a client that is opened at the next server where the
    last one failed. kafka-python 3.0 remembers a coordinator for ever, and holds on to a broker
    that takes connections and is silent: only a new client asks again, and elsewhere. Thread-safe.
    """

    def __init__(self, client_config: Mapping[str, str], *, attempt_s: float) -> None:
        """Nothing is connected to before the first question. `attempt_s`: for one answer."""
        self._config = dict(client_config)
        self._servers = cycle(self._config["bootstrap.servers"].split(","))
        self._attempt_s = attempt_s
        self._admin: KafkaAdminClient | None = None
        self._lock = threading.Lock()

    def ask(self, question: Callable[[KafkaAdminClient], _T]) -> _T:
        """Once. Raises what the client does, or InfrastructureError where nobody is there."""
        with self._lock:
            try:
                if self._admin is None:
                    config = {**self._config, "bootstrap.servers": next(self._servers)}
                    self._admin = open_admin(config, timeout_s=self._attempt_s)
                return question(self._admin)
            except BaseException as error:
                if not isinstance(error, KafkaError) or passes(error):
                    self._forget()
                raise

    def close(self) -> None:
        """Idempotent; another question opens it again."""
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        if self._admin is not None:
            self._admin.close()
            self._admin = None
