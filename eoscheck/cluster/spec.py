"""What cluster is asked for, as plain data: the table `[cluster]` of a scenario."""

from __future__ import annotations

from typing import Literal

import msgspec

from eoscheck.cluster.distribution import KAFKA_VERSION
from eoscheck.cluster.settings import PROFILES, default_settings, refuse_reserved_settings
from eoscheck.errors import UsageError, did_you_mean

Provider = Literal["embedded", "external", "docker"]
Profile = Literal["fast", "default"]


class ClusterSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where Kafka comes from. `bootstrap_server` and `command_config` are an external cluster's,
    all else is for one that is started for the run.

    `brokers`: 1 or 3, each a controller too; `kafka_version`: one with a lock file;
    `transaction_version` 0 to 2: the feature of that name, the newest where nothing is said;
    `profile`: how quickly failures are noticed, `fast` or as Kafka's `default`s have it;
    `data_size_mb`: each broker's disk is that small; `image`: of the provider `docker`, else
    the official one; `settings` are broker properties.
    """

    provider: Provider = "embedded"
    bootstrap_server: str | None = None
    command_config: str | None = None
    brokers: int = 1
    kafka_version: str | None = None
    transaction_version: int | None = None
    profile: Profile = "fast"
    data_size_mb: int | None = None
    image: str | None = None
    settings: dict[str, str] = {}

    @property
    def version(self) -> str:
        return self.kafka_version or KAFKA_VERSION

    @property
    def broker_settings(self) -> dict[str, str]:
        """Of every node: its `settings` over ours."""
        return {**default_settings(brokers=self.brokers, profile=self.profile), **self.settings}

    @property
    def size(self) -> str:
        """For descriptions: `one node`, or `3 nodes, fast failover`."""
        return "one node" if self.brokers == 1 else f"{self.brokers} nodes, {self.profile} failover"


def check_nodes(spec: ClusterSpec) -> None:
    """Raises UsageError for what no cluster of ours can be."""
    refuse_reserved_settings(spec.settings)
    if spec.profile not in PROFILES:
        raise UsageError(
            f"no such failover profile {spec.profile!r}{did_you_mean(spec.profile, PROFILES)}: "
            f"use {' or '.join(PROFILES)}"
        )
    if spec.brokers < 1:
        raise UsageError(f"a cluster needs at least 1 broker: {spec.brokers}")
