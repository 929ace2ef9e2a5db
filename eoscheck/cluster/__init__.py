"""Where Kafka comes from, and the questions the harness asks of it."""

from eoscheck.cluster.brokers import Brokers
from eoscheck.cluster.groups import Member
from eoscheck.cluster.provider import Cluster
from eoscheck.cluster.providers import PROVIDERS, open_cluster
from eoscheck.cluster.topics import NewTopic, create_topics, delete_topics
from eoscheck.cluster.view import ClusterView, UnstableOffsetsError

__all__ = [
    "PROVIDERS",
    "Brokers",
    "Cluster",
    "ClusterView",
    "Member",
    "NewTopic",
    "UnstableOffsetsError",
    "create_topics",
    "delete_topics",
    "open_cluster",
]
