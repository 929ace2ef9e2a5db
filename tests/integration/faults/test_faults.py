"""Faults on real processes, with real transactions left open by them."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import pytest

from eoscheck.cluster import Cluster, ClusterView, NewTopic, create_topics
from eoscheck.cluster.transactions import TransactionView
from eoscheck.faults import PlannedFault, Scene, plan, run_faults
from eoscheck.history import (
    Event,
    FaultHealed,
    FaultInjected,
    FaultMissed,
    InstanceExited,
    InstanceStarted,
    Recorder,
    read_history,
)
from eoscheck.process import Supervisor
from eoscheck.subject import State, Subject, SubjectSpec, one_app
from tests.unit.faults.tables import app, table
from tests.unit.faults.tables import fault as planned

_E = TypeVar("_E", bound=Event)

# A member of a group that writes one transaction after the other, each open for 150 ms.
SCRIPT = """
import signal, sys, time
from pathlib import Path
from confluent_kafka import Consumer, Producer

server, state, instance, source, sink = sys.argv[1:]
Path(state, "store").write_text("something to wipe")
running = True
def stop(*_):
    global running
    running = False
signal.signal(signal.SIGTERM, stop)
consumer = Consumer({"bootstrap.servers": server, "group.id": source,
                     "client.id": f"app-{instance}", "session.timeout.ms": 6000,
                     "heartbeat.interval.ms": 300})
consumer.subscribe([source])
producer = Producer({"bootstrap.servers": server, "transactional.id": f"{sink}-{instance}",
                     "transaction.timeout.ms": 20000})
producer.init_transactions()
while running:
    producer.begin_transaction()
    producer.produce(sink, b"x")
    producer.flush()
    consumer.poll(0.15)
    producer.commit_transaction()
consumer.close()
"""


class Bench:
    """Two instances of the script on topics of their own, and all that faults are run with."""

    def __init__(self, cluster: Cluster, supervisor: Supervisor, folder: Path) -> None:
        self.folder = folder
        name = uuid4().hex[:8]
        self.source, self.sink = f"in-{name}", f"out-{name}"
        create_topics(
            cluster.client_config,
            [NewTopic(name=self.source, partitions=4), NewTopic(name=self.sink, partitions=1)],
        )
        script = folder / "app.py"
        script.write_text(SCRIPT)
        self.recorder = Recorder(folder)
        self.view = ClusterView(cluster.client_config)
        self.transactions = TransactionView(cluster.client_config)
        self.subject = Subject(
            [
                one_app(
                    SubjectSpec(
                        command=[
                            *(
                                "{python}",
                                str(script),
                                "{bootstrap_server}",
                                "{state_dir}",
                                "{instance}",
                            ),
                            *(self.source, self.sink),
                        ],
                        instances=2,
                        group=self.source,
                        client_id="app-{instance}",
                        session_timeout="6s",
                        stop_timeout="10s",
                    ),
                    input=self.source,
                    output=self.sink,
                )
            ],
            supervisor=supervisor,
            recorder=self.recorder,
            folder=folder,
            run_id=name,
            bootstrap_for=cluster.bootstrap_for,
        )

    def run(self, *faults: PlannedFault, **more: Any) -> None:
        scene = Scene(
            subject=self.subject,
            view=self.view,
            transactions=self.transactions,
        )
        run_faults(faults, scene=scene, recorder=self.recorder, **more)

    def events(self, kind: type[_E]) -> list[_E]:
        return [event for event in read_history(self.folder) if isinstance(event, kind)]

    def close(self) -> None:
        self.subject.stop_all()
        self.view.close()
        self.transactions.close()
        self.recorder.close()


@pytest.fixture
def bench(cluster: Cluster, supervisor: Supervisor, tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(cluster, supervisor, tmp_path)
    try:
        bench.subject.start_all()
        bench.subject.wait_ready(view=bench.view)
        yield bench
    finally:
        bench.close()


def fault(number: int, **changes: Any) -> PlannedFault:
    return planned(**({"fault_id": f"fault-{number}", "at_s": 0.0, "down_s": 0.8} | changes))


def test_a_kill_with_a_transaction_open_leaves_the_victims_open_and_names_it(
    bench: Bench,
) -> None:
    bench.run(
        fault(1, instance=0, open_transaction=True),
        fault(2, instance=1, at_s=3.0, open_transaction=True, wipe=True),
    )
    first, second = bench.events(FaultInjected)
    for injected, instance in ((first, 0), (second, 1)):
        assert injected.instance == instance
        assert injected.open_transactions == 1
        assert injected.evidence["open_after"] == [f"{bench.sink}-{instance}"]
        assert injected.evidence["exit_code"] == -9
    assert not first.wiped
    assert second.wiped
    assert second.evidence["wiped"] == str(bench.subject.state_dir(1))
    assert first.partitions is not None
    assert len(first.partitions) == 2
    assert len(bench.events(FaultHealed)) == 2
    assert bench.events(FaultMissed) == []
    assert [bench.subject.state(each) for each in (0, 1)] == [State.UP, State.UP]


def test_no_kill_misses_the_transaction_that_it_saw(bench: Bench) -> None:
    kills = [
        fault(number, instance=number % 2, at_s=2.5 * number, open_transaction=True, down_s=2.0)
        for number in range(5)
    ]
    bench.run(*kills)
    assert [each.open_transactions for each in bench.events(FaultInjected)] == [1] * 5
    assert bench.events(FaultMissed) == []


def test_a_clean_stop_leaves_no_transaction_open(bench: Bench) -> None:
    bench.run(fault(1, kind="terminate", open_transaction=True))
    (injected,) = bench.events(FaultInjected)
    assert injected.evidence["exit_code"] == 0
    assert injected.open_transactions == 0
    assert injected.evidence["open_before"]


def test_a_pause_holds_its_transaction_open_and_the_process_goes_on_after_it(
    bench: Bench,
) -> None:
    before = bench.events(InstanceStarted)
    bench.run(fault(1, kind="pause", open_transaction=True, down_s=1.0))
    (injected,) = bench.events(FaultInjected)
    assert injected.evidence["status"] == "stopped"
    assert injected.open_transactions == 1
    assert bench.events(InstanceStarted) == before
    assert bench.events(InstanceExited) == []
    assert bench.subject.is_up(0)


def test_a_planned_storm_leaves_every_instance_running_and_none_was_hit_while_down(
    bench: Bench,
) -> None:
    faults = plan(
        [table("kill", count=4, down="200ms"), table("restart", count=1)],
        seed=3,
        targets=app(2),
        duration_s=6.0,
    )
    bench.run(*faults)
    assert len(bench.events(FaultInjected)) == len(bench.events(FaultHealed)) == 5
    assert bench.subject.unexpected_exits() == []
    for instance in (0, 1):
        lives = [
            (type(event), event.t)
            for event in read_history(bench.folder)
            if isinstance(event, InstanceStarted | InstanceExited) and event.instance == instance
        ]
        assert all(first[0] is not second[0] for first, second in pairwise(lives))
        assert bench.subject.is_up(instance)


def test_a_stop_from_outside_heals_at_once(bench: Bench) -> None:
    stop = threading.Event()
    runner = threading.Thread(target=lambda: bench.run(fault(1, down_s=300.0), stop=stop))
    runner.start()
    deadline = time.monotonic() + 20
    while not bench.events(FaultInjected):
        assert time.monotonic() < deadline, "waited 20 s for the fault"
        time.sleep(0.02)
    assert bench.subject.state(0) is State.DOWN
    stop.set()
    runner.join(timeout=20)
    assert not runner.is_alive()
    assert bench.subject.is_up(0)
