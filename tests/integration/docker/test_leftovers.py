"""Containers and networks go with the harness, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from eoscheck.process.container import LABEL, docker_client

_HARNESS = """
import sys, time
from eoscheck.cluster.docker import start_docker
from eoscheck.cluster.spec import ClusterSpec
from eoscheck.process import Supervisor
cluster = start_docker(
    ClusterSpec(image=sys.argv[1]), supervisor=Supervisor(), progress=lambda _: None
)
(container,) = cluster.brokers._containers.values()
print(container.name, container.spec.network.name, flush=True)
time.sleep(600)
"""


def _ours() -> set[str]:
    client = docker_client()
    ours = {"label": LABEL}
    return {
        *(container.name or "" for container in client.containers.list(all=True, filters=ours)),
        *(network.name or "" for network in client.networks.list(filters=ours)),
    }


def test_a_killed_harness_leaves_no_container_and_no_network(
    image: str, until: Callable[[str, Callable[[], Any]], None]
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _HARNESS, image], stdout=subprocess.PIPE, text=True
    ) as harness:
        assert harness.stdout is not None
        its = set(harness.stdout.readline().split())
        assert len(its & _ours()) == 2
        os.kill(harness.pid, signal.SIGKILL)
    until("the supervisor has removed them", lambda: not its & _ours())
