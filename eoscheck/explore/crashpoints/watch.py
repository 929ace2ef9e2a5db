"""What the instances do, seen on the wire while a cell runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from eoscheck.faults.wire_steps import BEGINS_ANEW
from eoscheck.wire import Exchange
from eoscheck.wire.steps import matches

_LOOK_S = 0.05
_COMMITS = ("EndTxn(commit)", "OffsetCommit")
_REJOINS = ("JoinGroup", "LeaveGroup")
_IDLE = frozenset({("Fetch(input)",), ("Fetch",), ("Metadata",), ("ApiVersions",)})


class Watch:
    """Keeps every exchange since the last `forget`, but for those that tell nothing of an app's
    work. A listener of the wire, in the proxy's thread; the others wait here, bounded."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: list[Exchange] = []
        self._news = threading.Condition()

    def __call__(self, exchange: Exchange) -> None:
        if exchange.steps in _IDLE and exchange.action is None:
            return
        with self._news:
            self._seen.append(exchange)
            self._news.notify_all()

    def forget(self) -> None:
        with self._news:
            self._seen = []

    def seen(self, *, instance: int | None = None, since: float = 0.0) -> list[Exchange]:
        """In the order in which they ended; `since`: sent then or later, by `time.monotonic`."""
        with self._news:
            return [each for each in self._seen if _of(each, instance, since)]

    def wait(
        self,
        wanted: Callable[[Exchange], bool],
        *,
        instance: int | None = None,
        since: float,
        timeout_s: float,
        stop: Callable[[], bool] = lambda: False,
    ) -> Exchange | None:
        """The first that is `wanted`; None where none came in time, or `stop` said so."""
        give_up_at = self._clock() + timeout_s
        looked = 0
        with self._news:
            while True:
                seen = self._seen
                for each in seen[min(looked, len(seen)) :]:
                    if _of(each, instance, since) and wanted(each):
                        return each
                looked = len(seen)
                left = give_up_at - self._clock()
                if left <= 0 or stop():
                    return None
                self._news.wait(min(left, _LOOK_S))


def commits(exchange: Exchange) -> bool:
    """Work was committed: the answer reached the app, and was no error."""
    return heard(exchange) and _is(exchange, _COMMITS)


def rolls_back(exchange: Exchange) -> bool:
    """A transaction is ended by an abort, or a producer begins anew."""
    return _is(exchange, BEGINS_ANEW)


def gives_up(exchange: Exchange) -> bool:
    """The app no longer waits for what was lost: it rolls back, begins anew or joins again."""
    return _is(exchange, (*BEGINS_ANEW, *_REJOINS))


def heard(exchange: Exchange) -> bool:
    """Answered without an error, and the answer reached the app."""
    lost = ("drop-response", "drop-request", "crash-before", "crash-after", "close")
    return (
        exchange.outcome == "answered"
        and exchange.error in (None, 0)
        and exchange.action not in lost
    )


def _is(exchange: Exchange, steps: Sequence[str]) -> bool:
    return any(matches(step, exchange.steps) for step in steps)


def _of(exchange: Exchange, instance: int | None, since: float) -> bool:
    return exchange.sent >= since and (instance is None or exchange.instance == instance)
