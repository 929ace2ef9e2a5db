"""A proxied connection on sockets that keep what they are given."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.protocol import consumer, metadata, producer

from eoscheck.network import Link
from eoscheck.wire.actions import act
from eoscheck.wire.armed import Armed
from eoscheck.wire.loop import READ, WRITE
from eoscheck.wire.reader import Reader
from eoscheck.wire.request import Request
from eoscheck.wire.rules import Rule
from eoscheck.wire.state import State
from eoscheck.wire.trace import Exchange
from eoscheck.wire.tunnel import Tunnel
from tests.unit.wire.requests import FUZZ, encoded, fetch, produce_request
from tests.unit.wire.test_frames import CUTS, cut

LINK = Link(role="client", source=0, broker=1, listen=("a", 1), upstream=("b", 2))


class Socket:
    """Gives the chunks that a test puts in, and takes at once what it has room for."""

    def __init__(self) -> None:
        self.coming: deque[bytes] = deque()
        self.written, self.room, self.closed = b"", 1 << 30, False

    def setblocking(self, wanted: bool) -> None:
        assert not wanted

    def setsockopt(self, *option: int) -> None:
        pass

    def recv_into(self, buffer: bytearray) -> int:
        data = self.coming.popleft()
        buffer[: len(data)] = data
        return len(data)

    def send(self, data: bytes | memoryview) -> int:
        taken = bytes(data[: self.room])
        if data and not taken:
            raise BlockingIOError
        self.written += taken
        self.room -= len(taken)
        return len(taken)

    def close(self) -> None:
        self.closed = True


class Loop:
    """Does what a loop does only when a test says so."""

    def __init__(self) -> None:
        self.watched: dict[Any, tuple[int, Callable[[int], None]]] = {}

    def watch(self, connection: Any, events: int, ready: Callable[[int], None]) -> None:
        self.watched[connection] = (events, ready)

    def post(self, function: Callable[[], None]) -> None:
        pass

    def may(self, connection: Socket, event: int) -> bool:
        return bool(self.watched[connection][0] & event)

    def ready(self, connection: Socket, event: int) -> None:
        assert self.may(connection, event), "nobody waits for it"
        self.watched[connection][1](event)

    def give(self, connection: Socket, data: bytes) -> None:
        connection.coming.append(data)
        self.ready(connection, READ)


def opened(told: Callable[[Exchange], None]) -> tuple[Tunnel, Loop, Any, Any]:
    loop: Any = Loop()
    state = State(clock=lambda: 0.0, loop=loop)
    state.listener = told
    tunnel = Tunnel(state, LINK, act=act)
    client: Any = Socket()
    broker: Any = Socket()
    tunnel.client.open(client)
    tunnel.connected(broker)
    return tunnel, loop, client, broker


REQUESTS: Sequence[Callable[[int], bytes]] = (
    lambda number: encoded(
        produce_request("orders", "payments", records=b"r" * 5000),
        version=12,
        correlation_id=number,
    ),
    lambda number: encoded(produce_request("orders"), version=3, correlation_id=number),
    lambda number: fetch({"orders": [0]}, version=11, correlation_id=number),
    lambda number: encoded(
        producer.EndTxnRequest(
            transactional_id="tx", producer_id=5, producer_epoch=6, committed=True
        ),
        version=3,
        correlation_id=number,
        client_id="a client with a long name",
    ),
    lambda number: encoded(
        metadata.MetadataRequest(topics=None), version=12, correlation_id=number
    ),
)


def answer_to(asked: Request) -> bytes:
    number, version = asked.correlation_id, asked.api_version
    message: Any = {
        "Produce": producer.ProduceResponse(responses=[]),
        "Fetch": consumer.FetchResponse(session_id=number, responses=[]),
        "EndTxn": producer.EndTxnResponse(error_code=number),
        "Metadata": metadata.MetadataResponse(brokers=[], topics=[]),
    }[asked.api]
    return encoded(message, version=version, correlation_id=number)


@FUZZ
@given(st.lists(st.sampled_from(REQUESTS), max_size=6), CUTS, CUTS)
def test_what_comes_out_is_what_went_in_and_is_read_the_same_at_any_chunks(
    asked: list[Callable[[int], bytes]], cuts: list[int], answer_cuts: list[int]
) -> None:
    frames = [build(number) for number, build in enumerate(asked)]
    reader = Reader(name=lambda _: None, learn=lambda *_: None)
    requests = [reader.read(frame) for frame in frames]
    answers = b"".join(answer_to(request) for request in requests)
    exchanges: list[Exchange] = []

    _, loop, client, broker = opened(exchanges.append)
    for chunk in cut(b"".join(frames), cuts):
        loop.give(client, chunk)
    assert broker.written == b"".join(frames)
    for chunk in cut(answers, answer_cuts):
        loop.give(broker, chunk)
    assert client.written == answers
    assert [exchange.request for exchange in exchanges] == requests
    assert all(exchange.outcome == "answered" for exchange in exchanges)
    for exchange in exchanges:
        code = exchange.request.correlation_id if exchange.request.api == "EndTxn" else 0
        assert exchange.error == code


@FUZZ
@given(st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=6), CUTS, st.data())
def test_a_rule_that_meets_nothing_changes_nothing_wherever_it_is_armed(
    asked: list[Callable[[int], bytes]], cuts: list[int], data: st.DataObject
) -> None:
    """With a rule a request is read before it is sent, without one behind it."""
    frames = [build(number) for number, build in enumerate(asked)]
    reader = Reader(name=lambda _: None, learn=lambda *_: None)
    requests = [reader.read(frame) for frame in frames]
    answers = b"".join(answer_to(request) for request in requests)
    exchanges: list[Exchange] = []
    tunnel, loop, client, broker = opened(exchanges.append)
    rule = Rule(step="JoinGroup", action="close")
    armed = Armed(rule, in_loop=lambda function: function(), check=lambda: None)
    chunks = cut(b"".join(frames), cuts)
    arm_at, disarm_at = (data.draw(st.integers(0, len(chunks))) for _ in range(2))
    for number, chunk in enumerate(chunks):
        if number == arm_at:
            tunnel.state.arm(armed)
        if number == disarm_at:
            tunnel.state.disarm_all()
        loop.give(client, chunk)
    for chunk in cut(answers, cuts):
        loop.give(broker, chunk)
    assert (broker.written, client.written) == (b"".join(frames), answers)
    assert [exchange.request for exchange in exchanges] == requests


@FUZZ
@given(st.integers(1, 250), CUTS)
def test_an_answer_that_half_came_when_a_later_one_is_lost_comes_once_and_whole(
    half: int, cuts: list[int]
) -> None:
    exchanges: list[Exchange] = []
    tunnel, loop, client, broker = opened(exchanges.append)
    first, second = (REQUESTS[4](number) for number in (1, 2))
    long = metadata.MetadataResponse(brokers=[], topics=[], cluster_id="c" * 300)
    answer = encoded(long, version=12, correlation_id=1)
    loop.give(client, first)
    chunks = cut(answer, [*cuts, half])
    for number, chunk in enumerate(chunks):
        if number == 1:
            rule = Rule(step="Metadata", action="drop-request")
            armed = Armed(rule, in_loop=lambda function: function(), check=lambda: None)
            tunnel.state.arm(armed)
            loop.give(client, second)
        loop.give(broker, chunk)
    assert client.written == answer
    assert broker.written == first
    assert [exchange.outcome for exchange in exchanges] == ["unanswered", "answered"]


def test_half_a_request_reaches_nobody() -> None:
    _, loop, client, broker = opened(lambda _: None)
    frame = REQUESTS[3](1)
    loop.give(client, frame[:-1])
    assert broker.written == b""
    loop.give(client, frame[-1:])
    assert broker.written == frame


def test_each_side_waits_for_the_other() -> None:
    tunnel, loop, client, broker = opened(lambda _: None)
    frame, answer = (
        REQUESTS[3](1),
        answer_to(Reader(name=lambda _: None, learn=lambda *_: None).read(REQUESTS[3](1))),
    )
    for reader, writer, data in ((client, broker, frame), (broker, client, answer)):
        writer.room = 5
        loop.give(reader, data)
        assert not loop.may(reader, READ)
        loop.ready(writer, WRITE)  # there was no room after all
        assert not loop.may(reader, READ)
        writer.room = 1 << 20
        loop.ready(writer, WRITE)
        assert writer.written == data
        assert loop.may(reader, READ)
        assert not loop.may(writer, WRITE)
    tunnel.block()
    assert not loop.may(client, READ)
    tunnel.resume()
    assert loop.may(client, READ)


def test_a_connection_that_lost_bytes_by_an_error_of_ours_is_closed() -> None:
    tunnel, loop, client, broker = opened(lambda _: None)

    def broken() -> float:
        raise ZeroDivisionError

    tunnel.state.clock = broken
    with pytest.raises(ZeroDivisionError):
        loop.give(client, REQUESTS[3](1))
    assert client.closed, "later bytes would come without those before"
    assert broker.written == b""
