"""What a figure was measured on: without it, a number says nothing."""

from __future__ import annotations

import os
import platform
from importlib import metadata

import psutil

from eoscheck import __version__
from eoscheck.cluster.provider import Cluster


def describe_environment(cluster: Cluster) -> dict[str, str]:
    """Versions and machine, as words. No host name, no user, no path: reports are sent round."""
    memory_gib = psutil.virtual_memory().total / 2**30
    return {
        "eoscheck": __version__,
        "cluster": cluster.description,
        "python": platform.python_version(),
        "confluent-kafka": metadata.version("confluent-kafka"),
        "os": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpus": str(os.cpu_count()),
        "memory": f"{memory_gib:.0f} GiB",
    }
