"""What is known of a run while it goes on: a listener of its history."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from pyroaring import BitMap64

from eoscheck.history.events import (
    BrokerChanged,
    Event,
    FaultHealed,
    FaultInjected,
    FaultMissed,
    GroupSampled,
    Identity,
    InstanceExited,
    InstanceReady,
    InstanceStarted,
    LogSampled,
    OutputsObserved,
    PhaseStarted,
    RunFinished,
    SendsAcknowledged,
)
from eoscheck.measure.timeline import held_back
from eoscheck.report import numbers
from eoscheck.report.words import struck_by

WINDOW_S = 2.0
_LEAST_S = 0.2
_TRAIL_S = 0.5
_TRAIL = 40
_LOOKED_AFTER_S = 120.0
PHASES = {
    "start": "starting",
    "steady": "steady",
    "faults": "under fire",
    "drain": "draining",
    "audit": "auditing",
}


class Rate:
    """Records a second over the last two seconds of the run's clock, and how it went before."""

    def __init__(self) -> None:
        self._recent: deque[tuple[float, int]] = deque()
        self._sum = 0
        self._trail: deque[int] = deque([0], maxlen=_TRAIL)
        self._trail_at = 0

    def add(self, t: float, records: int) -> None:
        self._recent.append((t, records))
        self._sum += records
        self._move_on(t)
        self._trail[-1] += records

    def at(self, t: float) -> float:
        while self._recent and self._recent[0][0] < t - WINDOW_S:
            self._sum -= self._recent.popleft()[1]
        return self._sum / min(WINDOW_S, max(t, _LEAST_S))

    def trail(self, t: float) -> Sequence[int]:
        """Records in each half second up to `t`, the last one not yet full."""
        self._move_on(t)
        return list(self._trail)

    def _move_on(self, t: float) -> None:
        now = int(t / _TRAIL_S)
        for _ in range(min(now - self._trail_at, _TRAIL)):
            self._trail.append(0)
        self._trail_at = max(now, self._trail_at)


@dataclass(kw_only=True)
class LiveFault:
    """A first look at what the figures tell at the end: it has recovered when an affected partition
    has an output for input that came after it; where the victim's partitions are not known, when
    all have one. Of input and output, either may be told first."""

    name: str
    t: float
    partitions: frozenset[int] | None
    waiting: dict[int, set[Identity]] = field(default_factory=dict)
    outputs: dict[Identity, float] = field(default_factory=dict)
    served: dict[int, float] = field(default_factory=dict)
    healed: bool = False
    recovered_after_s: float | None = None

    def sent(self, event: SendsAcknowledged) -> None:
        columns = zip(event.identities, event.partitions, event.intended, strict=True)
        for identity, partition, intended in columns:
            if intended <= self.t or not (self.partitions is None or partition in self.partitions):
                continue
            waiting = self.waiting.setdefault(partition, set())
            if identity in self.outputs:
                self._serve(partition, self.outputs[identity])
            elif partition not in self.served:
                waiting.add(identity)
        self._look()

    def seen(self, event: OutputsObserved) -> None:
        identities = set(event.identities)
        self.outputs.update(dict.fromkeys(event.identities, event.t))
        for partition, waiting in self.waiting.items():
            if not waiting.isdisjoint(identities):
                self._serve(partition, event.t)
        self._look()

    def _serve(self, partition: int, t: float) -> None:
        self.served[partition] = min(t, self.served.get(partition, t))

    def _look(self) -> None:
        if not self.served or (
            self.partitions is None and self.waiting.keys() != self.served.keys()
        ):
            return
        last = max if self.partitions is None else min
        self.recovered_after_s = last(self.served.values()) - self.t
        self.waiting.clear()
        self.outputs.clear()


class Progress:
    """The state of a run so far, as its events tell it."""

    def __init__(self) -> None:
        self.t = 0.0
        self.phase = "starting"
        self.lags: dict[str, int] = {}
        self.held_back: int | None = None
        self.faults: dict[str, LiveFault] = {}
        self.missed = 0
        self.twice = 0
        self.ended_by_themselves = 0
        self.instances: dict[int, str] = {}
        self.brokers: dict[int, str] = {}
        self.sent = Rate()
        self.committed = Rate()
        self._numbers = BitMap64()
        self._names: set[str] = set()

    @property
    def lag(self) -> int | None:
        """Of all groups together; None before the first sample."""
        return sum(self.lags.values()) if self.lags else None

    @property
    def under_way(self) -> list[LiveFault]:
        return [each for each in self.faults.values() if not each.healed]

    @property
    def last_fault(self) -> LiveFault | None:
        return next(reversed(self.faults.values()), None)

    @property
    def recoveries(self) -> list[float]:
        known = (each.recovered_after_s for each in self.faults.values())
        return [seconds for seconds in known if seconds is not None]

    def take(self, event: Event) -> None:
        self.t = max(self.t, event.t)
        match event:
            case PhaseStarted(phase=phase):
                self.phase = PHASES[phase]
            case RunFinished():
                self.phase = "finished"
            case SendsAcknowledged():
                self.sent.add(event.t, len(event.identities))
                for fault in self._unrecovered():
                    fault.sent(event)
            case OutputsObserved():
                self.committed.add(event.t, len(event.identities))
                self._count_twice(event.identities)
                for fault in self._unrecovered():
                    fault.seen(event)
            case GroupSampled(role=role, lag=lag):
                self.lags[role] = lag
            case LogSampled():
                self.held_back = held_back(event)
            case BrokerChanged(broker=broker, state=state):
                self.brokers[broker] = state
            case FaultInjected() | FaultHealed() | FaultMissed():
                self._take_fault(event)
            case InstanceStarted() | InstanceReady() | InstanceExited():
                self._take_instance(event)

    def _unrecovered(self) -> list[LiveFault]:
        """Those that are still looked after: no input may have come after a fault."""
        return [
            each
            for each in self.faults.values()
            if each.recovered_after_s is None and self.t - each.t < _LOOKED_AFTER_S
        ]

    def _count_twice(self, identities: Sequence[Identity]) -> None:
        for identity in identities:
            if isinstance(identity, int) and identity >= 0:
                known = identity in self._numbers
                self._numbers.add(identity)
            else:
                known = str(identity) in self._names
                self._names.add(str(identity))
            self.twice += known

    def _take_fault(self, event: FaultInjected | FaultHealed | FaultMissed) -> None:
        match event:
            case FaultInjected(kind=kind, instance=instance, partitions=partitions):
                struck = struck_by(kind, instance=instance, target=event.target)
                self.faults[event.fault_id] = LiveFault(
                    name=f"{struck} at {numbers.moment(event.t)}",
                    t=event.t,
                    partitions=None if partitions is None else frozenset(partitions),
                )
                if kind == "pause" and instance is not None:
                    self.instances[instance] = "paused"
            case FaultHealed(kind=kind, instance=instance):
                if event.fault_id in self.faults:
                    self.faults[event.fault_id].healed = True
                if kind == "pause" and instance is not None:
                    self.instances[instance] = "running"
            case FaultMissed():
                self.missed += 1

    def _take_instance(self, event: InstanceStarted | InstanceReady | InstanceExited) -> None:
        match event:
            case InstanceStarted():
                self.instances[event.instance] = "up"
            case InstanceReady():
                self.instances[event.instance] = "running"
            case InstanceExited():
                stopped = event.expected and self.phase == PHASES["drain"]
                self.instances[event.instance] = "stopped" if stopped else "down"
                self.ended_by_themselves += not event.expected

    def recovered(self) -> str:
        """`3 of 4 recovered, p50 1.62 s, longest 2.90 s`; empty without faults."""
        if not self.faults:
            return ""
        seconds = self.recoveries
        text = f"{len(seconds)} of {len(self.faults)} recovered"
        if seconds:
            text += f", p50 {numbers.duration(median(seconds))}"
            text += f", longest {numbers.duration(max(seconds))}"
        return text

    def noticed(self) -> list[str]:
        """What the audit will have to say something about."""
        return [
            text
            for number, text in (
                (self.twice, f"{numbers.plural(self.twice, 'output')} seen again"),
                (self.missed, f"{self.missed:,} missed"),
                (
                    self.ended_by_themselves,
                    f"{numbers.plural(self.ended_by_themselves, 'instance')} ended unasked",
                ),
            )
            if number
        ]
