"""Plain TCP forwarders on the links of a cluster, which count what goes through."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from eoscheck.network.links import Link


@dataclass
class Forwarder:
    link: Link
    forwarded: int = 0
    sockets: list[socket.socket] = field(default_factory=list)

    def serve(self) -> None:
        self._listener = socket.create_server(self.link.listen)
        self.sockets.append(self._listener)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                near, _ = self._listener.accept()
                try:
                    far = socket.create_connection(self.link.upstream)
                except OSError:  # that broker is down
                    near.close()
                    continue
                self.sockets += [near, far]
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=self._copy, args=pair, daemon=True).start()

    def _copy(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):  # one side has gone: so does the other
            while data := source.recv(1 << 16):
                self.forwarded += len(data)
                target.sendall(data)
        for side in (source, target):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        for each in self.sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


class Forwarders:
    """`connect` is what a cluster is given."""

    def __init__(self) -> None:
        self.all: list[Forwarder] = []

    def connect(self, links: Sequence[Link]) -> None:
        self.close()
        self.all = [Forwarder(link) for link in links]
        for forwarder in self.all:
            forwarder.serve()

    def bytes_by_source(self, role: str) -> dict[int, int]:
        total: dict[int, int] = {}
        for each in self.all:
            if each.link.role == role:
                total[each.link.source] = total.get(each.link.source, 0) + each.forwarded
        return total

    def close(self) -> None:
        for forwarder in self.all:
            forwarder.close()


@contextmanager
def forwarders() -> Iterator[Forwarders]:
    made = Forwarders()
    try:
        yield made
    finally:
        made.close()
