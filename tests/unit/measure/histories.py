"""Histories for tests: short ones made by hand, and a simulated run that looks like a real one."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from eoscheck.history import (
    Event,
    FaultHealed,
    FaultInjected,
    GroupSampled,
    InstanceExited,
    InstanceReady,
    InstanceStarted,
    LogSampled,
    OutputsObserved,
    PhaseStarted,
    RunFinished,
    RunStarted,
    SendsAcknowledged,
    SendsUnconfirmed,
)
from eoscheck.history.events import Identity


def sent(t: float, *records: tuple[Identity, int, float], topic: str = "in") -> SendsAcknowledged:
    """`records`: (identity, partition, intended)."""
    return SendsAcknowledged(
        t=t,
        topic=topic,
        identities=[identity for identity, _, _ in records],
        partitions=[partition for _, partition, _ in records],
        offsets=list(range(len(records))),
        intended=[intended for _, _, intended in records],
    )


def seen(t: float, *identities: Identity, partition: int = 0) -> OutputsObserved:
    return OutputsObserved(
        t=t,
        topic="out",
        partition=partition,
        first_offset=0,
        last_offset=max(0, len(identities) - 1),
        identities=list(identities),
    )


def fault(
    t: float,
    fault_id: str = "f1",
    *,
    partitions: Iterable[int] | None = (0,),
    kind: str = "kill",
    instance: int | None = 0,
    down_s: float = 0.5,
    wiped: bool = False,
    left_open: int | None = 1,
    outlasts_session: bool = False,
    target: str = "",
) -> FaultInjected:
    return FaultInjected(
        t=t,
        fault_id=fault_id,
        kind=kind,
        instance=instance,
        down_s=down_s,
        outlasts_session=outlasts_session,
        wiped=wiped,
        evidence={"signal": "SIGKILL"},
        open_transactions=left_open,
        partitions=None if partitions is None else list(partitions),
        target=target,
    )


def healed(t: float, fault_id: str = "f1", *, kind: str = "kill") -> FaultHealed:
    return FaultHealed(t=t, fault_id=fault_id, kind=kind, instance=0)


def lag(t: float, records: int) -> GroupSampled:
    return GroupSampled(t=t, lag=records, committed={0: 0}, ends={0: records})


@dataclass
class Simulation:
    """A payments-like app on a simulated clock: an open-loop load, kills, hand-over, catching up.

    Not a model of Kafka: only so like a run that figures and reports have something to show.
    `duplicates`: what a kill interrupts comes out twice. `losses`: so many records never do.
    """

    seed: int = 1
    duration_s: float = 24.0
    rate: int = 400
    kills: int = 10
    instances: int = 2
    partitions: int = 4
    commit_s: float = 0.2
    session_s: float = 1.5
    duplicates: bool = False
    losses: int = 0
    scenario: str = "kill-exactly-once"

    events: list[Event] = field(init=False, default_factory=list)

    def run(self) -> list[Event]:
        self._random = random.Random(self.seed)
        self._down: dict[int, float] = {}
        """Partition -> when its work goes on."""
        self._begin()
        self._faults()
        self._work()
        self._finish()
        self.events.sort(key=lambda event: event.t)
        return self.events

    def _begin(self) -> None:
        environment = {"python": "3.11.7", "kafka": "4.3.1 (embedded, 1 broker)", "cpu": "2 cores"}
        self.events += [
            RunStarted(
                t=0.0,
                run_id=f"{self.scenario}-{self.seed}",
                scenario=self.scenario,
                seed=self.seed,
                started_at="2026-01-02T03:04:05Z",
                environment=environment,
            ),
            PhaseStarted(t=0.0, phase="start"),
            PhaseStarted(t=1.0, phase="steady"),
            PhaseStarted(t=3.0, phase="faults"),
        ]
        for instance in range(self.instances):
            self._start(0.1 + instance / 10, instance, attempt=1)

    def _start(self, t: float, instance: int, *, attempt: int) -> None:
        pid = 1000 * (instance + 1) + attempt
        self.events += [
            InstanceStarted(
                t=t, instance=instance, pid=pid, attempt=attempt, state_dir=f"/tmp/state-{instance}"
            ),
            InstanceReady(t=t + 0.6, instance=instance, evidence="owns partitions"),
        ]

    def _owned(self, instance: int) -> list[int]:
        return [p for p in range(self.partitions) if p % self.instances == instance]

    def _faults(self) -> None:
        """Fills `self.outages`: (partition, from, to)."""
        self.outages: list[tuple[int, float, float]] = []
        span = self.duration_s - 5.0
        attempts = dict.fromkeys(range(self.instances), 1)
        for number in range(self.kills):
            t = 3.2 + span * number / self.kills + self._random.random() * 0.3
            instance = self._random.randrange(self.instances)
            outlasts = number % 3 == 0
            down_s = self.session_s * 1.3 if outlasts else 0.4 + self._random.random() * 0.3
            fault_id = f"{number + 1:02d}-kill-{instance}"
            self.events += [
                InstanceExited(
                    t=t,
                    instance=instance,
                    pid=1000 * (instance + 1) + attempts[instance],
                    code=-9,
                    expected=True,
                ),
                fault(
                    t + 0.001,
                    fault_id,
                    partitions=self._owned(instance),
                    instance=instance,
                    down_s=round(down_s, 3),
                    wiped=number == 4,
                    left_open=int(number % 4 != 3),
                    outlasts_session=outlasts,
                ),
                FaultHealed(t=t + down_s, fault_id=fault_id, kind="kill", instance=instance),
            ]
            attempts[instance] += 1
            self._start(t + down_s, instance, attempt=attempts[instance])
            back = min(down_s + 0.7, self.session_s + 0.5) + self._random.random() * 0.4
            self.outages += [(p, t, t + back) for p in self._owned(instance)]

    def _work(self) -> None:
        """Input by input, then commit by commit: what has come and is not held up comes out."""
        waiting: dict[int, list[tuple[float, int]]] = {p: [] for p in range(self.partitions)}
        identity = 0
        load_ends = self.duration_s - 2.0
        lost = set(self._random.sample(range(2000, 4000), self.losses))
        offsets = dict.fromkeys(range(self.partitions), 0)
        tick = 0.0
        while tick < self.duration_s:
            batch: list[tuple[Identity, int, float]] = []
            for i in range(int(self.rate * self.commit_s)):
                intended = tick + i / self.rate
                if not 1.0 <= intended < load_ends:
                    continue
                p = min(int(self._random.paretovariate(1.1)) - 1, self.partitions - 1)
                if self._random.random() < 0.002:
                    self.events.append(self._unconfirmed(tick, identity))
                else:
                    batch.append((identity, p, intended))
                    waiting[p].append((intended, identity))
                identity += 1
            if batch:
                self.events.append(sent(tick + self.commit_s, *batch, topic="payments"))
            tick += self.commit_s
            for p, queue in waiting.items():
                self._commit(tick + 0.02 + self._random.random() * 0.03, p, queue, offsets, lost)
            self._sample(tick, waiting)

    def _unconfirmed(self, t: float, identity: int) -> SendsUnconfirmed:
        outcome = "aborted" if self._random.random() < 0.9 else "indeterminate"
        return SendsUnconfirmed(
            t=t, topic="payments", outcome=outcome, identities=[identity], reason="transaction"
        )

    def _commit(
        self,
        t: float,
        p: int,
        queue: list[tuple[float, int]],
        offsets: dict[int, int],
        lost: set[int],
    ) -> None:
        if any(partition == p and start <= t < end for partition, start, end in self.outages):
            return
        done = queue[: int(self.rate * 2)]
        del queue[: len(done)]
        identities: list[Identity] = [identity for _, identity in done if identity not in lost]
        ended = any(q == p and end <= t < end + self.commit_s for q, _, end in self.outages)
        if self.duplicates and ended:
            identities = identities[:20] + identities
        if identities:
            first = offsets[p]
            offsets[p] += len(identities) + 1  # a control record
            self.events.append(
                OutputsObserved(
                    t=t,
                    topic="receipts",
                    partition=p,
                    first_offset=first,
                    last_offset=first + len(identities) - 1,
                    identities=identities,
                )
            )

    def _sample(self, t: float, waiting: Mapping[int, list[tuple[float, int]]]) -> None:
        behind = {p: len(queue) for p, queue in waiting.items()}
        high = {p: 1000 + n for p, n in behind.items()}
        self.events += [
            GroupSampled(t=t, lag=sum(behind.values()), committed={}, ends=high),
            LogSampled(
                t=t,
                topic="receipts",
                high_watermarks=high,
                last_stable_offsets=dict.fromkeys(high, 1000),
            ),
        ]

    def _finish(self) -> None:
        self.events += [
            PhaseStarted(t=self.duration_s - 2.0, phase="drain"),
            *(
                InstanceExited(
                    t=self.duration_s - 0.3, instance=instance, pid=1, code=0, expected=True
                )
                for instance in range(self.instances)
            ),
            RunFinished(t=self.duration_s, drained=True, reason="no lag for 1 s"),
            PhaseStarted(t=self.duration_s, phase="audit"),
        ]
