"""Threads that serve one run: stopped together, and none fails unseen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Self

from eoscheck.errors import InfrastructureError

_END_S = 60.0


class Background:
    """Runs functions in threads until `stop` is set, which leaving the `with` block does.

    An error in a thread is raised again by `pause`, and on the way out of the block.
    """

    def __init__(self, *, name: str) -> None:
        self.stop = threading.Event()
        self._name = name
        self._pool = ThreadPoolExecutor(thread_name_prefix=name)
        self._work: list[Future[object]] = []

    def start(self, function: Callable[[], object]) -> None:
        self._work.append(self._pool.submit(function))

    def pause(self, seconds: float) -> None:
        """Waits for `seconds`, or raises at once what a thread raised."""
        done, _running = wait(self._work, timeout=seconds, return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop.set()
        _done, running = wait(self._work, timeout=_END_S)
        self._pool.shutdown(wait=False, cancel_futures=True)
        if error is not None:
            return  # what went wrong first is what the user should read
        if running:
            raise InfrastructureError(f"the {self._name} thread did not end within {_END_S:g} s")
        for future in self._work:
            future.result()
