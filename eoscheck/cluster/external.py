"""Somebody's own Kafka: bootstrap servers, and a client properties file as Kafka's tools take."""

from __future__ import annotations

from pathlib import Path

from eoscheck.closing import Closing
from eoscheck.cluster.client_properties import read_client_properties
from eoscheck.errors import UsageError


class ExternalCluster(Closing):
    """Nothing of it is ours: nothing is started, stopped, or created without being asked for."""

    owned = False
    brokers = None

    def __init__(self, *, bootstrap_server: str, command_config: Path | None = None) -> None:
        """`bootstrap_server` is `host:port,...`, `command_config` a Java client properties file.

        Raises UsageError for an address without a port, and for a property with no counterpart in
        librdkafka, by its name. Nothing is connected to yet.
        """
        for address in bootstrap_server.split(","):
            host, _, port = address.strip().rpartition(":")
            if not host or not port.isdigit():
                raise UsageError(
                    f"bootstrap server {address.strip()!r} is not of the form host:port"
                )
        self.bootstrap_servers = bootstrap_server
        self._properties = {} if command_config is None else read_client_properties(command_config)

    def bootstrap_for(self, instance: int) -> str:
        """The same for all instances."""
        return self.bootstrap_servers

    @property
    def direct_servers(self) -> str:
        return self.bootstrap_servers

    @property
    def client_config(self) -> dict[str, str]:
        return {**self._properties, "bootstrap.servers": self.bootstrap_servers}

    @property
    def description(self) -> str:
        protocol = self._properties.get("security.protocol", "PLAINTEXT").upper()
        return f"external Kafka at {self.bootstrap_servers} ({protocol})"

    def close(self) -> None:
        """Nothing to stop."""
