"""The runtime's options, named as in Kafka Streams."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from reference_app.streams.errors import ConfigurationError

# What the guarantees rest on; Kafka Streams keeps these from its users as well.
_MANAGED = frozenset(
    {
        "auto.offset.reset",
        "client.id",
        "enable.auto.commit",
        "enable.auto.offset.store",
        "enable.idempotence",
        "enable.partition.eof",
        "group.id",
        "group.instance.id",
        "heartbeat.interval.ms",
        "isolation.level",
        "max.poll.interval.ms",
        "partition.assignment.strategy",
        "partitioner",
        "session.timeout.ms",
        "transaction.timeout.ms",
        "transactional.id",
    }
)


class Guarantee(StrEnum):
    EXACTLY_ONCE_V2 = "exactly_once_v2"
    AT_LEAST_ONCE = "at_least_once"


@dataclass(frozen=True, kw_only=True)
class StreamsOptions:
    """Times in milliseconds, as in Kafka. Refuses at once what cannot work."""

    application_id: str
    bootstrap_server: str
    processing_guarantee: Guarantee = Guarantee.EXACTLY_ONCE_V2
    commit_interval_ms: int | None = None
    """None: 100 under exactly-once, 30,000 under at-least-once, as in Kafka Streams."""
    num_stream_threads: int = 1
    """Workers: each has a consumer, a producer and a thread."""
    num_standby_replicas: int = 0
    """Other processes that keep a warm copy of each task's stores."""
    state_dir: Path = Path(tempfile.gettempdir()) / "reference-app"
    group_instance_id: str | None = None
    session_timeout_ms: int = 45_000
    heartbeat_interval_ms: int = 3_000
    max_poll_interval_ms: int = 300_000
    max_poll_records: int = 2_000
    transaction_timeout_ms: int = 10_000
    dead_letter_topic: str | None = None
    """Takes the records that cannot be processed; None: the first one ends the process."""
    replication_factor: int = -1
    """Of changelog topics; -1: the broker's default."""
    default_api_timeout_ms: int = 60_000
    close_timeout_ms: int = 30_000
    metrics_file: Path | None = None
    """None: `metrics.json` in the state directory."""
    client_properties: Mapping[str, str] = field(default_factory=dict)
    """librdkafka properties; a prefix `consumer.` or `producer.` narrows one to that client."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._-]+", self.application_id):
            raise ConfigurationError(
                f"--application-id {self.application_id!r}: use letters, digits, '.', '_', '-' "
                "(it names topics)"
            )
        for name in ("session_timeout_ms", "transaction_timeout_ms", "max_poll_records"):
            if getattr(self, name) <= 0:
                raise ConfigurationError(f"--{name.replace('_', '-')} must be above 0")
        if self.num_stream_threads < 1:
            raise ConfigurationError("--num-stream-threads must be at least 1")
        if self.num_standby_replicas < 0:
            raise ConfigurationError("--num-standby-replicas must be 0 or more")
        if self.heartbeat_interval_ms >= self.session_timeout_ms:
            raise ConfigurationError("--heartbeat-interval-ms must be below --session-timeout-ms")
        if self.exactly_once and self.transaction_timeout_ms <= self.commit_interval:
            raise ConfigurationError(
                f"--transaction-timeout-ms {self.transaction_timeout_ms} must be above the commit "
                f"interval of {self.commit_interval} ms: else every transaction times out"
            )
        for name in self.client_properties:
            if re.sub(r"^(consumer|producer)\.", "", name) in _MANAGED:
                raise ConfigurationError(
                    f"--client-property {name}: the guarantee rests on it, it cannot be changed"
                )

    @property
    def exactly_once(self) -> bool:
        return self.processing_guarantee is Guarantee.EXACTLY_ONCE_V2

    @property
    def commit_interval(self) -> int:
        """Milliseconds."""
        if self.commit_interval_ms is not None:
            return self.commit_interval_ms
        return 100 if self.exactly_once else 30_000

    @property
    def metrics_path(self) -> Path:
        return self.metrics_file or self.state_dir / "metrics.json"


def read_properties(lines: Iterable[str], *, origin: str) -> dict[str, str]:
    """`name=value` lines, as in a Java properties file; blank lines and `#` comments are skipped.

    Raises ConfigurationError without repeating the line: it may hold a secret.
    """
    properties = {}
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text.startswith(("#", "!")):
            continue
        name, separator, value = text.partition("=")
        if not separator or not name.strip():
            raise ConfigurationError(f"{origin}, line {number}: expected name=value")
        properties[name.strip()] = value.strip()
    return properties
