"""A Docker daemon with an image of Kafka: without it these tests are skipped, and say so."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from eoscheck.cluster.distribution import KAFKA_VERSION
from eoscheck.errors import InfrastructureError
from eoscheck.process.container import LABEL, docker_client

_WAIT_S = 60.0


@pytest.fixture(scope="session")
def image() -> str:
    """`EOSCHECK_TEST_IMAGE`, else what `make docker-image` makes."""
    return _found(os.environ.get("EOSCHECK_TEST_IMAGE", f"eoscheck/kafka:{KAFKA_VERSION}"))


@pytest.fixture(scope="session")
def app_image() -> str:
    """The reference app, of `make docker-image`."""
    return _found("eoscheck/payments:dev")


def _found(name: str) -> str:
    try:
        client = docker_client()
    except InfrastructureError as error:
        pytest.skip(str(error))
    if not client.images.list(name=name):
        pytest.skip(f"there is no image {name}: make docker-image")
    return name


@dataclass(frozen=True)
class Made:
    """What the process `pid` made with Docker, now and ever. Other tests have containers too."""

    pid: int
    since: float

    @property
    def left(self) -> set[str]:
        """Names of its containers and networks, or ids where they have none."""
        client, its = docker_client(), {"label": f"{LABEL}={self.pid}"}
        # A container may go between its listing and its inspection.
        containers = client.containers.list(all=True, filters=its, ignore_removed=True)
        return {
            each.name or str(each.id) for each in (*containers, *client.networks.list(filters=its))
        }

    @property
    def containers(self) -> int:
        """How many were created, the removed ones too."""
        filters = {"type": "container", "event": "create", "label": f"{LABEL}={self.pid}"}
        seen = docker_client().events(
            since=int(self.since), until=int(time.time()) + 1, filters=filters, decode=True
        )
        return sum(1 for _ in seen)


@pytest.fixture
def until() -> Callable[[str, Callable[[], Any]], None]:
    def wait(what: str, holds: Callable[[], Any]) -> None:
        give_up_at = time.monotonic() + _WAIT_S
        while not holds():
            assert time.monotonic() < give_up_at, f"not within {_WAIT_S} s: {what}"
            time.sleep(0.05)

    return wait
