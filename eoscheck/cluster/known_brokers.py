"""Which brokers the one at a port tells its clients of: one question on one connection.

Clients cannot be asked that of a listener whose advertised port does not answer yet. Having learned
that address they ask only there: librdkafka leaves the bootstrap connection, with what is still
asked on it, and kafka-python says that the node is not ready.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import dataclass

from kafka.protocol.metadata import MetadataRequest, MetadataResponse

from eoscheck.network.ports import HOST

_VERSION = 4
"""Of Metadata: with the cluster's id, without what later ones added."""
_LARGEST = 1 << 20
_SIZE = struct.Struct(">i")


@dataclass(frozen=True, kw_only=True)
class KnownBrokers:
    """`addresses`: the advertised ones, host and port, by the broker's id."""

    cluster_id: str
    addresses: Mapping[int, tuple[str, int]]


def known_brokers(port: int, *, timeout_s: float) -> KnownBrokers:
    """Raises OSError where nobody answers in time, EOFError where that is no whole answer."""
    give_up_at = time.monotonic() + timeout_s
    request = MetadataRequest(topics=[], allow_auto_topic_creation=False)
    request.API_VERSION = _VERSION
    request.with_header(correlation_id=1, client_id="eoscheck")
    with socket.create_connection((HOST, port), timeout=timeout_s) as connection:
        connection.sendall(request.encode(header=True, framed=True))
        (size,) = _SIZE.unpack(_receive(connection, _SIZE.size, give_up_at))
        if not 0 < size <= _LARGEST:
            raise EOFError(f"what listens at port {port} is not Kafka")
        answer = _receive(connection, size, give_up_at)
    found = MetadataResponse.decode(answer, version=_VERSION, header=True)
    return KnownBrokers(
        cluster_id=found.cluster_id or "",
        addresses={each.node_id: (each.host, each.port) for each in found.brokers},
    )


def _receive(connection: socket.socket, count: int, give_up_at: float) -> bytes:
    data = b""
    while len(data) < count:
        connection.settimeout(max(give_up_at - time.monotonic(), 0.001))
        data += (part := connection.recv(count - len(data)))
        if not part:
            raise EOFError(f"the connection ended after {len(data)} of {count} bytes")
    return data
