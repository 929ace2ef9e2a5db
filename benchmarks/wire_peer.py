"""Both ends of `wire_bare`: `wire_peer.py REQUEST ANSWER` (hex), a process of its own.

Writes the port at which its broker listens. For each line `PORT COUNT IN-FLIGHT` its client sends
so many requests to that port, and a line is written when the last is answered.
"""

from __future__ import annotations

import socket
import struct
import sys
import threading

_HOST = "127.0.0.1"
_NUMBER = struct.Struct(">i")
_ASKED_AT, _ANSWERED_AT = 8, 4


def main() -> None:
    request, answer = (bytes.fromhex(each) for each in sys.argv[1:])
    listener = socket.create_server((_HOST, 0))
    threading.Thread(target=_accept, args=(listener, len(request), answer), daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    for line in sys.stdin:
        port, count, in_flight = map(int, line.split())
        _ask(port, count, in_flight, bytearray(request), len(answer))
        print("done", flush=True)


def _accept(listener: socket.socket, size: int, answer: bytes) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_serve, args=(connection, size, answer), daemon=True).start()


def _serve(connection: socket.socket, size: int, answer: bytes) -> None:
    """One request at a time, as brokers do."""
    said, buffer = bytearray(answer), memoryview(bytearray(size))
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while connection.recv_into(buffer, size, socket.MSG_WAITALL) == size:
            said[_ANSWERED_AT : _ANSWERED_AT + 4] = buffer[_ASKED_AT : _ASKED_AT + 4]
            connection.sendall(said)


def _ask(port: int, count: int, in_flight: int, request: bytearray, answer: int) -> None:
    with socket.create_connection((_HOST, port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sent = come = 0
        while come < count * answer:
            while sent < min(count, come // answer + in_flight):
                _NUMBER.pack_into(request, _ASKED_AT, sent)
                connection.sendall(request)
                sent += 1
            come += len(connection.recv(1 << 16))


if __name__ == "__main__":
    main()
