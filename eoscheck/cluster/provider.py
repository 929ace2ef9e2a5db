"""What a run needs of a Kafka cluster, wherever it comes from."""

from __future__ import annotations

from typing import Protocol

from eoscheck.cluster.brokers import Brokers


class Cluster(Protocol):
    """A running Kafka cluster.

    Providers: `embedded` (a real Apache Kafka as a child process), `external` (bootstrap servers
    and a client properties file), `docker` (brokers in containers).
    """

    @property
    def bootstrap_servers(self) -> str:
        """`host:port,...` that subjects are given: network faults may stand in this way."""
        ...

    def bootstrap_for(self, instance: int) -> str:
        """What the subject's instance (from 0) is given: addresses of its own, where the cluster
        was started with a slot for it, else `bootstrap_servers`."""
        ...

    @property
    def direct_servers(self) -> str:
        """`host:port,...` for the load, the observer and the auditor: past every proxy."""
        ...

    @property
    def client_config(self) -> dict[str, str]:
        """librdkafka properties for `direct_servers`, `bootstrap.servers` included."""
        ...

    @property
    def owned(self) -> bool:
        """True where we started it: only then may topics be created without being asked for."""
        ...

    @property
    def description(self) -> str:
        """One line for reports: provider, version, number of brokers. No secrets."""
        ...

    @property
    def brokers(self) -> Brokers | None:
        """What may be done to its brokers; None where they are not ours."""
        ...

    def close(self) -> None:
        """Stops what we started and removes its files; idempotent."""
        ...
