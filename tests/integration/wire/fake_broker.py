"""A broker that takes any frame and answers with its correlation id, and a client of frames."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from eoscheck.network import Link

WAIT_S = 10.0
HOST = "127.0.0.1"
END_TXN, HEARTBEAT, PRODUCE, API_VERSIONS = 26, 12, 0, 18
_HEADER = struct.Struct(">ihhih")


def frame(key: int, number: int, body: bytes = b"", *, version: int = 0) -> bytes:
    """A request with client id `me`; its size with it."""
    return _HEADER.pack(len(body) + 12, key, version, number, 2) + b"me" + body


def end_txn(number: int, *, committed: bool = True) -> bytes:
    body = struct.pack(">h2sqh?", 2, b"tx", 5, 6, committed)
    return frame(END_TXN, number, body)


def produce(number: int, *, acks: int, topic: bytes = b"topic") -> bytes:
    """Version 3: without a transaction, of one topic and no partition."""
    named = struct.pack(">ih", 1, len(topic)) + topic + struct.pack(">i", 0)
    return frame(PRODUCE, number, struct.pack(">hhi", -1, acks, 1000) + named, version=3)


def number_of(request: bytes) -> int:
    number: int = struct.unpack_from(">i", request, 8)[0]
    return number


@dataclass
class FakeBroker:
    """`received`: whole frames, of all connections; `stream`: all bytes. While `answers` it does so
    at once, and closes a connection at its end; else a test does."""

    address: tuple[str, int]
    received: list[bytes] = field(default_factory=list)
    stream: bytearray = field(default_factory=bytearray)
    connections: list[socket.socket] = field(default_factory=list)
    answers: bool = True
    answer_body: bytes = struct.pack(">ih", 0, 0)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def serve(self, connection: socket.socket) -> None:
        held = bytearray()
        while data := connection.recv(1 << 20):
            held += data
            with self._changed:
                self.stream += data
                came = list(_frames(held))
                self.received += came
                self._changed.notify_all()
            for request in came:
                if self.answers and request[4:6] != bytes([0, PRODUCE]):
                    self.answer(connection, number_of(request))
        if self.answers:
            connection.shutdown(socket.SHUT_RDWR)

    def answer(self, connection: socket.socket, number: int) -> None:
        body = struct.pack(">i", number) + self.answer_body
        connection.sendall(struct.pack(">i", len(body)) + body)

    def bytes_came(self, count: int) -> bytes:
        """The stream, as soon as it has so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.stream) >= count, WAIT_S), self.stream
            return bytes(self.stream)

    def numbers(self, *, count: int) -> Sequence[int]:
        """The correlation ids of what came, as soon as so many did."""
        with self._changed:
            came = self._changed.wait_for(lambda: len(self.received) >= count, WAIT_S)
            assert came, f"{len(self.received)} of {count} requests came in {WAIT_S} s"
            return [number_of(each) for each in self.received]


def _frames(held: bytearray) -> Iterator[bytes]:
    """The whole ones; they are taken off. What is no frame stays."""
    while len(held) >= _HEADER.size:
        end = 4 + struct.unpack_from(">i", held)[0]
        if not 10 <= end <= len(held):
            return
        yield bytes(held[:end])
        del held[:end]


def read_frame(connection: socket.socket) -> bytes | None:
    """None at the end of the stream, in whatever way it ended."""
    try:
        size = _read(connection, 4)
        return (
            None if size is None else size + (_read(connection, *struct.unpack(">i", size)) or b"")
        )
    except ConnectionError:
        return None


def _read(connection: socket.socket, count: int) -> bytes | None:
    data = b""
    while len(data) < count:
        part = connection.recv(count - len(data))
        if not part:
            return None
        data += part
    return data


@contextmanager
def fake_broker() -> Iterator[FakeBroker]:
    with socket.create_server((HOST, 0)) as listener:
        broker = FakeBroker(listener.getsockname())
        threads: list[threading.Thread] = []

        def accept() -> None:
            with suppress(OSError):  # shut down: the end
                while True:
                    connection, _ = listener.accept()
                    broker.connections.append(connection)
                    thread = threading.Thread(target=serve, args=[connection])
                    threads.append(thread)
                    thread.start()

        def serve(connection: socket.socket) -> None:
            with suppress(OSError):  # closed by a test
                broker.serve(connection)

        accepting = threading.Thread(target=accept)
        accepting.start()
        yield broker
        listener.shutdown(socket.SHUT_RDWR)
        accepting.join(WAIT_S)
        for connection in broker.connections:
            with connection, suppress(OSError):  # it is gone already
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(WAIT_S)
        assert not any(thread.is_alive() for thread in threads), "a connection was left open"


def link(*, source: int, upstream: tuple[str, int]) -> Link:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        listen = probe.getsockname()
    return Link(role="client", source=source, broker=1, listen=listen, upstream=upstream)


@contextmanager
def client(link: Link) -> Iterator[socket.socket]:
    with socket.create_connection(link.listen, timeout=WAIT_S) as connection:
        yield connection


def answered(connection: socket.socket) -> int | None:
    """The correlation id of the next answer; None where the connection ended."""
    answer = read_frame(connection)
    return None if answer is None else struct.unpack_from(">i", answer, 4)[0]


def silent(connection: socket.socket, *, for_s: float = 0.3) -> bool:
    """Nothing comes, and it stays open."""
    connection.settimeout(for_s)
    try:
        connection.recv(1)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(WAIT_S)
    return False
