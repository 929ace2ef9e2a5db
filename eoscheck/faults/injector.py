"""Fires the planned faults at their time, proves that each bit, and heals everything."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from eoscheck.errors import EoscheckError, InfrastructureError, UsageError
from eoscheck.faults.orphans import Mark, OrphanWatch, mark
from eoscheck.faults.process import strike
from eoscheck.faults.schedule import PlannedFault
from eoscheck.history import FaultHealed, FaultInjected, FaultMissed, Recorder
from eoscheck.subject import Subject
from eoscheck.subject.readiness import Work, owned_partitions

if TYPE_CHECKING:
    from eoscheck.cluster.transactions import OpenTransaction, TransactionView
    from eoscheck.cluster.view import ClusterView

TRIGGER_TIMEOUT_S = 15.0
"""How long a fault waits for its instance to be up, to work, and for a transaction to be open."""

_TRIGGER_POLL_S = 0.01
_WATCH_POLL_S = 0.05


def run_faults(
    plan: Sequence[PlannedFault],
    *,
    subject: Subject,
    recorder: Recorder,
    input_topic: str,
    output_topics: Collection[str],
    view: ClusterView | None = None,
    transactions: TransactionView | None = None,
    stop: threading.Event | None = None,
    trigger_timeout_s: float = TRIGGER_TIMEOUT_S,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Blocks until every fault was fired and healed, or `stop` is set. Every instance runs when it
    returns, also where it raises.

    Each fault becomes FaultInjected (with its evidence, as soon as that is complete: at the latest
    just before the heal) and FaultHealed, or FaultMissed with the reason. With `working`, a fault
    waits, bounded, until its target's partitions are seen to be committed; with
    `open_transaction`, a fault waits, bounded, until as many transactions on `output_topics` are
    open as instances are up, and counts afterwards what it left open. `view` tells which
    partitions of `input_topic` the target owned, by the subject's client ids.
    """
    if transactions is None and any(fault.open_transaction for fault in plan):
        raise UsageError("faults with open_transaction need a view of the cluster's transactions")
    spec = subject.spec
    if any(fault.working for fault in plan) and not (spec.group and spec.client_id and view):
        raise UsageError(
            "faults.working needs subject.group and subject.client_id, to see the work"
        )
    injector = _Injector(
        subject=subject,
        recorder=recorder,
        input_topic=input_topic,
        output_topics=output_topics,
        stop=stop or threading.Event(),
        view=view,
        transactions=transactions,
        trigger_timeout_s=trigger_timeout_s,
        clock=clock,
        sleep=sleep,
        began=clock(),
    )
    # A thread for each instance: its faults come one after the other, whatever the clock says, so
    # none is ever hit while it is down.
    queues: dict[int, list[PlannedFault]] = defaultdict(list)
    for fault in plan:
        queues[fault.instance].append(fault)
    try:
        with ThreadPoolExecutor(max(1, len(queues)), thread_name_prefix="faults") as pool:
            try:
                _wait_for([pool.submit(injector.run, queue) for queue in queues.values()])
            finally:
                injector.cancelled.set()
    finally:
        subject.heal_all()


def _wait_for(running: Sequence[Future[None]]) -> None:
    """Until all are done or one has failed; in slices, so that Ctrl-C gets through."""
    waiting = set(running)
    while waiting:
        done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_EXCEPTION)
        for each in done:
            each.result()


@dataclass(frozen=True, kw_only=True)
class _Injector:
    """What the threads of the instances share. Only `orphans` ever changes."""

    subject: Subject
    recorder: Recorder
    input_topic: str
    output_topics: Collection[str]
    stop: threading.Event
    view: ClusterView | None
    transactions: TransactionView | None
    trigger_timeout_s: float
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    began: float
    cancelled: threading.Event = field(default_factory=threading.Event)
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock)
    """Held while a fault strikes: what one leaves open must not be taken for another's. (And the
    view of the transactions answers one thread at a time.)"""
    orphans: set[Mark] = field(default_factory=set)
    """Left open by earlier faults: nobody works in them, whoever waits for an open one."""

    def run(self, faults: Sequence[PlannedFault]) -> None:
        """The faults of one instance, in order."""
        for fault in faults:
            try:
                self._wait_until(self.began + fault.at_s)
                self._strike_and_heal(fault)
            finally:
                self.subject.heal(fault.instance)

    def _strike_and_heal(self, fault: PlannedFault) -> None:
        try:
            self._wait_up(fault.instance)
            with self.one_at_a_time:
                for other in self.subject.instances if fault.alone else ():
                    self._wait_up(other)
                if self._over():
                    raise InfrastructureError("the run was stopped before it was due")
                heal_at, injected = self._strike(fault)
                self.recorder.record(injected)
                if fault.alone:
                    self._wait_until(heal_at)
        except EoscheckError as error:
            self._missed(fault, str(error))
            return
        self._wait_until(heal_at)
        self.subject.heal(fault.instance)
        self.recorder.record(
            FaultHealed(
                t=self.recorder.now(),
                fault_id=fault.fault_id,
                kind=fault.kind,
                instance=fault.instance,
            )
        )

    def _strike(self, fault: PlannedFault) -> tuple[float, FaultInjected]:
        """When the heal is due, and what happened, told as soon as that is certain."""
        worked = self._wait_working(fault) if fault.working else False
        partitions, before = self._wait_open_transactions(fault)
        others = [each for each in self.subject.instances if each != fault.instance]
        spared = sum(self.subject.is_up(each) for each in others)
        heal_at, t = self.clock() + fault.down_s, self.recorder.now()
        evidence = strike(self.subject, fault)
        if fault.working:
            evidence["worked"] = worked
        left_open = None
        if fault.open_transaction:
            orphans = OrphanWatch(before, others=spared)
            left_open = self._count_left_open(orphans, until=heal_at)
            evidence |= orphans.evidence()
        return heal_at, FaultInjected(
            t=t,
            fault_id=fault.fault_id,
            kind=fault.kind,
            instance=fault.instance,
            down_s=fault.down_s,
            outlasts_session=fault.outlasts_session,
            wiped=fault.wipe,
            evidence=evidence,
            open_transactions=left_open,
            partitions=partitions,
        )

    def _missed(self, fault: PlannedFault, reason: str) -> None:
        self.recorder.record(
            FaultMissed(
                t=self.recorder.now(), fault_id=fault.fault_id, kind=fault.kind, reason=reason
            )
        )

    def _wait_up(self, instance: int) -> None:
        deadline = self.clock() + self.trigger_timeout_s
        while not self.subject.is_up(instance) and self._pause(_TRIGGER_POLL_S):
            if self.clock() >= deadline:
                raise InfrastructureError(
                    f"instance {instance} was not running when the fault was due, "
                    f"nor {self.trigger_timeout_s:g} s after"
                )

    def _wait_working(self, fault: PlannedFault) -> bool:
        """Whether the target was seen to commit; waits for that, bounded."""
        deadline = self.clock() + self.trigger_timeout_s
        work = Work()
        while True:
            owned = self._partitions_of(fault.instance)
            if owned and work.seen(owned, self._committed()):
                self._wait_until(self.clock() + fault.phase_s)
                return True
            if self.clock() >= deadline or not self._pause(_WATCH_POLL_S):
                return False

    def _committed(self) -> dict[int, int]:
        group = self.subject.spec.group
        if self.view is None or group is None:
            return {}
        try:
            return self.view.committed(group, self.input_topic, require_stable=False)
        except EoscheckError:
            return {}  # asked again at the next look

    def _wait_open_transactions(
        self, fault: PlannedFault
    ) -> tuple[list[int] | None, list[OpenTransaction]]:
        """What the target owns, and what is open as soon as each instance that is up has a
        transaction (so the target's is among them); after the time-out, what is open then.

        Ownership is asked for at each look: the group may have moved on while this waited."""
        deadline = self.clock() + self.trigger_timeout_s
        while True:
            owned = self._partitions_of(fault.instance)
            if not fault.open_transaction:
                return owned, []
            found = [each for each in self._ongoing() if mark(each) not in self.orphans]
            up = sum(self.subject.is_up(each) for each in self.subject.instances)
            if len(found) >= up or self.clock() >= deadline or not self._pause(_TRIGGER_POLL_S):
                return owned, found

    def _count_left_open(self, orphans: OrphanWatch, *, until: float) -> int | None:
        """Looks until it is certain, or the heal is due; None where the cluster does not tell."""
        while not orphans.certain:
            next_look = self.clock() + _WATCH_POLL_S
            if next_look >= until or not self._wait_until(next_look):
                break
            try:
                orphans.look(self._ongoing())
            except EoscheckError:
                return None
        self.orphans.update(orphans.left_open)
        return orphans.count()

    def _ongoing(self) -> list[OpenTransaction]:
        assert self.transactions is not None
        return self.transactions.ongoing(self.output_topics)

    def _partitions_of(self, instance: int) -> list[int] | None:
        """Of the input; None where the group cannot tell."""
        spec = self.subject.spec
        if self.view is None:
            return None
        return owned_partitions(
            spec,
            view=self.view,
            topic=self.input_topic,
            client_id=spec.client_id_of(instance, run_id=self.subject.run_id),
        )

    def _wait_until(self, moment: float) -> bool:
        """False where the run was stopped before that."""
        while (left := moment - self.clock()) > 0:
            if not self._pause(min(left, _WATCH_POLL_S)):
                return False
        return not self._over()

    def _pause(self, seconds: float) -> bool:
        if self._over():
            return False
        self.sleep(seconds)
        return True

    def _over(self) -> bool:
        return self.stop.is_set() or self.cancelled.is_set()
