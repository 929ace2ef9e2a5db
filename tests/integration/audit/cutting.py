"""A loopback TCP proxy that breaks connections at moments that a seed decides."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_CHUNK = 65_536
_POLL_S = 0.05


class CuttingProxy:
    """Each connection is broken after a random number of bytes from the server, the first
    `most_cuts` of them: then it lets everything pass, so that whoever is patient comes through."""

    def __init__(self, *, seed: int, bytes_between: tuple[int, int], most_cuts: int) -> None:
        self._random = random.Random(seed)
        self._bytes_between = bytes_between
        self._most_cuts = most_cuts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(_POLL_S)
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self.port: int = self._listener.getsockname()[1]
        self.target = 0
        self.cuts = 0
        self.armed = False

    def accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except TimeoutError:
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            self._start(self._pump, client, server, False)
            self._start(self._pump, server, client, True)

    def close(self) -> None:
        self._closing.set()
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def start(self) -> None:
        self._start(self.accept)

    def _start(self, run: object, *arguments: object) -> None:
        thread = threading.Thread(target=run, args=arguments)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _pump(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        with self._lock:
            left = self._random.randint(*self._bytes_between)
        source.settimeout(_POLL_S)
        with suppress(OSError):
            while not self._closing.is_set():
                try:
                    data = source.recv(_CHUNK)
                except TimeoutError:
                    continue
                if not data:
                    break
                left -= len(data)
                if counted and left < 0 and self._may_cut():
                    sink.sendall(data[: len(data) // 2])  # in the middle of an answer
                    break
                sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        source.close()

    def _may_cut(self) -> bool:
        with self._lock:
            if not self.armed or self.cuts >= self._most_cuts:
                return False
            self.cuts += 1
            return True


@contextmanager
def cutting_proxy(
    *, seed: int, bytes_between: tuple[int, int], most_cuts: int
) -> Iterator[CuttingProxy]:
    """Set `target` to the server's port, and `armed` when it shall begin to cut."""
    proxy = CuttingProxy(seed=seed, bytes_between=bytes_between, most_cuts=most_cuts)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.close()
