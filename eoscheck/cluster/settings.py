"""Broker properties: ours for a few small nodes, and what users may put over them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from confluent_kafka.admin import AdminClient, ConfigResource  # type: ignore[attr-defined]

from eoscheck.errors import UsageError, did_you_mean

_CONFIG_TIMEOUT_S = 10.0

PROFILES = ("fast", "default")
"""How soon a cluster of several nodes notices that one is gone: `fast` for tests, `default` as
Kafka's own settings are."""

# Fast answers on small nodes.
_DEFAULTS: Mapping[str, str] = {
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    "num.network.threads": "2",
    "num.io.threads": "4",
    "offsets.topic.num.partitions": "4",
    "share.coordinator.state.topic.num.partitions": "4",
    # An expired transaction is ended within half a second instead of ten.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": "500",
    "transaction.state.log.num.partitions": "4",
}
_FAST_FAILOVER: Mapping[str, str] = {
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "2000",
    "controller.quorum.election.timeout.ms": "500",
    "controller.quorum.fetch.timeout.ms": "1500",
    # A broker's requests to a controller that is cut off: it asks no other before that.
    "controller.socket.timeout.ms": "3000",
    "replica.lag.time.max.ms": "2000",
}


def default_settings(*, brokers: int, profile: str) -> dict[str, str]:
    """Of every node of a cluster with so many. Of three and more, three hold each record and two
    must have it; with fewer, each record is in one place."""
    replicas, in_sync = ("3", "2") if brokers >= 3 else ("1", "1")
    return {
        **_DEFAULTS,
        **(_FAST_FAILOVER if brokers > 1 and profile == "fast" else {}),
        "default.replication.factor": replicas,
        "min.insync.replicas": in_sync,
        "offsets.topic.replication.factor": replicas,
        "share.coordinator.state.topic.min.isr": in_sync,
        "share.coordinator.state.topic.replication.factor": replicas,
        "transaction.state.log.min.isr": in_sync,
        "transaction.state.log.replication.factor": replicas,
    }


_OURS = frozenset(
    {
        "advertised.listeners",
        "controller.listener.names",
        "controller.quorum.bootstrap.servers",
        "controller.quorum.voters",
        "inter.broker.listener.name",
        "listener.security.protocol.map",
        "listeners",
        "log.dir",
        "log.dirs",
        "metadata.log.dir",
        "node.id",
        "process.roles",
    }
)
# Read by the StandardAuthorizer: the broker itself does not know them.
_OF_AUTHORIZER = frozenset({"allow.everyone.if.no.acl.found", "super.users"})
# KIP-103: a property of one listener, or of one login mechanism of it.
_OF_LISTENER = re.compile(r"listener\.name\.\w+\.(?:(?:plain|scram-sha-\d+|oauthbearer)\.)?")
_SECRET = re.compile(r"password|jaas|\.key$|keystore|certificates|secret")


def refuse_reserved_settings(settings: Mapping[str, str]) -> None:
    """Raises UsageError for the first property that the cluster has to set itself."""
    for name in sorted(_OURS & settings.keys()):
        raise UsageError(f"the embedded broker sets {name!r} itself: leave it out")


def refuse_unknown_settings(settings: Mapping[str, str], client: AdminClient) -> None:
    """Kafka ignores a broker property that it does not know. Asked of the running broker: it takes
    what it does not know for a secret, and the real secrets are about logins and keys.
    """
    broker = ConfigResource(ConfigResource.Type.BROKER, "1")
    known = client.describe_configs([broker], request_timeout=_CONFIG_TIMEOUT_S)[broker].result()
    for setting in sorted(settings.keys() - _OF_AUTHORIZER):
        name = _OF_LISTENER.sub("", setting)
        entry = known.get(name)
        if (entry is None or entry.is_sensitive) and not _SECRET.search(name):
            plain = [word for word, entry in known.items() if not entry.is_sensitive]
            raise UsageError(
                f"Kafka has no broker property {name!r}{did_you_mean(name, plain)}: "
                "correct it, or leave it out"
            )
