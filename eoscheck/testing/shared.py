"""One cluster for all worker processes of pytest-xdist.

The first worker that needs it starts a keeper (`eoscheck.cluster.keeper`), a process whose owner is
the *controller*, not that worker: it ends when the controller says so at its end, or dies.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import psutil
from filelock import FileLock, Timeout

from eoscheck.cluster.keeper import KeptCluster, Owner, Wanted, kept_cluster, start_kept, stop_kept
from eoscheck.cluster.spec import ClusterSpec
from eoscheck.errors import InfrastructureError

STATE_FILE = "cluster.json"
_START_TIMEOUT_S = 300.0
"""A first start downloads Kafka."""


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What the controller tells its workers: its process, and what the folders where they meet
    begin with, one for each kind of cluster."""

    controller: int
    prefix: str


class SharedCluster:
    """A cluster that a keeper keeps. It is ours, but what is done to its brokers is done by their
    parent, which is another process."""

    owned = True
    brokers = None

    def __init__(self, kept: KeptCluster) -> None:
        self._kept = kept

    @property
    def bootstrap_servers(self) -> str:
        return self._kept.bootstrap_servers

    def bootstrap_for(self, instance: int) -> str:
        return self._kept.bootstrap_servers

    @property
    def direct_servers(self) -> str:
        return self._kept.direct_servers

    @property
    def client_config(self) -> dict[str, str]:
        return {"bootstrap.servers": self._kept.direct_servers}

    @property
    def description(self) -> str:
        return self._kept.description

    def close(self) -> None:
        """It outlives every worker."""


def join(
    spec: ClusterSpec,
    share: Share,
    *,
    progress: Callable[[str], None],
    timeout_s: float = _START_TIMEOUT_S,
) -> SharedCluster:
    """The cluster that all workers who ask for `spec` share; the first one starts it."""
    key = hashlib.sha256(msgspec.json.encode(spec)).hexdigest()[:12]
    folder = Path(f"{share.prefix}-{key}")
    folder.mkdir(mode=0o700, exist_ok=True)
    state = folder / STATE_FILE
    try:
        with FileLock(folder / "start.lock", timeout=timeout_s):
            kept = kept_cluster(state)
            if kept is None:
                kept = start_kept(_wanted(spec, share, state), progress=progress)
    except Timeout:
        raise InfrastructureError(
            f"another worker has not started the shared cluster after {timeout_s:g} s"
        ) from None
    return SharedCluster(kept)


def _wanted(spec: ClusterSpec, share: Share, state: Path) -> Wanted:
    try:
        created = psutil.Process(share.controller).create_time()
    except psutil.NoSuchProcess:
        raise InfrastructureError("pytest-xdist's controller has ended") from None
    return Wanted(
        cluster=spec, state=str(state), owner=Owner(pid=share.controller, created=created)
    )


def end_all(prefix: str) -> None:
    """What the controller does at its end: stops every shared cluster, and removes its folder."""
    start = Path(prefix)
    for folder in start.parent.glob(f"{start.name}-*"):
        stop_kept(folder / STATE_FILE)
        shutil.rmtree(folder, ignore_errors=True)


def share_of(workerinput: dict[str, Any] | None, *, key: str) -> Share | None:
    """None where this process is no worker."""
    return None if workerinput is None else msgspec.convert(workerinput[key], Share)
