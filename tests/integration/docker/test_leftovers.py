"""Containers and networks go with the harness, however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.integration.docker.conftest import Made

_HARNESS = """
import sys, time
from eoscheck.cluster.docker import start_docker
from eoscheck.cluster.spec import ClusterSpec
from eoscheck.process import Supervisor
start_docker(ClusterSpec(image=sys.argv[1]), supervisor=Supervisor(), progress=lambda _: None)
print("started", flush=True)
time.sleep(600)
"""


def test_a_killed_harness_leaves_no_container_and_no_network(
    image: str, until: Callable[[str, Callable[[], Any]], None]
) -> None:
    since = time.time()
    with subprocess.Popen(
        [sys.executable, "-c", _HARNESS, image], stdout=subprocess.PIPE, text=True
    ) as harness:
        assert harness.stdout is not None
        assert harness.stdout.readline() == "started\n"
        made = Made(harness.pid, since)
        assert len(made.left) == 2
        os.kill(harness.pid, signal.SIGKILL)
    until("the supervisor has removed them", lambda: not made.left)
