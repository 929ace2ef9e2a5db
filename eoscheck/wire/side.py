"""One end of a proxied connection, as asyncio tells of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast


class Side(asyncio.BufferedProtocol):
    """`full` is told when what is written to it piles up (True), and when that is gone (False).
    It is in `opened` while its socket is open. `buffer` is read into and emptied at once: all sides
    of one thread share it. (asyncio's other protocol allocates 256 kB for each read, whose pages
    are faulted in again and again.)
    """

    def __init__(
        self,
        *,
        made: Callable[[], None],
        data: Callable[[bytes], None],
        eof: Callable[[], None],
        lost: Callable[[], None],
        full: Callable[[bool], None],
        opened: set[Side],
        buffer: bytearray,
    ) -> None:
        self._buffer, self._view = buffer, memoryview(buffer)
        self._opened = opened
        self._made, self._data, self._eof, self._lost, self._full = made, data, eof, lost, full
        self._transport: asyncio.Transport | None = None
        self._reading = True

    def write(self, data: bytes) -> None:
        """Nothing where it is closed."""
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def write_eof(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write_eof()

    def read(self, wanted: bool) -> None:
        if self._transport is None or self._reading is wanted or self._transport.is_closing():
            return
        self._reading = wanted
        if wanted:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def close(self) -> None:
        """What was written is still sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # ---------------------------------------------------------------- asyncio's

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._opened.add(self)
        self._made()

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._data(bytes(self._view[:nbytes]))

    def eof_received(self) -> bool:
        self._eof()
        return True  # it may still be written to

    def connection_lost(self, exc: Exception | None) -> None:
        self._opened.discard(self)
        self._lost()

    def pause_writing(self) -> None:
        self._full(True)

    def resume_writing(self) -> None:
        self._full(False)
