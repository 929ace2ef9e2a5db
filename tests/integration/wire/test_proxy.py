"""What the proxy does with connections, on a broker that answers anything."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import psutil
import pytest

from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.network import Link
from eoscheck.wire import Exchange, Rule, TopicRoles, Wire
from tests.integration.wire.fake_broker import (
    API_VERSIONS,
    HEARTBEAT,
    HOST,
    WAIT_S,
    FakeBroker,
    answered,
    client,
    end_txn,
    fake_broker,
    frame,
    link,
    produce,
    silent,
)

ROLES = TopicRoles()


@dataclass
class Proxied:
    broker: FakeBroker
    wire: Wire
    links: list[Link]
    """Of the instances 0 and 1."""
    exchanges: list[Exchange] = field(default_factory=list)

    def told(self, count: int) -> list[Exchange]:
        give_up_at = time.monotonic() + WAIT_S
        while len(self.exchanges) < count:
            assert time.monotonic() < give_up_at, f"{len(self.exchanges)} exchanges, not {count}"
            time.sleep(0.005)
        return self.exchanges


@pytest.fixture
def proxied() -> Iterator[Proxied]:
    """Nothing is left of it, and nothing went wrong that a test did not look for."""
    with fake_broker() as broker, Wire() as wire:
        proxied = Proxied(broker, wire, [link(source=n, upstream=broker.address) for n in (0, 1)])
        wire.connect(proxied.links)
        wire.begin(roles=ROLES, crash=lambda _: None, listener=proxied.exchanges.append)
        yield proxied
        wire.check()


# ---------------------------------------------------------------- answers come in order, or not


@pytest.mark.parametrize("action", ["drop-request", "drop-response"])
def test_behind_a_lost_answer_all_others_of_that_connection_are_kept_back(
    proxied: Proxied, action: str
) -> None:
    armed = proxied.wire.arm(Rule(step="EndTxn", action=action))  # type: ignore[arg-type]
    with client(proxied.links[0]) as one, client(proxied.links[0]) as other:
        one.sendall(frame(HEARTBEAT, 1) + end_txn(2) + frame(HEARTBEAT, 3))
        reached = [1, 3] if action == "drop-request" else [1, 2, 3]
        assert proxied.broker.numbers(count=len(reached)) == reached
        assert answered(one) == 1
        assert silent(one), "a later answer overtook the lost one"
        other.sendall(frame(HEARTBEAT, 9))
        assert answered(other) == 9
        assert armed.wait(timeout_s=WAIT_S) is not None

        told = {each.request.correlation_id: each for each in proxied.told(4)}
        lost = "unanswered" if action == "drop-request" else "answered"
        assert [(told[number].outcome, told[number].action) for number in (1, 2, 3)] == [
            ("answered", None),
            (lost, action),
            ("answered", "stalled"),
        ]
        proxied.wire.heal_all()
        assert answered(one) is None, "nobody waits for it any longer"
        other.sendall(frame(HEARTBEAT, 10))
        assert answered(other) == 10


def test_a_lost_request_that_wants_no_answer_keeps_nothing_back(proxied: Proxied) -> None:
    proxied.wire.arm(Rule(step="Produce", action="drop-request"))
    with client(proxied.links[0]) as one:
        one.sendall(produce(1, acks=0) + produce(2, acks=0) + frame(HEARTBEAT, 3))
        assert answered(one) == 3
    assert proxied.broker.numbers(count=2) == [2, 3]
    outcomes = [(each.outcome, each.action) for each in proxied.told(3)]
    assert outcomes[:2] == [("unanswered", "drop-request"), ("one-way", None)]


def test_stalled_connections_of_one_instance_may_be_closed(proxied: Proxied) -> None:
    proxied.wire.arm(Rule(step="EndTxn", action="drop-request", span_s=600.0))
    with client(proxied.links[0]) as one, client(proxied.links[1]) as other:
        for connection in (one, other):
            connection.sendall(end_txn(1))
        proxied.told(2)
        proxied.wire.close_stalled(instance=0)
        assert answered(one) is None
        assert silent(other)


def test_a_copy_has_a_number_of_its_own_and_its_answer_is_swallowed(proxied: Proxied) -> None:
    armed = proxied.wire.arm(Rule(step="EndTxn", action="duplicate"))
    with client(proxied.links[0]) as one:
        one.sendall(end_txn(1) + frame(HEARTBEAT, 2))
        assert [answered(one), answered(one)] == [1, 2]
    assert proxied.broker.numbers(count=3) == [1, -2, 2]
    assert proxied.broker.received[0][12:] == proxied.broker.received[1][12:]
    assert len(armed.firings) == 1


def test_a_delayed_request_goes_on_at_once_when_it_is_healed_and_order_is_kept(
    proxied: Proxied,
) -> None:
    proxied.wire.arm(Rule(step="EndTxn", action="delay", delay_s=600.0))
    with client(proxied.links[0]) as one:
        one.sendall(frame(HEARTBEAT, 1) + end_txn(2) + frame(HEARTBEAT, 3))
        assert answered(one) == 1
        assert silent(one)
        assert proxied.broker.numbers(count=1) == [1]
        proxied.wire.heal_all()
        assert [answered(one), answered(one)] == [2, 3]
    assert proxied.broker.numbers(count=3) == [1, 2, 3]


# ---------------------------------------------------------------- crashes


def test_nothing_of_a_dying_instance_goes_on_and_others_live(proxied: Proxied) -> None:
    dying, dead = threading.Event(), threading.Event()

    def crash(instance: int) -> None:
        assert instance == 0
        dying.set()
        assert dead.wait(WAIT_S)

    proxied.wire.begin(roles=ROLES, crash=crash, listener=proxied.exchanges.append)
    armed = proxied.wire.arm(Rule(step="EndTxn", action="crash-before"))
    with (
        client(proxied.links[0]) as one,
        client(proxied.links[0]) as two,
        client(proxied.links[1]) as other,
    ):
        one.sendall(frame(HEARTBEAT, 1))
        assert answered(one) == 1
        one.sendall(frame(HEARTBEAT, 7) + end_txn(2) + frame(HEARTBEAT, 3))
        assert dying.wait(WAIT_S)
        two.sendall(frame(HEARTBEAT, 4))
        other.sendall(frame(HEARTBEAT, 5))
        assert answered(other) == 5
        assert armed.firings == ()
        dead.set()
        assert armed.wait(timeout_s=WAIT_S) is not None
        assert answered(one) is None
        assert answered(two) is None
        other.sendall(frame(HEARTBEAT, 6))
        assert answered(other) == 6
    assert sorted(proxied.broker.numbers(count=4)) == [1, 5, 6, 7]
    ended = next(each for each in proxied.exchanges if each.request.correlation_id == 2)
    assert (ended.outcome, ended.action) == ("unanswered", "crash-before")


def test_crash_after_kills_when_the_answer_has_come_and_keeps_it(proxied: Proxied) -> None:
    asked: list[list[int]] = []
    proxied.broker.answers = False
    proxied.wire.begin(
        roles=ROLES,
        crash=lambda _: asked.append([len(proxied.broker.received)]),
        listener=proxied.exchanges.append,
    )
    armed = proxied.wire.arm(Rule(step="EndTxn", action="crash-after"))
    with client(proxied.links[0]) as one:
        one.sendall(end_txn(1))
        proxied.broker.numbers(count=1)
        assert armed.wait(timeout_s=0.2) is None, "it was killed before the answer"
        proxied.broker.answer(proxied.broker.connections[0], 1)
        assert armed.wait(timeout_s=WAIT_S) is not None
        assert answered(one) is None
    assert asked == [[1]]
    (ended,) = proxied.told(1)
    assert (ended.outcome, ended.action, ended.error) == ("answered", "crash-after", 0)


def test_an_action_whose_answer_never_came_is_done_at_the_next_request(proxied: Proxied) -> None:
    proxied.broker.answers = False
    armed = proxied.wire.arm(Rule(step="EndTxn", action="drop-response"))
    with client(proxied.links[0]) as one:
        one.sendall(end_txn(1))
        proxied.broker.numbers(count=1)
    proxied.broker.connections[0].shutdown(socket.SHUT_RDWR)
    assert proxied.told(1)[0].outcome == "unanswered"
    assert armed.firings == ()
    proxied.broker.answers = True
    with client(proxied.links[0]) as two:
        two.sendall(end_txn(2))
        firing = armed.wait(timeout_s=WAIT_S)
        assert firing is not None
        assert firing.request.correlation_id == 2


def test_a_crash_that_fails_is_told_to_who_waits() -> None:
    def crash(instance: int) -> None:
        raise InfrastructureError("instance 0 does not die")

    with fake_broker() as broker, Wire() as wire:
        way = link(source=0, upstream=broker.address)
        wire.connect([way])
        wire.begin(roles=ROLES, crash=crash)
        armed = wire.arm(Rule(step="EndTxn", action="crash-before"))
        with client(way) as one:
            one.sendall(end_txn(1))
            with pytest.raises(InfrastructureError, match="does not die"):
                armed.wait(timeout_s=WAIT_S)
            assert answered(one) is None
        assert broker.received == []


# ---------------------------------------------------------------- hold


def test_a_held_request_goes_on_when_released_and_survives_its_client(proxied: Proxied) -> None:
    armed = proxied.wire.arm(Rule(step="EndTxn", action="hold"))
    with client(proxied.links[0]) as one:
        one.sendall(frame(HEARTBEAT, 1) + end_txn(2) + frame(HEARTBEAT, 3))
        assert armed.wait(timeout_s=WAIT_S) is not None
        while answered(one) is not None:
            pass  # the answer to 1 may have come before the end
    assert proxied.broker.numbers(count=1) == [1]
    (exchange,) = armed.release()
    assert (exchange.outcome, exchange.error, exchange.action) == ("answered", 0, "hold")
    assert proxied.broker.numbers(count=2) == [1, 2]
    assert armed.release() == []


def test_a_held_request_whose_connection_the_broker_closed_is_unanswered(
    proxied: Proxied,
) -> None:
    armed = proxied.wire.arm(Rule(step="EndTxn", action="hold"))
    with client(proxied.links[0]) as one:
        one.sendall(frame(HEARTBEAT, 1) + end_txn(2))
        assert armed.wait(timeout_s=WAIT_S) is not None
    proxied.broker.numbers(count=1)
    proxied.broker.connections[0].shutdown(socket.SHUT_RDWR)
    proxied.told(2)
    (exchange,) = armed.release()
    assert exchange.outcome == "unanswered"


# ---------------------------------------------------------------- rules together


def test_the_first_armed_acts_and_the_other_at_the_next(proxied: Proxied) -> None:
    first = proxied.wire.arm(Rule(step="EndTxn", action="close"))
    second = proxied.wire.arm(Rule(step="EndTxn", action="close"))
    for number, (one_fired, other_fired) in enumerate([(1, 0), (1, 1)], start=1):
        with client(proxied.links[0]) as one:
            one.sendall(end_txn(number))
            assert answered(one) is None
        proxied.told(number)
        assert (len(first.firings), len(second.firings)) == (one_fired, other_fired)


def test_a_new_run_disarms_and_numbers_its_connections_from_one(proxied: Proxied) -> None:
    armed = proxied.wire.arm(Rule(step="EndTxn", action="close"))
    for _ in range(2):
        proxied.wire.begin(roles=ROLES, crash=lambda _: None, listener=proxied.exchanges.append)
        with client(proxied.links[1]) as one:
            one.sendall(end_txn(1))
            assert answered(one) == 1
    assert armed.firings == ()
    assert [each.connection for each in proxied.told(2)] == [1, 1]


def test_rules_that_cannot_act_are_refused(proxied: Proxied) -> None:
    with pytest.raises(UsageError, match="instance 7"):
        proxied.wire.arm(Rule(step="EndTxn", action="close", instance=7))
    with pytest.raises(UsageError, match="broker 9"):
        proxied.wire.arm(Rule(step="EndTxn", action="close", broker=9))
    with Wire() as wire, pytest.raises(UsageError, match="call begin"):
        wire.arm(Rule(step="EndTxn", action="crash-before"))


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
