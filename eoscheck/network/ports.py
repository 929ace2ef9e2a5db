"""Ports of loopback that nobody listens on at this moment."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack

from eoscheck.errors import UsageError

HOST = "127.0.0.1"
OURS = range(20_000, 32_768)
"""Below those that systems give to outgoing connections (Linux: from 32768 on; IANA: from 49152
on): a broker that is down for a while finds its port free when it comes back."""
_TRIES = 500
_CHANCE = random.SystemRandom()


def free_ports(count: int) -> list[int]:
    """So many, all different."""
    with ExitStack() as stack:
        return [held_port(stack) for _ in range(count)]


def held_port(stack: ExitStack, port: int = 0) -> int:
    """A free one, or `port`, that nobody else is given until `stack` is closed.

    Raises UsageError where `port` was chosen and is taken.
    """
    for candidate in [port] if port else _candidates():
        listener = stack.enter_context(socket.socket())
        # As Kafka binds: a connection that is only waiting to time out does not count.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, candidate))
            listener.listen()  # so long as none listens, two may have one port
        except OSError as error:
            reason = error.strerror
            continue
        return int(listener.getsockname()[1])
    raise UsageError(f"port {port} on {HOST} cannot be used ({reason}): choose another --port")


def _candidates() -> Iterator[int]:
    """Any that the system gives, where so many of ours are taken."""
    yield from (_CHANCE.choice(OURS) for _ in range(_TRIES))
    yield 0
