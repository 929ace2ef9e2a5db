"""Reads settings of topics and brokers (DescribeConfigs)."""

from __future__ import annotations

from collections.abc import Mapping

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AdminClient,
    ConfigResource,
    ResourceType,
)

from eoscheck.cluster.connection import admin_client, ask_again, error_code, error_text
from eoscheck.errors import InfrastructureError

_NEEDED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "DESCRIBE_CONFIGS on the topic is needed",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "DESCRIBE_CONFIGS on the cluster is needed",
}
DEFAULT_SWEEP_MS = 10_000
_SWEEP = "transaction.abort.timed.out.transaction.cleanup.interval.ms"


class ConfigView:
    """Read-only. Raises InfrastructureError where an answer is refused or late."""

    def __init__(self, client_config: Mapping[str, str], *, timeout_s: float = 10.0) -> None:
        self._admin: AdminClient = admin_client(client_config, timeout_s=timeout_s)
        self._timeout_s = timeout_s

    def compacted(self, topic: str) -> bool:
        """Whether the topic's cleaner removes records that newer ones of their key replace."""
        return "compact" in self._ask(ResourceType.TOPIC, topic, "cleanup.policy").split(",")

    def transaction_sweep_ms(self) -> int:
        """How often a coordinator looks for transactions past their time-out. Kafka's default
        where the broker does not say."""
        brokers = self._admin.list_topics(timeout=self._timeout_s).brokers
        found = self._ask(ResourceType.BROKER, str(min(brokers)), _SWEEP)
        return int(found) if found else DEFAULT_SWEEP_MS

    def _ask(self, kind: ResourceType, name: str, key: str) -> str:
        resource = ConfigResource(kind, name)
        try:
            entry = ask_again(
                self._admin,
                lambda limit_s: self._admin.describe_configs([resource], request_timeout=limit_s)[
                    resource
                ],
                timeout_s=self._timeout_s,
            ).get(key)
        except KafkaException as error:
            reason = _NEEDED.get(error_code(error) or 0) or error_text(error)
            raise InfrastructureError(f"cannot read {key} of {name}: {reason}") from error
        return entry.value if entry is not None and entry.value is not None else ""
