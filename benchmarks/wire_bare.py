"""`python -m benchmarks.wire_bare`: what the wire proxy itself burns, between two bare sockets.

Without Kafka, so that the same requests cost the same on a busy machine too: processor time a
request, and how often the proxy was put to sleep and woken for it (the kernel's voluntary context
switches). `benchmarks.wire` has the same with a broker, and how fast that is.
"""

from __future__ import annotations

import resource
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import click
from kafka.protocol import producer

from benchmarks.subjects import ROOT
from eoscheck.network import Link
from eoscheck.network.ports import HOST, free_ports
from eoscheck.wire import Exchange, TopicRoles, Wire

_TOPIC, _VERSION, _BATCH = "wire-benchmark", 10, 16_384
_WARM_UP = 500


@click.command(context_settings={"max_content_width": 100})
@click.option("--requests", type=click.IntRange(min=1), default=4_000, show_default=True)
@click.option("--rounds", type=click.IntRange(min=1), default=7, show_default=True)
def main(requests: int, rounds: int) -> None:
    """Produce requests of 16 kB, five in flight and one, each answered at once."""
    exchanges: list[Exchange] = []
    with _peer() as peer, Wire() as wire:
        (port,) = free_ports(1)
        broker = int(_line(peer))
        link = Link(role="client", source=0, broker=1, listen=(HOST, port), upstream=(HOST, broker))
        wire.connect([link])
        roles = TopicRoles(outputs=frozenset([_TOPIC]))
        wire.begin(roles=roles, crash=lambda _: None, listener=exchanges.append)
        for in_flight in (5, 1):
            _ask(peer, port, _WARM_UP, in_flight)
            found = [_burnt(peer, port, requests, in_flight) for _ in range(rounds)]
            costs, sleeps = zip(*found, strict=True)
            click.echo(
                f"{in_flight} in flight: {1e6 * median(costs):.1f} us a request"
                f" ({1e6 * min(costs):.1f} - {1e6 * max(costs):.1f}),"
                f" {1e3 * median(costs) / (_BATCH / 1e6):.2f} ms a MB,"
                f" {median(sleeps):.2f} sleeps a request; {rounds} rounds of {requests}"
            )
        wire.check()
    if not all(each.steps == ("Produce(output)",) and each.error == 0 for each in exchanges):
        sys.exit("a request was not read")


def _burnt(peer: subprocess.Popen[str], port: int, requests: int, in_flight: int) -> list[float]:
    """Processor seconds a request of this process, which does nothing else; and its sleeps."""
    began, slept = time.process_time(), _sleeps()
    _ask(peer, port, requests, in_flight)
    return [(time.process_time() - began) / requests, (_sleeps() - slept) / requests]


def _sleeps() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw


def _ask(peer: subprocess.Popen[str], port: int, requests: int, in_flight: int) -> None:
    assert peer.stdin is not None
    peer.stdin.write(f"{port} {requests} {in_flight}\n")
    peer.stdin.flush()
    _line(peer)


def _line(peer: subprocess.Popen[str]) -> str:
    assert peer.stdout is not None
    line = peer.stdout.readline()
    if not line:
        sys.exit("the client and broker of the benchmark ended")
    return line


@contextmanager
def _peer() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "benchmarks.wire_peer", *(each.hex() for each in _frames())]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as peer:
        try:
            yield peer
        finally:
            peer.kill()


def _frames() -> tuple[bytes, bytes]:
    """A request as librdkafka's are, and its answer."""
    batch = bytearray(_BATCH)
    batch[16] = 2  # magic
    struct.pack_into(">qh", batch, 43, 5, 6)  # producer id and epoch
    data, said = producer.ProduceRequest.TopicProduceData, producer.ProduceResponse
    partition = data.PartitionProduceData(index=0, records=bytes(batch))
    request = producer.ProduceRequest(
        transactional_id=None,
        acks=-1,
        timeout_ms=30_000,
        topic_data=[data(name=_TOPIC, partition_data=[partition])],
    )
    topic = said.TopicProduceResponse
    kept = topic.PartitionProduceResponse(index=0, error_code=0, base_offset=1)
    answer = said(responses=[topic(name=_TOPIC, partition_responses=[kept])])
    for message in (request, answer):
        message.API_VERSION = _VERSION
    request.with_header(correlation_id=0, client_id="rdkafka")
    answer.with_header(correlation_id=0)
    asked, answered = (bytes(each.encode(header=True, framed=True)) for each in (request, answer))
    return asked, answered


if __name__ == "__main__":
    main()
