"""One end of a proxied connection: a socket that never blocks."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable

from eoscheck.wire.loop import READ, WRITE, LoopThread


class Side:
    """`full` is told when something written to it has to wait (True), and when all is gone (False);
    `lost` when it is closed, by whomever, in a later turn of the loop. It is in `opened` while its
    socket is open. `buffer` is read into and emptied at once: all sides of one thread share it.
    """

    def __init__(
        self,
        *,
        loop: LoopThread,
        data: Callable[[bytes], None],
        eof: Callable[[], None],
        lost: Callable[[], None],
        full: Callable[[bool], None],
        opened: set[Side],
        buffer: bytearray,
    ) -> None:
        self._loop = loop
        self._buffer, self._view = buffer, memoryview(buffer)
        self._opened = opened
        self._data, self._eof, self._lost, self._full = data, eof, lost, full
        self._socket: socket.socket | None = None
        self._pending: deque[memoryview] = deque()
        self._reading, self._ended, self._ends, self._closing = True, False, False, False

    def open(self, connection: socket.socket) -> None:
        """It is this one from now on."""
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = connection
        self._opened.add(self)
        self._watch()

    def write(self, data: bytes) -> None:
        """At once, as far as the socket takes it. Nothing where it is closed."""
        if not data or self._socket is None or self._closing:
            return
        if self._pending:
            self._pending.append(memoryview(data))
            return
        try:
            sent = self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self.abort()
            return
        if sent < len(data):
            self._pending.append(memoryview(data)[sent:])
            self._watch()
            self._full(True)

    def write_eof(self) -> None:
        """Behind all that was written."""
        self._ends = True
        if not self._pending and self._socket is not None and not self._closing:
            self._shut()

    def read(self, wanted: bool) -> None:
        if self._reading is not wanted:
            self._reading = wanted
            self._watch()

    def close(self) -> None:
        """What was written is still sent."""
        self._closing = True
        if self._pending:
            self._watch()
        else:
            self.abort()

    def abort(self) -> None:
        if self._socket is None:
            return
        self._loop.watch(self._socket, 0, self._ready)
        self._socket.close()
        self._socket = None
        self._pending.clear()
        self._opened.discard(self)
        self._loop.post(self._lost)

    # ---------------------------------------------------------------- of the loop

    def _watch(self) -> None:
        if self._socket is None:
            return
        reads = self._reading and not self._ended and not self._closing
        self._loop.watch(
            self._socket, (READ if reads else 0) | (WRITE if self._pending else 0), self._ready
        )

    def _ready(self, events: int) -> None:
        """Told of a turn in which it may have been closed, or paused."""
        try:
            if events & WRITE:
                self._flush()
            if events & READ:
                self._receive()
        except BaseException:
            self.abort()  # bytes are lost: nothing may come behind them
            raise

    def _receive(self) -> None:
        if self._socket is None or self._closing or not self._reading:
            return
        try:
            count = self._socket.recv_into(self._buffer)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.abort()
            return
        if count:
            self._data(bytes(self._view[:count]))
            return
        self._ended = True
        self._watch()
        self._eof()

    def _flush(self) -> None:
        while self._pending and self._socket is not None:
            data = self._pending[0]
            try:
                sent = self._socket.send(data)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self.abort()
                return
            if sent < len(data):
                self._pending[0] = data[sent:]
                return
            self._pending.popleft()
        if self._socket is None:
            return
        if self._closing:
            self.abort()
            return
        if self._ends:
            self._shut()
        self._watch()
        self._full(False)

    def _shut(self) -> None:
        assert self._socket is not None
        try:
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:  # the other end has gone meanwhile
            self.abort()
