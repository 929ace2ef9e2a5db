"""Opens kafka-python's admin client from a librdkafka configuration.

Only kafka-python speaks the forensic APIs (KIP-664: ListTransactions, DescribeTransactions,
DescribeProducers) and hands out raw record batches; everything else uses confluent-kafka.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from eoscheck.cluster.java_login import MECHANISMS
from eoscheck.cluster.oauth import ClientCredentials
from eoscheck.cluster.tls import ssl_context
from eoscheck.errors import InfrastructureError, UsageError

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
    try:
        return KafkaAdminClient(
            **admin_config(client_config),
            bootstrap_timeout_ms=timeout_ms,
            request_timeout_ms=timeout_ms,
        )
    except (KafkaError, OSError) as error:
        raise InfrastructureError(
            f"no Kafka broker answers at {client_config['bootstrap.servers']}: {error}"
        ) from error
