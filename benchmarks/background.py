"""Work that goes on while something else is measured."""

from __future__ import annotations

import threading
from collections.abc import Callable

from eoscheck.closing import Closing
from eoscheck.errors import InfrastructureError

_JOIN_S = 30.0


class Background(Closing):
    """A thread that runs until it is closed, and whose failure comes out then."""

    def __init__(self, name: str, loop: Callable[[], None]) -> None:
        self._loop = loop
        self.stopping = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._loop()
        except Exception as error:  # noqa: BLE001 - raised where somebody waits for it
            self._failure = error

    def check(self) -> None:
        if self._failure is not None:
            raise InfrastructureError(f"{self._thread.name}: {self._failure}")

    def close(self) -> None:
        self.stopping.set()
        self._thread.join(_JOIN_S)
