"""A client, a proxy and an echo: what a network fault is tried on where no Kafka is needed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from eoscheck.network import Link

WAIT_S = 10.0


@contextmanager
def echo() -> Iterator[tuple[str, int]]:
    """Answers each connection with what it was sent; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threads: list[threading.Thread] = []

        def answer(connection: socket.socket) -> None:
            with connection, suppress(OSError):  # cut: that is what the tests do
                while received := connection.recv(65536):
                    connection.sendall(received)

        def accept() -> None:
            with suppress(OSError):  # closed: the end
                while True:
                    thread = threading.Thread(target=answer, args=[listener.accept()[0]])
                    threads.append(thread)
                    thread.start()

        accepting = threading.Thread(target=accept)
        accepting.start()
        yield listener.getsockname()
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join(WAIT_S)
        for thread in threads:
            thread.join(WAIT_S)
        assert not any(thread.is_alive() for thread in threads), "a connection was left open"


def free_address(host: str = "127.0.0.1") -> tuple[str, int]:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return host, probe.getsockname()[1]


def client_link(*, source: int, upstream: tuple[str, int]) -> Link:
    return Link(role="client", source=source, broker=1, listen=free_address(), upstream=upstream)


@contextmanager
def connection(link: Link) -> Iterator[socket.socket]:
    with socket.create_connection(link.listen, timeout=WAIT_S) as opened:
        yield opened


def echoed(opened: socket.socket, sent: bytes = b"hello") -> bool:
    """Whether all of it came back; False where the connection was cut."""
    try:
        opened.sendall(sent)
        left = len(sent)
        while left and (received := opened.recv(left)):
            left -= len(received)
    except ConnectionError:
        return False
    return left == 0


def takes_connections(link: Link) -> bool:
    try:
        with connection(link) as opened:
            return echoed(opened)
    except ConnectionRefusedError:
        return False
