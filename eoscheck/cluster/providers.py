"""Where a cluster comes from, by the provider's name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

from eoscheck.cluster.addresses import PLAIN_LISTENER, ClientListener, Proxies
from eoscheck.cluster.docker import start_docker
from eoscheck.cluster.embedded import start_embedded
from eoscheck.cluster.external import ExternalCluster
from eoscheck.cluster.node_cluster import NodeCluster
from eoscheck.cluster.spec import ClusterSpec, Provider
from eoscheck.errors import UsageError, did_you_mean
from eoscheck.process import Supervisor

PROVIDERS: tuple[str, ...] = get_args(Provider)

_ANY = ClusterSpec()
_STARTS = {"embedded": start_embedded, "docker": start_docker}
_NOT_FOR = (
    (
        "embedded",
        {"bootstrap_server", "command_config"},
        "an embedded cluster has an address of its own: use the provider 'external' with a "
        "bootstrap server",
    ),
    (
        "embedded",
        {"image"},
        "the provider 'embedded' uses no image: use 'docker', or leave it out",
    ),
    (
        "docker",
        {
            "bootstrap_server",
            "command_config",
            "transaction_version",
            "data_size_mb",
            "broker_links",
        },
        "the provider 'docker' has no {name}: leave it out, or use 'embedded'",
    ),
    (
        "external",
        {
            "brokers",
            "kafka_version",
            "transaction_version",
            "profile",
            "data_size_mb",
            "image",
            "settings",
            "slots",
            "broker_links",
        },
        "{name} is for clusters of our own, and an external one is as it is: leave it out",
    ),
)
"""By provider: what it has not, and what is said to who asks for it."""


def open_cluster(
    spec: ClusterSpec = _ANY,
    *,
    supervisor: Supervisor,
    proxies: Proxies | None = None,
    progress: Callable[[str], None] | None = None,
) -> NodeCluster | ExternalCluster:
    """A cluster that answers (`embedded`, `docker`) or is going to be asked (`external`); close it.

    `progress` is given short lines for the user.
    Raises UsageError for what does not go together, InfrastructureError where Kafka does not start.
    """
    if spec.provider != "external":
        return start_cluster(spec, supervisor=supervisor, proxies=proxies, progress=progress)
    if spec.bootstrap_server is None:
        raise UsageError("the provider 'external' needs a bootstrap server (host:port)")
    _refuse_what_is_not_for(spec, proxies)
    return ExternalCluster(
        bootstrap_server=spec.bootstrap_server,
        command_config=Path(spec.command_config) if spec.command_config else None,
    )


def start_cluster(
    spec: ClusterSpec = _ANY,
    *,
    supervisor: Supervisor,
    proxies: Proxies | None = None,
    listener: ClientListener = PLAIN_LISTENER,
    progress: Callable[[str], None] | None = None,
) -> NodeCluster:
    """As `open_cluster`, one of our own."""
    if spec.provider not in _STARTS:
        raise UsageError(
            f"no such provider {spec.provider!r}{did_you_mean(spec.provider, PROVIDERS)}: "
            f"use {' or '.join(PROVIDERS)}"
        )
    _refuse_what_is_not_for(spec, proxies)
    return _STARTS[spec.provider](
        spec,
        supervisor=supervisor,
        proxies=proxies,
        listener=listener,
        progress=progress or _silent,
    )


def _refuse_what_is_not_for(spec: ClusterSpec, proxies: Proxies | None) -> None:
    given = [
        *(name for name in spec.__struct_fields__ if getattr(spec, name) != getattr(_ANY, name)),
        *(["slots"] if proxies is not None and proxies.slots else []),
        *(["broker_links"] if proxies is not None and proxies.broker_links else []),
    ]
    for provider, names, complaint in _NOT_FOR:
        for name in given:
            if provider == spec.provider and name in names:
                raise UsageError(complaint.format(name=name))


def _silent(_: str) -> None:
    """Nobody wants to know."""
