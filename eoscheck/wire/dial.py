"""A connection that is made without waiting for it."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable

from eoscheck.wire.loop import WRITE, LoopThread

_TIMEOUT_S = 10.0
_UNDER_WAY = (0, errno.EINPROGRESS, errno.EINTR)


class Dial:
    """`connected` is given the socket, or `failed` is called: either of them in a later turn of the
    loop, and neither once it is cancelled."""

    def __init__(
        self,
        loop: LoopThread,
        address: tuple[str, int],
        *,
        connected: Callable[[socket.socket], None],
        failed: Callable[[OSError], None],
    ) -> None:
        self._loop, self._connected, self._failed = loop, connected, failed
        self._socket: socket.socket | None = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._timer = loop.later(_TIMEOUT_S, self._late)
        code = self._socket.connect_ex(address)
        if code in _UNDER_WAY:
            loop.watch(self._socket, WRITE, self._ready)
        else:
            loop.post(lambda: self._fail(code))

    def cancel(self) -> None:
        """Idempotent; nothing where it is made or has failed."""
        connection = self._take()
        if connection is not None:
            connection.close()

    def _take(self) -> socket.socket | None:
        connection, self._socket = self._socket, None
        if connection is not None:
            self._timer.cancel()
            self._loop.watch(connection, 0, self._ready)
        return connection

    def _ready(self, _: int) -> None:
        if self._socket is None:
            return
        code = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._fail(code)
            return
        connection = self._take()
        assert connection is not None
        self._connected(connection)

    def _late(self) -> None:
        self._fail(errno.ETIMEDOUT)

    def _fail(self, code: int) -> None:
        if self._socket is not None:
            self.cancel()
            self._failed(OSError(code, os.strerror(code)))
