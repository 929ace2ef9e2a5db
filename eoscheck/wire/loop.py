"""An asyncio loop in a thread of its own, called from others."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from eoscheck.errors import InfrastructureError

T = TypeVar("T")

_ANSWER_TIMEOUT_S = 10.0


class LoopThread:
    """`failed` is told what a callback in the loop raised."""

    def __init__(self, *, name: str, failed: Callable[[BaseException], None]) -> None:
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda _, context: failed(_raised(context)))
        self._thread = threading.Thread(target=self.loop.run_forever, name=name, daemon=True)
        self._thread.start()

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

        self.loop.call_soon_threadsafe(answer)
        return self._wait(future)

    def run(self, coroutine: Any) -> Any:
        """As `call`, to the coroutine's end."""
        return self._wait(asyncio.run_coroutine_threadsafe(coroutine, self.loop))

    def stop(self) -> None:
        """No callback runs after it."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(_ANSWER_TIMEOUT_S)
        if self._thread.is_alive():
            raise InfrastructureError(f"the {self._thread.name} did not end in 10 s")
        self.loop.close()

    def _wait(self, future: Future[T]) -> T:
        try:
            return future.result(_ANSWER_TIMEOUT_S)
        except TimeoutError:
            if future.done():
                raise
            raise InfrastructureError(f"the {self._thread.name} did not answer in 10 s") from None


def _raised(context: dict[str, Any]) -> BaseException:
    error = context.get("exception")
    return error if isinstance(error, BaseException) else RuntimeError(context["message"])
