"""What the kernel knows of live TCP connections on this machine: who, and how many bytes came in.

Toxiproxy counts a connection's bytes when it ends, and Kafka's clients keep theirs for hours.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from eoscheck.errors import InfrastructureError, UsageError

_ESTABLISHED = 1 << 1  # include/net/tcp_states.h: TCPF_ESTABLISHED
_WITH_TCP_INFO = 1 << 1  # include/uapi/linux/inet_diag.h: 1 << (INET_DIAG_INFO - 1)

Address = tuple[str, int]


@dataclass(frozen=True, kw_only=True)
class Connection:
    """One end of an established connection; `received` are the bytes that this end was sent."""

    local: Address
    remote: Address
    received: int


def require_counters() -> None:
    """Raises UsageError where the bytes of live connections cannot be told."""
    if sys.platform != "linux":
        raise UsageError(
            "network faults need Linux: elsewhere nothing tells what goes through a connection "
            "while it lives, and so not whether a fault bit"
        )
    try:
        import pyroute2  # noqa: F401
    except ImportError:
        raise UsageError(
            "network faults need more packages: pip install 'eoscheck[network]'"
        ) from None


def established() -> Iterator[Connection]:
    """Every established IPv4 connection of this machine, as `ss -ti` shows them; needs no rights.

    Raises InfrastructureError where the kernel does not answer.
    """
    from pyroute2 import DiagSocket
    from pyroute2.netlink.exceptions import NetlinkError

    try:
        with DiagSocket() as diagnostics:
            diagnostics.bind()
            found = list(
                diagnostics.get_sock_stats(
                    family=socket.AF_INET, states=_ESTABLISHED, extensions=_WITH_TCP_INFO
                )
            )
    except (NetlinkError, OSError) as error:
        raise InfrastructureError(
            f"the kernel does not tell its TCP connections: {error}"
        ) from error
    for each in found:
        info = each.get_attr("INET_DIAG_INFO")
        if info is not None:  # None: it has ended while the kernel listed it
            yield Connection(
                local=(each["idiag_src"], each["idiag_sport"]),
                remote=(each["idiag_dst"], each["idiag_dport"]),
                received=info["tcpi_bytes_received"],
            )
