"""A kept client, and connections of its making on which raw answers are read without copies.

kafka-python finds the brokers, speaks TLS and SASL and asks for metadata. It would copy a Fetch
answer three times, 4 kB at a time; so a connection that it has opened and authenticated is taken
over from it, and it opens another when it needs one.
"""

from __future__ import annotations

import selectors
import socket
import ssl
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
from kafka import errors as kafka_errors
from kafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient
from kafka.protocol.broker_version_data import BrokerVersionData
from kafka.protocol.consumer import FetchRequest, ListOffsetsRequest
from kafka.protocol.metadata import ApiVersionsRequest, MetadataRequest

from eoscheck.closing import Closing
from eoscheck.cluster.admin_client import admin_config
from eoscheck.errors import InfrastructureError
from eoscheck.logformat.answer import BY_ID, BY_NAME

_EARLIEST = -2
_LARGEST_ANSWER = 512 * 1024 * 1024
"""Far above what is asked for: one batch larger than that comes whole, but no larger."""
_SLOWEST = 32 * 1024
"""Bytes a second of a connection that is still worth waiting for."""
_NO_ID = UUID(int=0)
_FRAME = struct.Struct(">i")
_API_VERSIONS = ApiVersionsRequest.API_KEY
# Later than all, so that what the broker says of itself takes its place.
_UNKNOWN_BROKER = BrokerVersionData(broker_version=(99,), api_versions={_API_VERSIONS: (0, 2)})


class BrokenConnectionError(Exception):
    """The connection ended, or gave nothing in time. It is of no more use."""


@dataclass(frozen=True, kw_only=True)
class Leaders:
    """Who leads a topic's partitions, -1 where nobody does. `topic_id` is None before KIP-516;
    `error` is Kafka's code for the topic, 0 for none."""

    topic_id: UUID | None
    leaders: Mapping[int, int]
    error: int


class RawClient(Closing):
    """One client for several threads. Never creates a topic, joins a group or commits.

    Raises InfrastructureError where no broker answers within `timeout_s`.
    """

    def __init__(
        self, client_config: Mapping[str, str], *, timeout_s: float, any_broker: bool = False
    ) -> None:
        """`any_broker`: asks for the broker's versions as clients before Kafka 2.4 did: not every
        Kafka-compatible broker answers a newer question so that one can read it (KIP-511)."""
        self._timeout_ms = max(1, int(timeout_s * 1000))
        self._lock = threading.Lock()
        self._closed = False
        self._client = KafkaNetClient(
            **admin_config(client_config),
            request_timeout_ms=self._timeout_ms,
            receive_message_max_bytes=_LARGEST_ANSWER,
        )
        if any_broker:
            self._client._manager.broker_version_data = _UNKNOWN_BROKER  # noqa: SLF001
        try:
            self._client.check_version(timeout_ms=self._timeout_ms)
        except (KafkaError, OSError) as error:
            self.close()
            servers = client_config["bootstrap.servers"]
            raise InfrastructureError(f"no Kafka broker answers at {servers}: {error}") from error

    def leaders(self, topic: str) -> Leaders:
        """Raises KafkaError where no broker answers."""
        wanted = MetadataRequest.MetadataRequestTopic(topic_id=_NO_ID, name=topic)
        request = MetadataRequest(
            topics=[wanted], allow_auto_topic_creation=False, min_version=4, max_version=12
        )
        with self._lock:
            answer = self._ask(self._client.least_loaded_node(bootstrap_fallback=True), request)
            self._client.cluster.update_metadata(answer)  # where the brokers are now
        (found,) = answer.topics
        topic_id = getattr(found, "topic_id", None)
        return Leaders(
            topic_id=topic_id if topic_id not in (None, _NO_ID) else None,
            leaders={each.partition_index: each.leader_id for each in found.partitions},
            error=found.error_code,
        )

    def log_start(self, topic: str, partition: int, leader: int) -> int:
        """The first offset that is there. Raises KafkaError where the leader does not tell."""
        listed = ListOffsetsRequest.ListOffsetsTopic
        asked = listed.ListOffsetsPartition(
            partition_index=partition, current_leader_epoch=-1, timestamp=_EARLIEST
        )
        request = ListOffsetsRequest(
            replica_id=-1,
            isolation_level=0,
            topics=[listed(name=topic, partitions=[asked])],
            min_version=1,
            max_version=7,
        )
        with self._lock:
            answer = self._ask(leader, request)
        (found,) = answer.topics[0].partitions
        if found.error_code:
            raise kafka_errors.for_code(found.error_code)
        return int(found.offset)

    def ask(self, request: Any, *, node: int | None = None) -> Any:
        """One request, sent once, to that broker or to any. Raises KafkaError or OSError."""
        with self._lock:
            if node is None:
                node = self._client.least_loaded_node(bootstrap_fallback=True)
            return self._ask(node, request)

    def connect(self, node: int) -> RawConnection:
        """A connection to that broker, opened and authenticated. Raises KafkaError or OSError."""
        with self._lock:
            self._client.await_ready(node, timeout_ms=self._timeout_ms)
            version = self._client.api_version(FetchRequest, max_version=BY_ID)
            sock = _take_over(self._client, node)
        if version < BY_NAME:
            sock.close()
            raise InfrastructureError(
                f"broker {node} is older than Kafka 2.7, whose batches are not read: "
                "use --reader client"
            )
        return RawConnection(sock, version=version, timeout_s=self._timeout_ms / 1000)

    def close(self) -> None:
        with self._lock:
            if not self._closed:
                self._closed = True
                self._client.close()

    def _ask(self, node: Any, request: Any) -> Any:
        if self._closed:
            raise kafka_errors.KafkaConnectionError("the client is closed")
        return self._client.send_and_receive(node, request, timeout_ms=self._timeout_ms)


class RawConnection:
    """A socket (or TLS socket) on which one request is under way at a time."""

    def __init__(self, sock: socket.socket, *, version: int, timeout_s: float) -> None:
        self.version = version
        self._sock = sock
        self._timeout_s = timeout_s
        self._number = 0
        self._length = bytearray(_FRAME.size)
        self._sock.settimeout(timeout_s)

    def fileno(self) -> int:
        return self._sock.fileno()

    def waits(self) -> bool:
        """True where TLS has already taken bytes from the network that were not read yet."""
        return isinstance(self._sock, ssl.SSLSocket) and self._sock.pending() > 0

    def send(self, request: Any, *, version: int) -> int:
        """The number that the answer will bear. Raises BrokenConnectionError."""
        self._number += 1
        request.API_VERSION = version
        request.with_header(correlation_id=self._number, client_id="eoscheck")
        try:
            self._sock.sendall(bytes(request.encode(framed=True, header=True)))
        except OSError as error:
            raise BrokenConnectionError(str(error)) from error
        return self._number

    def receive(self) -> memoryview:
        """One whole answer without its length. Raises BrokenConnectionError."""
        try:
            self._fill(memoryview(self._length))
            (size,) = _FRAME.unpack(self._length)
            if not 0 < size <= _LARGEST_ANSWER:
                raise BrokenConnectionError(f"an answer of {size} bytes")
            # malloc, not calloc: the pages of the answer before are used again, unzeroed.
            answer = np.empty(size, dtype=np.uint8).data
            self._fill(answer)
        except OSError as error:
            raise BrokenConnectionError(str(error) or type(error).__name__) from error
        return answer

    def _fill(self, buffer: memoryview) -> None:
        filled, size = 0, len(buffer)
        patience_s = self._timeout_s + size / _SLOWEST
        deadline = time.monotonic() + patience_s
        while filled < size:
            got = self._sock.recv_into(buffer[filled:])
            if got == 0:
                raise BrokenConnectionError("the broker closed the connection")
            filled += got
            if filled < size and time.monotonic() > deadline:
                raise BrokenConnectionError(f"an answer took longer than {patience_s:.0f} s")

    def close(self) -> None:
        self._sock.close()


def _take_over(client: KafkaNetClient, node: int) -> socket.socket:
    """The connection's socket. The client forgets it as if it had closed it."""
    connection = client._manager._conns[node]  # noqa: SLF001
    transport = connection.transport
    sock: socket.socket = transport._sock  # noqa: SLF001
    transport.pause_reading()
    client._net.unregister_event(sock, selectors.EVENT_READ | selectors.EVENT_WRITE)  # noqa: SLF001
    transport._sock = None  # noqa: SLF001
    connection.close()
    return sock
