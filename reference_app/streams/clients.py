"""The Kafka clients a worker has, and the properties the guarantees rest on, in one place."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import AdminClient

from reference_app.streams.errors import ConfigurationError, reason
from reference_app.streams.options import StreamsOptions

_LOG = logging.getLogger("librdkafka")
_SIDES = ("consumer.", "producer.")


@dataclass(frozen=True, kw_only=True)
class Clients:
    """Makes the clients of one process. `client_id` names them in the broker's logs and quotas.

    `consumer_overrides` is for experiments that break a rule on purpose; users' properties pass
    through `StreamsOptions.client_properties`, which keeps the rules.
    """

    options: StreamsOptions
    client_id: str
    consumer_overrides: Mapping[str, Any]

    def admin(self) -> AdminClient:
        # Its answers carry their errors; what it would log of a lost connection is said elsewhere.
        properties = {"log_level": 0, **self._common("admin")}
        try:
            return AdminClient(properties)
        except KafkaException as error:
            raise _refused(error) from error

    def consumer(self, *, worker: int) -> Consumer:
        """Of the input. Offsets are committed by the runtime and by nobody else."""
        options = self.options
        properties = {
            **self._common("consumer"),
            "group.id": options.application_id,
            "session.timeout.ms": options.session_timeout_ms,
            "heartbeat.interval.ms": options.heartbeat_interval_ms,
            "max.poll.interval.ms": options.max_poll_interval_ms,
            "partition.assignment.strategy": "cooperative-sticky",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            # Its offsets tell how far a partition was read, control records included.
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "logger": _LOG,
        }
        if options.group_instance_id is not None:
            properties["group.instance.id"] = f"{options.group_instance_id}-{worker}"
        try:
            return Consumer({**properties, **self.consumer_overrides})
        except KafkaException as error:
            raise _refused(error) from error

    @property
    def process_name(self) -> str:
        """By which `Owners` know this process's members."""
        return self.options.group_instance_id or f"{self.client_id}-consumer"

    def restore_consumer(self) -> Consumer:
        """Of changelogs: it is assigned, never subscribes, and commits nothing.

        A group id is asked for by the client library and is never used. A start offset that is not
        there is an error: to restore from somewhere else would be to restore something else.
        """
        return self._changelog_consumer("restore-consumer", {"fetch.wait.max.ms": 50})

    def standby_consumer(self, overrides: Mapping[str, Any]) -> Consumer:
        """As the restore consumer, but in no hurry."""
        return self._changelog_consumer("standby-consumer", overrides)

    def _changelog_consumer(self, role: str, properties: Mapping[str, Any]) -> Consumer:
        try:
            return Consumer(
                {
                    **self._common(role, side="consumer."),
                    "group.id": f"{self.options.application_id}-restore",
                    "auto.offset.reset": "error",
                    "enable.auto.commit": False,
                    "enable.auto.offset.store": False,
                    "enable.partition.eof": True,
                    "isolation.level": "read_committed",
                    "queued.max.messages.kbytes": 64 * 1024,
                    "logger": _LOG,
                    **properties,
                }
            )
        except KafkaException as error:
            raise _refused(error) from error

    def producer(self, *, transactional_id: str | None) -> Producer:
        """Transactional with an id, else idempotent: no retry reorders or repeats a record."""
        try:
            return Producer(self._producer_properties(transactional_id))
        except KafkaException as error:
            raise _refused(error) from error

    def _producer_properties(self, transactional_id: str | None) -> dict[str, Any]:
        properties: dict[str, Any] = {
            # Inside a transaction nobody sees a record before the commit, which flushes: waiting
            # for fuller batches costs no latency. A user may set less for at-least-once.
            "linger.ms": 20,
            "queue.buffering.max.messages": 1_000_000,
            "queue.buffering.max.kbytes": 256 * 1024,
            **self._common("producer"),
            "enable.idempotence": True,
            # Java's partitioner: records of one key meet in one partition, whoever wrote them.
            "partitioner": "murmur2_random",
            "logger": _LOG,
        }
        if transactional_id is None:
            # Each record's failure is heard; a success costs no call.
            properties["delivery.report.only.error"] = True
        else:
            properties["transactional.id"] = transactional_id
            properties["transaction.timeout.ms"] = self.options.transaction_timeout_ms
        return properties

    def _common(self, role: str, *, side: str | None = None) -> dict[str, Any]:
        side = side or f"{role}."
        properties: dict[str, Any] = {
            "bootstrap.servers": self.options.bootstrap_server,
            "client.id": f"{self.client_id}-{role}",
        }
        for name, value in self.options.client_properties.items():
            if name.startswith(side):
                properties[name.removeprefix(side)] = value
            elif not name.startswith(_SIDES):
                properties[name] = value
        return properties


def _refused(error: KafkaException) -> ConfigurationError:
    return ConfigurationError(f"client properties refused: {reason(error)}")
