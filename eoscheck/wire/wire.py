"""The wire proxies of a run, one for each (instance, broker) link, and what may be done there."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from types import TracebackType
from typing import Self

from eoscheck.network.links import Link
from eoscheck.wire.rules import Firing, Rule
from eoscheck.wire.steps import TopicRoles
from eoscheck.wire.trace import Exchange


class Wire:
    """Proxies that read the protocol, in one thread of their own (asyncio). Thread-safe.

    Bytes of APIs and versions that it does not know pass as they are.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        raise NotImplementedError

    def connect(self, links: Sequence[Link]) -> None:
        """A proxy takes connections on each client link (other roles are refused)."""
        raise NotImplementedError

    @property
    def links(self) -> Collection[Link]:
        raise NotImplementedError

    def begin(
        self,
        *,
        roles: TopicRoles,
        crash: Callable[[int], None],
        listener: Callable[[Exchange], None] | None = None,
    ) -> None:
        """A run begins (or, on a live cluster, the next one): `crash` kills an instance, and has
        killed it when it returns (called in a thread of its own, while the frame is kept);
        `listener` is told of every exchange, in the proxy's thread: it must be quick."""
        raise NotImplementedError

    def arm(self, rule: Rule) -> Armed:
        """From now on it counts. Rules are independent; the first armed of those that meet a
        request acts."""
        raise NotImplementedError

    def heal_all(self) -> None:
        """Every rule is disarmed, what is held is let go."""
        raise NotImplementedError

    def close(self) -> None:
        """Idempotent."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Armed:
    """A rule on the wire, until `disarm`."""

    rule: Rule

    def wait(self, *, timeout_s: float, stop: Callable[[], bool] = lambda: False) -> Firing | None:
        """Its first firing, once what it does is done (the instance dead, the request dropped);
        None where none came in time, or `stop` said so."""
        raise NotImplementedError

    @property
    def firings(self) -> Sequence[Firing]:
        """All so far."""
        raise NotImplementedError

    def release(self) -> None:
        """A held request goes on to the broker, on its old connection; its answer is swallowed."""
        raise NotImplementedError

    def disarm(self) -> None:
        """No more firings; what is held is dropped, not sent. Idempotent."""
        raise NotImplementedError
