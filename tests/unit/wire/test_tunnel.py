"""A proxied connection on transports that keep what they are given."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from kafka.protocol import consumer, metadata, producer

from eoscheck.network import Link
from eoscheck.wire.actions import act
from eoscheck.wire.reader import Reader
from eoscheck.wire.request import Request
from eoscheck.wire.side import Side
from eoscheck.wire.state import State
from eoscheck.wire.trace import Exchange
from eoscheck.wire.tunnel import Tunnel
from tests.unit.wire.requests import FUZZ, encoded, fetch, produce_request
from tests.unit.wire.test_frames import CUTS, cut

LINK = Link(role="client", source=0, broker=1, listen=("a", 1), upstream=("b", 2))


class Transport(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.written, self.reading, self.closed = b"", True, False

    def write(self, data: Any) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


class Dialed(Tunnel):
    """Its broker is where the test says."""

    async def _dial(self) -> None:
        pass


def in_loop(body: Callable[[], None]) -> None:
    async def run() -> None:
        body()

    asyncio.run(run())


def opened(told: Callable[[Exchange], None]) -> tuple[Tunnel, Transport, Transport]:
    state = State(clock=lambda: 0.0, call_soon=lambda _: None)
    state.listener = told
    tunnel = Dialed(state, LINK, act=act)
    client, broker = Transport(), Transport()
    tunnel.client.connection_made(client)
    tunnel.broker.connection_made(broker)
    return tunnel, client, broker


def give(side: Side, data: bytes) -> None:
    """As a socket does."""
    side.get_buffer(-1)[: len(data)] = data
    side.buffer_updated(len(data))


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

    def body() -> None:
        tunnel, client, broker = opened(exchanges.append)
        for chunk in cut(b"".join(frames), cuts):
            give(tunnel.client, chunk)
        assert broker.written == b"".join(frames)
        for chunk in cut(answers, answer_cuts):
            give(tunnel.broker, chunk)
        assert client.written == answers

    in_loop(body)
    assert [exchange.request for exchange in exchanges] == requests
    assert all(exchange.outcome == "answered" for exchange in exchanges)
    for exchange in exchanges:
        code = exchange.request.correlation_id if exchange.request.api == "EndTxn" else 0
        assert exchange.error == code


def test_half_a_request_reaches_nobody() -> None:
    def body() -> None:
        tunnel, _, broker = opened(lambda _: None)
        frame = REQUESTS[3](1)
        give(tunnel.client, frame[:-1])
        assert broker.written == b""
        give(tunnel.client, frame[-1:])
        assert broker.written == frame

    in_loop(body)


def test_each_side_waits_for_the_other() -> None:
    def body() -> None:
        tunnel, client, broker = opened(lambda _: None)
        assert client.reading
        tunnel.broker.pause_writing()
        assert not client.reading
        tunnel.broker.resume_writing()
        assert client.reading
        tunnel.client.pause_writing()
        assert not broker.reading
        tunnel.client.resume_writing()
        assert broker.reading
        tunnel.block()
        assert not client.reading
        tunnel.resume()
        assert client.reading

    in_loop(body)
