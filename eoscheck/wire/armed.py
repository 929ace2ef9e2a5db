"""A rule on the wire: what it counts, whom it meets, what it did."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

from eoscheck.errors import InfrastructureError
from eoscheck.wire.request import Request
from eoscheck.wire.rules import Firing, Rule
from eoscheck.wire.steps import Step, matches
from eoscheck.wire.trace import Exchange

_RELEASE_TIMEOUT_S = 10.0
_STOP_EVERY_S = 0.05


class InLoop(Protocol):
    """Runs a function in the proxy's thread; raises what the wire has to tell."""

    def __call__(self, function: Callable[[], Any], /) -> Any: ...


class Held:
    """A request that is kept: `release` sends it on, `drop` does not; in the proxy's thread.
    `settled` has its exchange then."""

    def __init__(self, *, release: Callable[[], None], drop: Callable[[], None]) -> None:
        self.release, self.drop = release, drop
        self.settled: Future[Exchange] = Future()


class Armed:
    """A rule on the wire, until `disarm`."""

    rule: Rule

    def __init__(self, rule: Rule, *, in_loop: InLoop, check: Callable[[], None]) -> None:
        self.rule = rule
        self._in_loop, self._check = in_loop, check
        self._changed = threading.Condition()
        self._firings: list[Firing] = []
        self._count = 0
        self._until: float | None = None  # of its span, once it met its nth
        self._active = True
        self._held: list[Held] = []
        self._released: list[Held] = []
        self._answers = 0  # of the step that releases
        self._letting: set[Callable[[], None]] = set()

    # ---------------------------------------------------------------- of whoever armed it

    def wait(self, *, timeout_s: float, stop: Callable[[], bool] = lambda: False) -> Firing | None:
        """Its first firing, once what it does is done (the instance dead, the request dropped);
        None where none came in time, or `stop` said so.

        Raises what `Wire.check` does.
        """
        self._wait(lambda: bool(self._firings), timeout_s, stop)
        with self._changed:
            return self._firings[0] if self._firings else None

    def wait_released(self, *, timeout_s: float, stop: Callable[[], bool] = lambda: False) -> bool:
        """Whether the rule's `release` came in time. Raises as `wait`."""
        return self._wait(lambda: self.released, timeout_s, stop)

    @property
    def released(self) -> bool:
        return bool(self._released)

    def _wait(self, holds: Callable[[], bool], timeout_s: float, stop: Callable[[], bool]) -> bool:
        give_up_at = time.monotonic() + timeout_s
        with self._changed:
            while not holds():
                self._check()
                left = give_up_at - time.monotonic()
                if left <= 0 or stop():
                    return False
                self._changed.wait(min(left, _STOP_EVERY_S))
            return True

    @property
    def firings(self) -> Sequence[Firing]:
        """All so far whose action is done."""
        with self._changed:
            return tuple(self._firings)

    def release(self) -> Sequence[Exchange]:
        """A held request goes on to the broker, on its old connection; its answer is swallowed.
        So it was already where the rule's `release` came.

        Returns when the broker has answered (or has closed the connection: `unanswered`), an
        exchange for each that was held, in their order. Raises InfrastructureError where an answer
        does not come in 10 s.
        """
        exchanges = []
        for each in self._in_loop(self._release):
            try:
                exchanges.append(each.settled.result(_RELEASE_TIMEOUT_S))
            except TimeoutError:
                raise InfrastructureError(
                    f"the broker did not answer the released {self.rule.step} in 10 s"
                ) from None
        return exchanges

    def disarm(self) -> None:
        """No more firings; what is held is dropped, not sent; what is delayed goes on. A client
        that misses an answer still has to find out. Idempotent."""
        self._in_loop(self.let_go)

    # ---------------------------------------------------------------- of the proxy's thread

    def meets(
        self, request: Request, steps: Sequence[Step], *, instance: int, broker: int, now: float
    ) -> bool:
        """Counts it where the rule is about it, and says whether it is to act."""
        rule = self.rule
        if not self._active or not matches(rule.step, steps):
            return False
        if rule.instance not in (None, instance) or rule.broker not in (None, broker):
            return False
        if rule.among is not None and instance not in rule.among:
            return False
        self._count += 1
        if self._until is None:
            return self._count >= rule.nth
        return now < self._until

    def met(self, now: float) -> None:
        """It acts now."""
        if self._until is None:
            self._until = now + (self.rule.span_s or 0.0)

    def done(self, firing: Firing) -> None:
        with self._changed:
            self._firings.append(firing)
            self._changed.notify_all()

    def missed(self) -> None:
        """The connection ended before its action was done: the next request is met instead."""
        with self._changed:
            if not self._firings:
                self._until = None

    def keep(self, held: Held) -> None:
        self._held.append(held)

    @property
    def holds(self) -> bool:
        """Until an answer comes that releases it."""
        return bool(self._held) and self.rule.release is not None

    def hears(self, exchange: Exchange) -> Sequence[Held]:
        """What this answer has released; the client may hear of it when those are settled."""
        behind = self.rule.release
        if behind is None or not self._held:
            return ()
        if exchange.outcome != "answered" or exchange.error not in (None, 0):
            return ()
        firing = self._firings[0]
        if exchange.instance != firing.instance or exchange.sent <= firing.t:
            return ()
        if exchange.action == "hold" or not matches(behind.step, exchange.steps):
            return ()
        self._answers += 1
        return self._release() if self._answers == behind.nth else ()

    def on_let_go(self, function: Callable[[], None]) -> Callable[[], None]:
        """To be called when the rule is disarmed; what is returned takes that back."""
        self._letting.add(function)
        return lambda: self._letting.discard(function)

    def let_go(self) -> None:
        self._active = False
        for held in self._take_held():
            held.drop()
        for function in tuple(self._letting):
            function()
        self._letting.clear()

    @property
    def active(self) -> bool:
        return self._active

    def _release(self) -> Sequence[Held]:
        """All that ever was."""
        held = self._take_held()
        with self._changed:
            self._released += held
            self._changed.notify_all()
        for each in held:
            each.release()
        return tuple(self._released)

    def _take_held(self) -> list[Held]:
        held, self._held = self._held, []
        return held
