"""A thread that waits for sockets and times, and does what other threads ask of it.

Not asyncio: a proxied request is two turns of the loop, and what asyncio does around each callback
cost more than reading the protocol (docs/wire.md, "What it costs").
"""

from __future__ import annotations

import heapq
import itertools
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from eoscheck.errors import InfrastructureError
from eoscheck.wire.slices import ask_for_short_slices

T = TypeVar("T")

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_ANSWER_TIMEOUT_S = 10.0

Ready = Callable[[int], None]
"""Is told which of READ and WRITE a socket can do."""


class Timer:
    """One call that is due at `when`, unless it is cancelled."""

    def __init__(self, when: float, function: Callable[[], None]) -> None:
        self.when, self._function = when, function
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True

    def ring(self) -> None:
        if not self._cancelled:
            self._function()


class LoopThread:
    """`failed` is told what a callback raised. `watch` and `later` are of its own thread."""

    def __init__(self, *, name: str, failed: Callable[[BaseException], None]) -> None:
        self._failed = failed
        self._selector = selectors.DefaultSelector()
        self._watched: dict[socket.socket, int] = {}
        self._timers: list[tuple[float, int, Timer]] = []
        self._numbers = itertools.count()
        self._posted: deque[Callable[[], None]] = deque()
        self._woken, self._waker = socket.socketpair()
        self._running = True
        for end in (self._woken, self._waker):
            end.setblocking(False)
        self.watch(self._woken, READ, self._wake)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    # ---------------------------------------------------------------- of its own thread

    def watch(self, connection: socket.socket, events: int, ready: Ready) -> None:
        """From now on `ready` is called while one of `events` can be done; 0: no more. A socket is
        to be watched no more before it is closed."""
        watched = self._watched.get(connection, 0)
        if events == watched:
            return
        if not events:
            self._selector.unregister(connection)
            del self._watched[connection]
            return
        (self._selector.modify if watched else self._selector.register)(connection, events, ready)
        self._watched[connection] = events

    def later(self, delay_s: float, function: Callable[[], None]) -> Timer:
        timer = Timer(time.monotonic() + delay_s, function)
        heapq.heappush(self._timers, (timer.when, next(self._numbers), timer))
        return timer

    def _run(self) -> None:
        ask_for_short_slices()
        while self._running:
            for key, events in self._selector.select(self._patience()):
                self._do(key.data, events)
            while self._timers and self._timers[0][0] <= time.monotonic():
                self._do(heapq.heappop(self._timers)[2].ring)
            for _ in range(len(self._posted)):
                self._do(self._posted.popleft())

    def _patience(self) -> float | None:
        if self._posted:
            return 0.0
        return max(self._timers[0][0] - time.monotonic(), 0.0) if self._timers else None

    def _do(self, function: Callable[..., object], *arguments: int) -> None:
        try:
            function(*arguments)
        except Exception as error:  # noqa: BLE001 - told to whoever asks; others go on
            self._failed(error)

    def _wake(self, _: int) -> None:
        self._woken.recv(4096)

    # ---------------------------------------------------------------- of any thread

    def post(self, function: Callable[[], None]) -> None:
        """In a turn of the loop that is still to come; in the order in which they are posted."""
        self._posted.append(function)
        if threading.current_thread() is not self._thread:
            try:
                self._waker.send(b"\0")
            except BlockingIOError:  # full: it will wake
                return

    def call(self, function: Callable[[], T]) -> T:
        """In the loop's thread, from any. Raises what it raises, or InfrastructureError where the
        loop does not answer in 10 s."""
        if threading.current_thread() is self._thread:
            return function()
        future: Future[T] = Future()

        def answer() -> None:
            try:
                future.set_result(function())
            except BaseException as error:  # noqa: BLE001 - handed to the caller
                future.set_exception(error)

        self.post(answer)
        try:
            return future.result(_ANSWER_TIMEOUT_S)
        except TimeoutError:
            if future.done():
                raise
            raise InfrastructureError(f"the {self._thread.name} did not answer in 10 s") from None

    def stop(self) -> None:
        """What was posted before is done, and nothing after it."""
        self.post(self._end)
        self._thread.join(_ANSWER_TIMEOUT_S)
        if self._thread.is_alive():
            raise InfrastructureError(f"the {self._thread.name} did not end in 10 s")
        self._selector.close()
        self._woken.close()
        self._waker.close()

    def _end(self) -> None:
        self._running = False
