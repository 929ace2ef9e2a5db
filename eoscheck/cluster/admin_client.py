"""Opens kafka-python's admin client from a librdkafka configuration.

Only kafka-python speaks the forensic APIs (KIP-664: ListTransactions, DescribeTransactions,
DescribeProducers) and hands out raw record batches; everything else uses confluent-kafka.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from eoscheck.errors import InfrastructureError, UsageError

_SAME_VALUE = {
    "client.id": "client_id",
    "ssl.ca.location": "ssl_cafile",
    "ssl.certificate.location": "ssl_certfile",
    "ssl.key.location": "ssl_keyfile",
    "ssl.key.password": "ssl_password",
    "ssl.crl.location": "ssl_crlfile",
    "sasl.mechanism": "sasl_mechanism",
    "sasl.mechanisms": "sasl_mechanism",
    "sasl.username": "sasl_plain_username",
    "sasl.password": "sasl_plain_password",
}
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


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
    config["bootstrap_servers"] = client_config["bootstrap.servers"].split(",")
    config["security_protocol"] = client_config.get("security.protocol", "plaintext").upper()
    mechanism = config.get("sasl_mechanism")
    if config["security_protocol"].startswith("SASL") and mechanism not in _MECHANISMS:
        raise UsageError(
            f"transactions cannot be looked up with sasl.mechanism {mechanism}: "
            f"supported are {', '.join(_MECHANISMS)}"
        )
    if client_config.get("ssl.endpoint.identification.algorithm", "https").lower() == "none":
        config["ssl_check_hostname"] = False
    if str(client_config.get("enable.ssl.certificate.verification", "true")).lower() == "false":
        config["ssl_context"] = _unverified_context(client_config)
    return config


def _unverified_context(client_config: Mapping[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    certificate = client_config.get("ssl.certificate.location")
    if certificate:
        context.load_cert_chain(
            certificate,
            client_config.get("ssl.key.location"),
            client_config.get("ssl.key.password"),
        )
    return context


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
