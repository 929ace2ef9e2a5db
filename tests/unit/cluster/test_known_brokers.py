"""One question to whatever listens at a port."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from kafka.protocol.metadata import MetadataResponse

from eoscheck.cluster.known_brokers import known_brokers
from eoscheck.network.ports import HOST

_WAIT_S = 10.0


def _answer() -> bytes:
    broker = MetadataResponse.MetadataResponseBroker(node_id=1, host=HOST, port=9, rack=None)
    answer = MetadataResponse(
        throttle_time_ms=0, brokers=[broker], cluster_id="c", controller_id=1, topics=[]
    )
    answer.API_VERSION = 4
    answer.with_header(correlation_id=1)
    return bytes(answer.encode(header=True, framed=True))


Says = Callable[[socket.socket], None]


@pytest.fixture
def listening() -> Iterator[Callable[[Says], int]]:
    """The port of one that says something to each client and then hangs up."""
    with closing(socket.create_server((HOST, 0))) as listener:

        def serve(says: Says) -> int:
            def run() -> None:
                client, _ = listener.accept()
                with closing(client):
                    client.recv(1 << 16)
                    says(client)

            threading.Thread(target=run, daemon=True).start()
            return int(listener.getsockname()[1])

        yield serve


def test_the_advertised_addresses_are_told_though_nobody_listens_there(
    listening: Callable[[Says], int],
) -> None:
    def in_pieces(client: socket.socket) -> None:
        for byte in _answer():
            client.sendall(bytes([byte]))

    known = known_brokers(listening(in_pieces), timeout_s=_WAIT_S)
    assert (known.cluster_id, known.addresses) == ("c", {1: (HOST, 9)})


def test_an_answer_that_is_cut_off_is_none(listening: Callable[[Says], int]) -> None:
    port = listening(lambda client: client.sendall(_answer()[:-1]))
    with pytest.raises(EOFError, match=r"ended after \d+ of"):
        known_brokers(port, timeout_s=_WAIT_S)


def test_what_is_not_kafka_is_not_listened_to_for_long(listening: Callable[[Says], int]) -> None:
    port = listening(lambda client: client.sendall(b"SSH-2.0-OpenSSH_9.6\r\n"))
    with pytest.raises(EOFError, match="is not Kafka"):
        known_brokers(port, timeout_s=_WAIT_S)


def test_silence_is_waited_for_no_longer_than_told(listening: Callable[[Says], int]) -> None:
    done = threading.Event()

    def say_nothing(_client: socket.socket) -> None:
        done.wait(_WAIT_S)

    port = listening(say_nothing)
    with pytest.raises(TimeoutError):
        known_brokers(port, timeout_s=0.05)
    done.set()
