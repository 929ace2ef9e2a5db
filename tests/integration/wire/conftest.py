"""One broker for the room's tests, whose instances reach it through the wire."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from eoscheck.cluster import Cluster, open_cluster
from eoscheck.process import Supervisor
from eoscheck.wire import Exchange, Wire

SLOTS = 2


@dataclass
class Wired:
    """A cluster behind a wire, and what the listener was told since the test began."""

    cluster: Cluster
    wire: Wire
    exchanges: list[Exchange] = field(default_factory=list)
    killed: list[int] = field(default_factory=list)


@pytest.fixture(scope="session")
def wired_cluster(supervisor: Supervisor) -> Iterator[tuple[Cluster, Wire]]:
    with (
        Wire() as wire,
        open_cluster(
            supervisor=supervisor,
            progress=logging.getLogger("kafka").info,
            slots=SLOTS,
            connect=wire.connect,
        ) as cluster,
    ):
        yield cluster, wire
