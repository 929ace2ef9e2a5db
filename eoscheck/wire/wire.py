"""The wire proxies of a run, one for each (instance, broker) link, and what may be done there."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

from eoscheck.closing import Closing
from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.network.links import Link
from eoscheck.wire.actions import act
from eoscheck.wire.armed import Armed
from eoscheck.wire.listener import Listener
from eoscheck.wire.loop import LoopThread
from eoscheck.wire.rules import Rule, require_rule
from eoscheck.wire.state import Connection, State
from eoscheck.wire.steps import TopicRoles
from eoscheck.wire.trace import Exchange
from eoscheck.wire.tunnel import Tunnel


class Wire(Closing):
    """Proxies that read the protocol, in one thread of their own. Thread-safe.

    Bytes of APIs and versions that it does not know pass as they are.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._thread = LoopThread(name="wire proxy", failed=lambda error: self._state.fail(error))
        self._state = State(clock=clock, loop=self._thread)
        self._listeners: dict[Link, Listener] = {}
        self._began = self._closed = False

    def connect(self, links: Sequence[Link]) -> None:
        """A proxy takes connections on each client link (other roles are refused); those of an
        earlier call are gone.

        Raises InfrastructureError where one cannot listen.
        """
        other = next((link for link in links if link.role != "client"), None)
        if other is not None:
            raise UsageError(
                f"the wire proxy stands between instances and brokers, not on a {other.role} link"
            )
        self._thread.call(partial(self._connect, links))

    @property
    def links(self) -> Collection[Link]:
        return tuple(self._listeners)

    def begin(
        self,
        *,
        roles: TopicRoles,
        crash: Callable[[int], None],
        listener: Callable[[Exchange], None] | None = None,
    ) -> None:
        """A run begins (or, on a live cluster, the next one): `crash` kills an instance, and has
        killed it when it returns (called in a thread of its own, while the frame is kept, and
        nothing else of that instance goes on either); `listener` is told of every exchange, in the
        proxy's thread: it must be quick. What is armed is healed; connections are numbered anew."""

        def begin() -> None:
            self._heal()
            self._state.forgive()
            self._state.roles, self._state.crash = roles, crash
            self._state.listener, self._state.numbered = listener, 0
            self._began = True

        self._thread.call(begin)

    def arm(self, rule: Rule) -> Armed:
        """From now on it counts. Rules are independent; the first armed of those that meet a
        request acts. Raises UsageError for a rule that can never act."""
        require_rule(rule)
        if rule.action.startswith("crash") and not self._began:
            raise UsageError("a rule that crashes an instance needs a run: call begin before")
        for what, chosen, known in (
            ("instance", rule.instance, {link.source for link in self._listeners}),
            ("broker", rule.broker, {link.broker for link in self._listeners}),
        ):
            if chosen is not None and chosen not in known:
                raise UsageError(f"no wire leads from or to {what} {chosen}, but {sorted(known)}")
        armed = Armed(rule, in_loop=self._in_loop, check=self.check)
        self._thread.call(partial(self._state.arm, armed))
        return armed

    def check(self) -> None:
        """Raises the first thing that went wrong in the proxy: UsageError where a client speaks
        TLS, or what `crash` or `listener` raised; of this run."""
        self._state.check()

    def heal_all(self) -> None:
        """Every rule is disarmed, what is held is dropped, what is delayed goes on; connections
        that miss an answer are closed, so that no client waits for it any longer."""
        self._in_loop(self._heal)

    def close_stalled(self, *, instance: int) -> None:
        """Connections of an instance that miss an answer are closed, so that its clients wait for
        it no longer: what a network does that drops nothing any more, sooner or later."""
        self._in_loop(
            partial(
                self._end_stalled,
                lambda each: each.link.source == instance and not each.detached,
            )
        )

    def close(self) -> None:
        """No thread, socket or rule is left. Idempotent."""
        if self._closed:
            return
        self._closed = True
        try:
            self._thread.call(self._state.disarm_all)  # nobody crashes from here on
            self._state.wait_crashes()
            self._thread.call(self._disconnect)
        finally:
            self._thread.stop()

    # ---------------------------------------------------------------- in the proxy's thread

    def _connect(self, links: Sequence[Link]) -> None:
        self._disconnect()
        self._state.forget_topics()
        for link in links:
            try:
                self._listeners[link] = Listener(
                    self._thread, link.listen, accepted=partial(self._accept, link)
                )
            except OSError as error:
                self._disconnect()
                raise InfrastructureError(
                    f"no wire proxy can listen on {link.listen[0]}:{link.listen[1]}: {error}"
                ) from error

    def _accept(self, link: Link, connection: socket.socket) -> None:
        Tunnel(self._state, link, act=act).begin(connection)

    def _disconnect(self) -> None:
        """No socket is open after it."""
        self._state.disarm_all()
        for listener in self._listeners.values():
            listener.close()
        self._listeners.clear()
        for connection in tuple(self._state.connections):
            connection.abort()
        for side in tuple(self._state.sockets):  # of ended ones, which still send the rest
            side.abort()

    def _heal(self) -> None:
        self._state.disarm_all()
        self._end_stalled(lambda _: True)

    def _end_stalled(self, chosen: Callable[[Connection], bool]) -> None:
        for connection in tuple(self._state.connections):
            if connection.stalled and chosen(connection):
                connection.end()

    # ---------------------------------------------------------------- from other threads

    def _in_loop(self, function: Callable[[], Any]) -> Any:
        """Nothing is left to do once it is closed; what is asked for then is the empty answer of
        `Armed`."""
        return [] if self._closed else self._thread.call(function)
