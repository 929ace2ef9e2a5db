"""One measured client, a process of its own: `wire_client.py SERVER TOPIC throughput|sync COUNT`.

Writes a line of JSON: bytes and seconds, or the seconds of each produce that was waited for.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from confluent_kafka import Producer

_BATCH, _RECORD, _SMALL = 16_384, 1_000, 100
_WARM_UP = 200
_TIMEOUT_S = 120.0


def main() -> None:
    server, topic, mode, count = sys.argv[1:]
    settings: dict[str, Any] = {"bootstrap.servers": server, "acks": "all"}
    measure = {"throughput": _throughput, "sync": _sync}[mode]
    print(json.dumps(measure(settings, topic, int(count))))


def _throughput(settings: dict[str, Any], topic: str, records: int) -> dict[str, float]:
    """Batches of 16 kB, five under way on a connection, as Kafka's own producer does it."""
    client = Producer(
        settings
        | {
            "batch.size": _BATCH,
            "linger.ms": 5,
            "enable.idempotence": True,
            "socket.nagle.disable": True,  # as in the Java producer
            "queue.buffering.max.kbytes": 1 << 18,
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    value = os.urandom(_RECORD)
    _send(client, topic, value, _WARM_UP)
    begun = time.perf_counter()
    _send(client, topic, value, records)
    return {"bytes": records * _RECORD, "seconds": time.perf_counter() - begun}


def _send(client: Producer, topic: str, value: bytes, records: int) -> None:
    for _ in range(records):
        client.produce(topic, value, partition=0)
    _flush(client)


def _sync(settings: dict[str, Any], topic: str, records: int) -> list[float]:
    client = Producer(settings | {"linger.ms": 0})
    value = os.urandom(_SMALL)
    took = []
    for _ in range(_WARM_UP + records):
        begun = time.perf_counter()
        client.produce(topic, value, partition=0)
        _flush(client)
        took.append(time.perf_counter() - begun)
    return took[_WARM_UP:]


def _flush(client: Producer) -> None:
    if client.flush(_TIMEOUT_S):
        sys.exit(f"not acknowledged in {_TIMEOUT_S:g} s")


if __name__ == "__main__":
    main()
