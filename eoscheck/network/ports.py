"""Ports of loopback that nobody listens on at this moment."""

from __future__ import annotations

import socket
from contextlib import ExitStack

from eoscheck.errors import UsageError

HOST = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """So many, all different."""
    with ExitStack() as stack:
        return [held_port(stack) for _ in range(count)]


def held_port(stack: ExitStack, port: int = 0) -> int:
    """A free one, or `port`, that nobody else is given until `stack` is closed.

    Raises UsageError where `port` was chosen and is taken.
    """
    listener = stack.enter_context(socket.socket())
    # As Kafka binds: a connection that is only waiting to time out does not count.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        raise UsageError(
            f"port {port} on {HOST} cannot be used ({error.strerror}): choose another --port"
        ) from error
    return int(listener.getsockname()[1])
