"""Threads that serve one run: stopped together, and none fails unseen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from types import TracebackType
from typing import Self

from eoscheck.errors import InfrastructureError


class Background:
    """Runs functions in threads until `stop` is set, which leaving the `with` block does.

    An error in a thread is raised again by `pause`, and on the way out of the block. The threads
    are daemons: one that a client's call holds for ever is told, and does not hold the process.
    """

    def __init__(self, *, name: str, end_s: float = 60.0) -> None:
        self.stop = threading.Event()
        self._name = name
        self._end_s = end_s
        self._work: list[Future[object]] = []

    def start(self, function: Callable[[], object]) -> None:
        future: Future[object] = Future()
        self._work.append(future)
        threading.Thread(target=_run, args=(future, function), name=self._name, daemon=True).start()

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
        _done, running = wait(self._work, timeout=self._end_s)
        if error is not None:
            return  # what went wrong first is what the user should read
        if running:
            raise InfrastructureError(
                f"the {self._name} thread did not end within {self._end_s:g} s"
            )
        for future in self._work:
            future.result()


def _run(future: Future[object], function: Callable[[], object]) -> None:
    try:
        future.set_result(function())
    except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
        future.set_exception(error)
