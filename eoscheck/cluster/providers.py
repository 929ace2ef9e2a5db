"""Where a cluster comes from, by the provider's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from eoscheck.cluster.distribution import KAFKA_VERSION
from eoscheck.cluster.docker import start_docker
from eoscheck.cluster.embedded import EmbeddedCluster, start_embedded
from eoscheck.cluster.external import ExternalCluster
from eoscheck.cluster.settings import PROFILES
from eoscheck.errors import UsageError, did_you_mean
from eoscheck.network.links import Link
from eoscheck.process import Supervisor

PROVIDERS = ("embedded", "external", "docker")


def open_cluster(
    *,
    supervisor: Supervisor,
    provider: str = "embedded",
    bootstrap_server: str | None = None,
    command_config: Path | None = None,
    settings: Mapping[str, str] | None = None,
    brokers: int = 1,
    version: str = KAFKA_VERSION,
    transaction_version: int | None = None,
    profile: str = PROFILES[0],
    slots: int = 0,
    broker_links: bool = False,
    connect: Callable[[Sequence[Link]], None] | None = None,
    data_size_mb: int | None = None,
    image: str | None = None,
    progress: Callable[[str], None] | None = None,
) -> EmbeddedCluster | ExternalCluster:
    """A cluster that answers (`embedded`, `docker`) or is going to be asked (`external`); close it.

    `bootstrap_server` and `command_config` say where and how an external one is reached; the rest
    is for an embedded one, as `start_embedded` takes it, and for one in containers, as far as
    `start_docker` does; `image` is for that one only. `progress` is given short lines for the
    user.
    Raises UsageError for arguments that do not go together, InfrastructureError where Kafka does
    not start.
    """
    if image is not None and provider != "docker":
        raise UsageError(f"the provider {provider!r} uses no image: use 'docker', or leave it out")
    match provider:
        case "embedded":
            if bootstrap_server is not None or command_config is not None:
                raise UsageError(
                    "an embedded cluster has an address of its own: use the provider 'external' "
                    "with a bootstrap server"
                )
            return start_embedded(
                supervisor=supervisor,
                settings=settings or {},
                progress=progress or _silent,
                brokers=brokers,
                version=version,
                transaction_version=transaction_version,
                profile=profile,
                slots=slots,
                broker_links=broker_links,
                connect=connect,
                data_size_mb=data_size_mb,
            )
        case "external":
            if bootstrap_server is None:
                raise UsageError("the provider 'external' needs a bootstrap server (host:port)")
            _refuse_for_external(
                settings=bool(settings),
                brokers=brokers != 1,
                version=version != KAFKA_VERSION,
                transaction_version=transaction_version is not None,
                profile=profile != PROFILES[0],
                slots=slots > 0,
                broker_links=broker_links,
                data_size_mb=data_size_mb is not None,
            )
            return ExternalCluster(bootstrap_server=bootstrap_server, command_config=command_config)
        case "docker":
            _refuse_for_docker(
                bootstrap_server=bootstrap_server is not None,
                command_config=command_config is not None,
                transaction_version=transaction_version is not None,
                broker_links=broker_links,
                data_size_mb=data_size_mb is not None,
            )
            return start_docker(
                supervisor=supervisor,
                settings=settings or {},
                progress=progress or _silent,
                image=image,
                version=version,
                brokers=brokers,
                profile=profile,
                slots=slots,
                connect=connect,
            )
        case _:
            raise UsageError(
                f"no such provider {provider!r}{did_you_mean(provider, PROVIDERS)}: "
                f"use {' or '.join(PROVIDERS)}"
            )


def _refuse_for_external(**asked_for: bool) -> None:
    for name in (name for name, given in asked_for.items() if given):
        raise UsageError(
            f"{name} is for clusters of our own, and an external one is as it is: leave it out"
        )


def _refuse_for_docker(**asked_for: bool) -> None:
    for name in (name for name, given in asked_for.items() if given):
        raise UsageError(f"the provider 'docker' has no {name}: leave it out, or use 'embedded'")


def _silent(_: str) -> None:
    """Nobody wants to know."""
