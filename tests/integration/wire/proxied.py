"""Two instances before a proxy, and what was told."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from eoscheck.network import Link
from eoscheck.wire import Exchange, TopicRoles, Wire
from tests.integration.wire.fake_broker import WAIT_S, FakeBroker

ROLES = TopicRoles()


@dataclass
class Proxied:
    broker: FakeBroker
    wire: Wire
    links: list[Link]
    """Of the instances 0 and 1."""
    exchanges: list[Exchange] = field(default_factory=list)

    def told(self, count: int) -> list[Exchange]:
        give_up_at = time.monotonic() + WAIT_S
        while len(self.exchanges) < count:
            assert time.monotonic() < give_up_at, f"{len(self.exchanges)} exchanges, not {count}"
            time.sleep(0.005)
        return self.exchanges
