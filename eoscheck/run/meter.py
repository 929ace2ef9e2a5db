"""What a subject and its brokers spend: CPU seconds of processes, bytes of logs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import psutil
from kafka.errors import KafkaError

from eoscheck.cluster.admin_client import open_admin
from eoscheck.cluster.node_cluster import NodeCluster
from eoscheck.cluster.provider import Cluster
from eoscheck.errors import InfrastructureError
from eoscheck.history import Event, InstanceStarted

_ANSWER_S = 10.0


@dataclass(frozen=True, kw_only=True)
class Spent:
    """CPU seconds since the processes began; None where they are not on this machine."""

    subject_s: float
    brokers_s: float | None


class Meter:
    """Follows a history to know the subject's processes."""

    def __init__(self, cluster: Cluster) -> None:
        self._subject: list[psutil.Process] = []
        self._brokers = _processes(cluster.pids) if isinstance(cluster, NodeCluster) else None

    def __call__(self, event: Event) -> None:
        if isinstance(event, InstanceStarted):
            self._subject.append(psutil.Process(event.pid))

    def spent(self) -> Spent:
        brokers = None
        if self._brokers is not None:
            brokers = sum(_cpu_seconds(process) for process in self._brokers)
        return Spent(
            subject_s=sum(_cpu_seconds(process) for process in self._subject), brokers_s=brokers
        )


def log_bytes(client_config: Mapping[str, str]) -> Counter[str]:
    """Bytes in the logs of each topic, Kafka's own among them, with all their replicas.

    Raises InfrastructureError where the cluster does not say.
    """
    admin = open_admin(client_config, timeout_s=_ANSWER_S)
    sizes: Counter[str] = Counter()
    try:
        for broker in admin.describe_log_dirs():
            for log_dir in broker["log_dirs"]:
                for topic in log_dir["topics"]:
                    sizes[topic["name"]] += sum(
                        partition["partition_size"] for partition in topic["partitions"]
                    )
    except KafkaError as error:
        raise InfrastructureError(f"the brokers do not tell their logs' sizes: {error}") from error
    finally:
        admin.close()
    return sizes


def grown(before: Counter[str], after: Counter[str]) -> int:
    """By how many bytes; topics that were deleted meanwhile do not count."""
    return sum(size - before[topic] for topic, size in after.items())


def _processes(pids: Iterable[int]) -> list[psutil.Process] | None:
    try:
        return [psutil.Process(pid) for pid in pids]
    except psutil.NoSuchProcess:
        return None  # containers on another machine


def _cpu_seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)
