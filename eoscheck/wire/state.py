"""What all connections share: the run's rules, roles and listener, who is dying, topics' names."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol
from uuid import UUID

from eoscheck.errors import InfrastructureError
from eoscheck.network.links import Link
from eoscheck.wire.armed import Armed, Held
from eoscheck.wire.loop import LoopThread
from eoscheck.wire.request import Request
from eoscheck.wire.rules import Firing
from eoscheck.wire.side import Side
from eoscheck.wire.steps import Step, TopicRoles, matches
from eoscheck.wire.trace import Exchange

_CRASH_TIMEOUT_S = 30.0
_READ_BYTES = 256 << 10
"""At a time, of one socket."""


class Connection(Protocol):
    link: Link
    stalled: bool
    """Its client waits for answers that do not come."""
    detached: bool
    """A held request lives on without its client."""

    def end(self) -> None:
        """Both sides are closed; what was written is still sent."""

    def abort(self) -> None:
        """They are closed at once."""


class State:
    """Used in the proxy's thread alone, but for `check` and `wait_crashes`."""

    def __init__(self, *, clock: Callable[[], float], loop: LoopThread) -> None:
        self.clock, self.loop = clock, loop
        self.roles = TopicRoles()
        self.crash: Callable[[int], None] | None = None
        self.listener: Callable[[Exchange], None] | None = None
        self.connections: set[Connection] = set()
        self.sockets: set[Side] = set()
        """Open ones: those of ended connections too, while they send the rest."""
        self.buffer = bytearray(_READ_BYTES)
        self.numbered = 0
        self._armed: list[Armed] = []
        self._dying: set[int] = set()
        self._names: dict[UUID, str] = {}
        self._crashes: list[threading.Thread] = []
        self._trouble: BaseException | None = None

    # ---------------------------------------------------------------- troubles

    def fail(self, error: BaseException) -> None:
        """The first is what `check` raises."""
        self._trouble = self._trouble or error

    def forgive(self) -> None:
        """What went wrong in an earlier run is no trouble of the next."""
        self._trouble = None

    def check(self) -> None:
        if self._trouble is not None:
            raise self._trouble

    # ---------------------------------------------------------------- topics

    def topic_name(self, topic_id: UUID) -> str | None:
        return self._names.get(topic_id)

    def learn_topic(self, topic_id: UUID, name: str) -> None:
        self._names[topic_id] = name

    def forget_topics(self) -> None:
        self._names.clear()

    # ---------------------------------------------------------------- rules

    def arm(self, armed: Armed) -> None:
        self._armed = [each for each in self._armed if each.active]
        self._armed.append(armed)

    @property
    def armed(self) -> bool:
        """Something may be done to the next request."""
        return bool(self._armed)

    def disarm_all(self) -> None:
        for armed in self._armed:
            armed.let_go()
        self._armed.clear()

    def meet(
        self, request: Request, steps: Sequence[Step], link: Link
    ) -> tuple[Armed, Firing] | None:
        """Who acts on this request: the first armed of those that are due. All count it."""
        if not self._armed:
            return None
        now = self.clock()
        due = [
            armed
            for armed in self._armed
            if armed.meets(request, steps, instance=link.source, broker=link.broker, now=now)
        ]
        if not due:
            return None
        due[0].met(now)
        rule = due[0].rule
        step = next(each for each in steps if matches(rule.step, (each,)))
        return due[0], Firing(
            t=now,
            rule=rule,
            step=step,
            instance=link.source,
            broker=link.broker,
            request=request,
        )

    @property
    def holds(self) -> bool:
        """Some answer is to release what is held, before its client hears of it."""
        return any(armed.holds for armed in self._armed)

    def released_by(self, exchange: Exchange) -> Sequence[Held]:
        return [held for armed in self._armed for held in armed.hears(exchange)]

    def tell(self, exchange: Exchange) -> None:
        if self.listener is None:
            return
        try:
            self.listener(exchange)
        except Exception as error:  # noqa: BLE001 - told by `check`; the proxy goes on
            self.fail(error)

    # ---------------------------------------------------------------- crashes

    def is_dying(self, instance: int) -> bool:
        """Nothing of it goes on, nor to it."""
        return instance in self._dying

    def kill(self, armed: Armed, firing: Firing) -> None:
        """In a thread of its own; then the connections of the instance are closed."""
        instance = firing.instance
        crash = self.crash
        if crash is None:
            raise RuntimeError("a rule crashes an instance, and no run has begun")
        self._dying.add(instance)

        def dead(error: BaseException | None) -> None:
            self._dying.discard(instance)
            for connection in tuple(self.connections):
                if connection.link.source == instance and not connection.detached:
                    connection.end()
            if error is None:
                armed.done(firing)
            else:
                self.fail(error)

        def run() -> None:
            failed: BaseException | None = None
            try:
                crash(instance)
            except BaseException as error:  # noqa: BLE001 - told by `check`
                failed = error
            self.loop.post(lambda: dead(failed))

        thread = threading.Thread(
            target=run, name=f"wire's crash of instance {instance}", daemon=True
        )
        self._crashes = [each for each in self._crashes if each.is_alive()]
        self._crashes.append(thread)
        thread.start()

    def wait_crashes(self) -> None:
        """From another thread: those under way are over. Raises InfrastructureError where one is
        not in 30 s."""
        for thread in self._crashes:
            thread.join(_CRASH_TIMEOUT_S)
            if thread.is_alive():
                raise InfrastructureError(
                    f"the {thread.name} did not end in {_CRASH_TIMEOUT_S:g} s"
                )
