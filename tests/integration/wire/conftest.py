"""One broker for the room's tests, whose instances reach it through the wire."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from eoscheck.cluster import Cluster, NewTopic, create_topics, open_cluster
from eoscheck.cluster.addresses import Proxies
from eoscheck.process import Supervisor
from eoscheck.wire import Exchange, TopicRoles, Wire
from tests.integration.wire.fake_broker import fake_broker, link
from tests.integration.wire.proxied import ROLES, Proxied

SLOTS = 2
WAIT_S = 15.0


@dataclass
class Wired:
    """A cluster behind a wire, and what was told since the test began. `crash` is what the test
    does where the wire kills an instance."""

    cluster: Cluster
    wire: Wire
    exchanges: list[Exchange] = field(default_factory=list)
    killed: list[int] = field(default_factory=list)
    crash: Callable[[int], None] = lambda _: None
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def begin(self, roles: TopicRoles | None = None) -> None:
        self.wire.begin(roles=roles or TopicRoles(), crash=self._crash, listener=self._told)

    def _crash(self, instance: int) -> None:
        self.crash(instance)
        self.killed.append(instance)

    def _told(self, exchange: Exchange) -> None:
        with self._changed:
            self.exchanges.append(exchange)
            self._changed.notify_all()

    def create(self, *topics: str, partitions: int = 1) -> None:
        new = [NewTopic(name=topic, partitions=partitions) for topic in topics]
        create_topics(self.cluster.client_config, new)

    def told(self, step: str, *, count: int = 1) -> Sequence[Exchange]:
        """So many exchanges of a step, as soon as they are there."""
        give_up_at = time.monotonic() + WAIT_S
        with self._changed:
            while True:
                found = [each for each in self.exchanges if step in each.steps]
                if len(found) >= count:
                    return found
                left = give_up_at - time.monotonic()
                assert left > 0, f"{len(found)} of {count} exchanges of {step} in {WAIT_S} s"
                self._changed.wait(left)


@pytest.fixture(scope="session")
def _cluster_and_wire(supervisor: Supervisor) -> Iterator[tuple[Cluster, Wire]]:
    with Wire() as wire:
        with open_cluster(
            supervisor=supervisor,
            proxies=Proxies(connect=wire.connect, slots=SLOTS),
            progress=logging.getLogger("kafka").info,
        ) as cluster:
            yield cluster, wire


@pytest.fixture
def wired(_cluster_and_wire: tuple[Cluster, Wire]) -> Iterator[Wired]:
    """A run of its own, and nothing went wrong in the proxy."""
    cluster, wire = _cluster_and_wire
    wired = Wired(cluster, wire)
    wired.begin()
    yield wired
    wire.heal_all()
    wire.check()


@pytest.fixture
def proxied() -> Iterator[Proxied]:
    """Without Kafka. Nothing is left of it, and nothing went wrong that a test did not look for."""
    with fake_broker() as broker, Wire() as wire:
        proxied = Proxied(broker, wire, [link(source=n, upstream=broker.address) for n in (0, 1)])
        wire.connect(proxied.links)
        wire.begin(roles=ROLES, crash=lambda _: None, listener=proxied.exchanges.append)
        yield proxied
        wire.check()
