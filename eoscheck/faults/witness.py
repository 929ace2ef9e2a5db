"""Waits for what goes over the wire: the next request of some kind, seen when it was answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from eoscheck.wire import Exchange

_LOOK_S = 0.05


class Witness:
    """Hears of every exchange, in the proxy's thread; those who expect one are woken. Thread-safe,
    and quick where nobody expects anything."""

    def __init__(self) -> None:
        self._expected: tuple[Expected, ...] = ()
        self._listeners: tuple[Callable[[Exchange], None], ...] = ()
        self._lock = threading.Lock()

    def __call__(self, exchange: Exchange) -> None:
        for listener in self._listeners:
            listener(exchange)
        for each in self._expected:
            each.look(exchange)

    def expect(self, wanted: Callable[[Exchange], bool]) -> Expected:
        """The first exchange from now on that is `wanted`; give it up by `Expected.forget`."""
        expected = Expected(wanted, forget=self._forget)
        with self._lock:
            self._expected += (expected,)
        return expected

    @contextmanager
    def hearing(self, listener: Callable[[Exchange], None]) -> Iterator[None]:
        """It hears of every exchange meanwhile, in the proxy's thread: it must be quick."""
        with self._lock:
            self._listeners += (listener,)
        try:
            yield
        finally:
            with self._lock:
                self._listeners = tuple(each for each in self._listeners if each is not listener)

    def _forget(self, expected: Expected) -> None:
        with self._lock:
            self._expected = tuple(each for each in self._expected if each is not expected)


class Expected:
    """`found` is None until it came."""

    def __init__(
        self,
        wanted: Callable[[Exchange], bool],
        *,
        forget: Callable[[Expected], None],
    ) -> None:
        self.found: Exchange | None = None
        self._wanted = wanted
        self._forget = forget
        self._came = threading.Event()

    def look(self, exchange: Exchange) -> None:
        if self.found is None and self._wanted(exchange):
            self.found = exchange
            self._came.set()

    def wait(
        self,
        *,
        timeout_s: float,
        stop: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> Exchange | None:
        """None where it did not come in time, or `stop` said so."""
        give_up_at = clock() + timeout_s
        while not stop() and (left := give_up_at - clock()) > 0:
            if self._came.wait(min(left, _LOOK_S)):
                break
        return self.found

    def forget(self) -> None:
        self._forget(self)
