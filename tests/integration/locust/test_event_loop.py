"""Locust's event loop goes on while the client waits for a broker that says nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import msgspec

from eoscheck.cluster import Cluster, NewTopic, create_topics
from tests.integration.locust.conftest import ROOT

PAUSED_S = 4.0

TICKING = """
from gevent import monkey
monkey.patch_all()
import json, sys, time
import gevent
from gevent.threadpool import ThreadPool
from eoscheck.load import LoadSpec
from eoscheck.load.engine import Engine
from eoscheck.load.records import generate

servers, topic = sys.argv[1:]
spec = LoadSpec(topic=topic, rate=2000, value="{seq}")
engine = Engine(
    spec, block=0, run_id="r", seed=1, client_config={"bootstrap.servers": servers},
    identify=lambda _key, value, _headers: int(value), clock=time.monotonic,
)
thread = ThreadPool(1).spawn(engine.run)
engine.open(generate(spec, seed=1, run_id="r", numbers=engine.numbers), rate=spec.rate)
told, gaps, over = [], [], False


def tick():
    last = time.monotonic()
    while not over:
        gevent.sleep(0.01)
        now = time.monotonic()
        gaps.append(now - last)
        last = now


ticker = gevent.spawn(tick)


def ask():
    # What the test says is read in the loop as well: it must not stand still for that either.
    return gevent.get_hub().threadpool.apply(sys.stdin.readline).strip()


def answer(**words):
    print(json.dumps(words), flush=True)


while not engine.take().events:
    gevent.sleep(0.05)
answer(begun=1)
ask()
gaps.clear()
sent_before = len(engine.take().sent)
answer(paused=1)
ask()
during = engine.take()
answer(gap=max(gaps), ticks=len(gaps), sent=len(during.sent), answered=len(during.answered))
ask()
engine.stop()
gaps.clear()
thread.get()
over = True
ticker.join()
last = engine.take()
answer(gap=max(gaps), answered=len(last.answered))
"""


def test_a_greenlet_keeps_ticking_while_the_broker_is_paused(
    cluster: Cluster, topic_name: str
) -> None:
    create_topics(cluster.client_config, [NewTopic(name=topic_name, partitions=2)])
    brokers = cluster.brokers
    assert brokers is not None
    [broker] = brokers.ids
    process = subprocess.Popen(
        [sys.executable, "-c", TICKING, cluster.bootstrap_servers, topic_name],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def go_on() -> dict[str, float]:
        assert process.stdin is not None
        process.stdin.write(b"\n")
        process.stdin.flush()
        return said()

    def said() -> dict[str, float]:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "it ended before it was asked to"
        return msgspec.json.decode(line, type=dict[str, float])

    try:
        said()
        brokers.pause(broker)
        try:
            go_on()
            time.sleep(PAUSED_S)
            while_paused = go_on()
        finally:
            brokers.resume(broker)
        at_the_end = go_on()
    finally:
        process.kill()
        process.wait()
    # The records keep their schedule, though nothing is answered for.
    assert while_paused["sent"] > 1000
    assert while_paused["answered"] < while_paused["sent"] / 2
    # A call that waited for the broker in the loop would have stopped it for as long as that.
    assert while_paused["gap"] < PAUSED_S / 2
    assert while_paused["ticks"] > 10
    # The last flush waits for all of them, elsewhere.
    assert at_the_end["answered"] >= while_paused["sent"] - while_paused["answered"]
