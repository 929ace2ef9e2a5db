"""What the proxy does with connections, on a broker that answers anything."""

from __future__ import annotations

import socket
import struct
import threading

import psutil
import pytest

from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.network import Link
from eoscheck.wire import Exchange, Rule, Wire
from tests.integration.wire.fake_broker import (
    API_VERSIONS,
    HEARTBEAT,
    HOST,
    WAIT_S,
    answered,
    client,
    end_txn,
    fake_broker,
    frame,
    link,
)
from tests.integration.wire.proxied import ROLES, Proxied

# ---------------------------------------------------------------- streams


def test_tls_is_refused_in_one_line() -> None:
    with fake_broker() as broker, Wire() as wire:
        way = link(source=0, upstream=broker.address)
        wire.connect([way])
        armed = wire.arm(Rule(step="EndTxn", action="close"))
        with client(way) as one:
            one.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
            assert answered(one) is None
        with pytest.raises(UsageError, match=r"instance 0 speaks TLS.*PLAINTEXT"):
            armed.wait(timeout_s=WAIT_S)
        assert broker.received == []


def test_what_is_no_frame_passes_as_it_is_both_ways(proxied: Proxied) -> None:
    sent = frame(HEARTBEAT, 1) + struct.pack(">i", 1 << 30) + b"more"
    with client(proxied.links[0]) as one:
        one.sendall(sent)
        assert answered(one) == 1
        one.sendall(b" and more")
        assert proxied.broker.bytes_came(len(sent) + 9) == sent + b" and more"
        odd = struct.pack(">i", -5) + b"odd"
        proxied.broker.connections[0].sendall(odd)
        assert one.recv(7, socket.MSG_WAITALL) == odd


def test_tokens_of_the_old_sasl_handshake_pass_without_being_read(proxied: Proxied) -> None:
    token = end_txn(2)[:12] + b"\xff\xff" + bytes(len(end_txn(2)) - 14)  # it looks like a request
    proxied.wire.arm(Rule(step="EndTxn", action="close"))
    with client(proxied.links[0]) as one:
        one.sendall(frame(17, 1) + token)
        assert [answered(one), answered(one)] == [1, 2]
    assert proxied.broker.received[1] == token
    assert [(each.request.api, each.outcome) for each in proxied.told(1)] == [
        ("SaslHandshake", "answered")
    ]


def test_who_has_said_all_is_still_answered(proxied: Proxied) -> None:
    proxied.broker.answers = False
    with client(proxied.links[0]) as one:
        one.sendall(frame(HEARTBEAT, 1))
        one.shutdown(socket.SHUT_WR)
        proxied.broker.numbers(count=1)
        upstream = proxied.broker.connections[0]
        proxied.broker.answer(upstream, 1)
        assert answered(one) == 1
        upstream.shutdown(socket.SHUT_RDWR)
        assert answered(one) is None


def test_a_broker_that_is_down_is_an_ended_connection() -> None:
    with Wire() as wire:
        way = link(source=0, upstream=(HOST, link(source=0, upstream=(HOST, 0)).listen[1]))
        wire.connect([way])
        with client(way) as one:
            assert answered(one) is None


def test_a_reader_that_is_slow_makes_the_broker_wait(proxied: Proxied) -> None:
    """Of 256 MB no more than the sockets' and the proxy's own small buffers leave the broker."""
    proxied.broker.answers = False
    sent = 0
    with client(proxied.links[0]) as one:
        one.sendall(frame(1, 1, version=0))  # Fetch: its answer is not kept whole
        proxied.broker.numbers(count=1)
        upstream = proxied.broker.connections[0]
        upstream.settimeout(0.5)
        upstream.sendall(struct.pack(">ii", 100 << 20, 1))
        block = bytes(1 << 20)
        with pytest.raises(TimeoutError):
            while sent < 100 << 20:
                sent += upstream.send(block)
        assert sent < 64 << 20
        got = 8
        while got < sent:  # and it goes on when it reads
            got += len(one.recv(1 << 20))


def test_a_broker_that_is_slow_makes_the_client_wait(proxied: Proxied) -> None:
    with socket.create_server((HOST, 0)) as deaf:
        way = link(source=0, upstream=deaf.getsockname())
        proxied.wire.connect([way])
        with client(way) as one:
            one.settimeout(0.5)
            request = frame(HEARTBEAT, 1, bytes(1 << 20))
            sent = 0
            with pytest.raises(TimeoutError):
                while sent < 200 << 20:
                    sent += one.send(request)
            assert sent < 64 << 20


# ---------------------------------------------------------------- begin and end


def test_close_leaves_no_thread_and_no_socket() -> None:
    process = psutil.Process()
    with fake_broker() as broker:
        threads, files = set(threading.enumerate()), process.num_fds()
        wire = Wire()
        for _ in range(2):  # a new cluster: the old one's proxies are gone
            ways = [link(source=n, upstream=broker.address) for n in (0, 1)]
            wire.connect(ways)
            assert set(wire.links) == set(ways)
        with client(ways[0]) as one, client(ways[1]) as held:
            wire.begin(roles=ROLES, crash=lambda _: None)
            armed = wire.arm(Rule(step="EndTxn", action="hold", instance=1))
            one.sendall(frame(HEARTBEAT, 1))
            assert answered(one) == 1
            held.sendall(end_txn(1))
            assert armed.wait(timeout_s=WAIT_S) is not None
            wire.close()
            wire.close()
            assert answered(one) is None
            armed.disarm()
            wire.heal_all()
            assert armed.release() == []
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(ways[0].listen)
        own = {thread for thread in threading.enumerate() if thread.name.startswith("wire")}
        assert not own - threads
        for connection in broker.connections:
            connection.close()
        assert process.num_fds() <= files


def test_it_stands_on_client_links_that_are_free(proxied: Proxied) -> None:
    other = Link(role="controller", source=1, broker=2, listen=(HOST, 1), upstream=(HOST, 2))
    with Wire() as wire:
        with pytest.raises(UsageError, match="not on a controller link"):
            wire.connect([other])
        with pytest.raises(InfrastructureError, match="no wire proxy can listen"):
            wire.connect(proxied.links)
        assert wire.links == ()


def test_what_a_listener_raises_is_told_and_the_proxy_goes_on() -> None:
    def listener(exchange: Exchange) -> None:
        raise ValueError("a bad listener")

    with fake_broker() as broker, Wire() as wire:
        way = link(source=0, upstream=broker.address)
        wire.connect([way])
        wire.begin(roles=ROLES, crash=lambda _: None, listener=listener)
        with client(way) as one:
            for number in (1, 2):
                one.sendall(frame(API_VERSIONS, number))
                assert answered(one) == number
        with pytest.raises(ValueError, match="a bad listener"):
            wire.check()
        wire.begin(roles=ROLES, crash=lambda _: None)
        wire.check()
