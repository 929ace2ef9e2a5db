"""Where clients connect."""

from __future__ import annotations

import socket
from collections.abc import Callable

from eoscheck.wire.loop import READ, LoopThread

_AGAIN_S = 1.0


class Listener:
    """`accepted` is given each connection. Raises OSError where it cannot listen."""

    def __init__(
        self,
        loop: LoopThread,
        address: tuple[str, int],
        *,
        accepted: Callable[[socket.socket], None],
    ) -> None:
        self._loop, self._accepted = loop, accepted
        self._socket: socket.socket | None = socket.create_server(address)
        self._socket.setblocking(False)
        self._listen()

    def close(self) -> None:
        if self._socket is not None:
            self._loop.watch(self._socket, 0, self._ready)
            self._socket.close()
            self._socket = None

    def _listen(self) -> None:
        if self._socket is not None:
            self._loop.watch(self._socket, READ, self._ready)

    def _ready(self, _: int) -> None:
        if self._socket is None:
            return
        try:
            connection, _address = self._socket.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError:  # no file is free: who waits to be accepted still waits then
            self._loop.watch(self._socket, 0, self._ready)
            self._loop.later(_AGAIN_S, self._listen)
            raise
        self._accepted(connection)
