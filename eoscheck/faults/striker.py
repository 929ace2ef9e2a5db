"""The life of one fault: what it waits for, the strike with its evidence, the heal."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from eoscheck.errors import EoscheckError, InfrastructureError
from eoscheck.faults.action import Action, DidNotBiteError, Evidence, Triggered
from eoscheck.faults.orphans import Mark, OrphanWatch, mark
from eoscheck.faults.process import Kill
from eoscheck.faults.scene import Scene
from eoscheck.faults.spec import PlannedFault, role_of
from eoscheck.faults.triggers import Look
from eoscheck.history import FaultHealed, FaultInjected, FaultMissed, Recorder
from eoscheck.history.progress import Progress
from eoscheck.subject import Role
from eoscheck.subject.readiness import Work, owned_partitions

if TYPE_CHECKING:
    from eoscheck.cluster.transactions import OpenTransaction

_TRIGGER_POLL_S = 0.01
_WATCH_POLL_S = 0.05
_ON_ITS_WAY_S = 0.1
_STILL_S = 0.3
"""How long a target stands still at most before it is killed: far below any session time-out, and
longer than the others take from one transaction to the next."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Time as the faults of one run have it, and whether that run is over."""

    stop: threading.Event
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    cancelled: threading.Event = field(default_factory=threading.Event)

    def over(self) -> bool:
        return self.stop.is_set() or self.cancelled.is_set()

    def pause(self, seconds: float) -> bool:
        """False where the run is over."""
        if self.over():
            return False
        self.sleep(seconds)
        return True

    def wait_until(self, moment: float) -> bool:
        """False where the run was over before that."""
        while (left := moment - self.clock()) > 0:
            if not self.pause(min(left, _WATCH_POLL_S)):
                return False
        return not self.over()


@dataclass(frozen=True, kw_only=True)
class _AtWork:
    """One look: transactions that somebody works in, how many instances were up beside the fault's
    target (`others`), and whether those and the target have one each. One transactional producer an
    instance is assumed."""

    transactions: list[OpenTransaction] = field(default_factory=list)
    others: int = 0
    all_have_one: bool = False


@dataclass(frozen=True, kw_only=True)
class Striker:
    """What the faults of one run share. Only `orphans` ever changes."""

    scene: Scene
    recorder: Recorder
    progress: Progress
    pace: Pace
    trigger_timeout_s: float
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock)
    """Held while an instance is struck: what one leaves open must not be taken for another's."""
    asking: threading.Lock = field(default_factory=threading.Lock)
    """The view of the transactions answers one thread at a time."""
    orphans: set[Mark] = field(default_factory=set)
    """Left open by earlier faults: nobody works in them, whoever waits for an open one."""

    def run(
        self, fault: PlannedFault, action: Action, struck: Callable[[PlannedFault, float], None]
    ) -> None:
        """One fault, from its triggers to its heal."""
        try:
            heal_at = self._fire(fault, action, struck)
        except EoscheckError as error:
            with suppress(DidNotBiteError):  # that is known
                action.heal()
            self.missed(fault, str(error))
            return
        except BaseException:
            action.heal()
            raise
        left_s = heal_at - self.pace.clock()
        if not (
            isinstance(action, Triggered)
            and action.wait_over(timeout_s=left_s, stop=self.pace.over)
        ):
            self.pace.wait_until(heal_at)
        self._heal(fault, action)

    def _fire(
        self, fault: PlannedFault, action: Action, struck: Callable[[PlannedFault, float], None]
    ) -> float:
        """When the heal is due."""
        if isinstance(action, Triggered):
            return self._lie_in_wait(fault, action, struck)
        subject = self.scene.subject
        self._wait_up(fault.instance)
        with nullcontext() if fault.instance is None else self.one_at_a_time:
            for other in subject.instances if fault.alone else ():
                self._wait_up(other)
            self._wait_condition(fault)
            if self.pace.over():
                raise InfrastructureError("the run was stopped before it was due")
            heal_at, injected = self._strike(fault, action, struck)
            self.recorder.record(injected)
            if fault.alone:
                self.pace.wait_until(heal_at)
        return heal_at

    def _lie_in_wait(
        self, fault: PlannedFault, action: Triggered, struck: Callable[[PlannedFault, float], None]
    ) -> float:
        """When the heal is due. Meanwhile others may strike, and the instance may be down: what is
        waited for may be done by its restart."""
        self._wait_condition(fault)
        hit = action.wait_struck(timeout_s=fault.table.within_s, stop=self.pace.over)
        heal_at, injected = self._strike(fault, action, struck)
        self.recorder.record(
            msgspec.structs.replace(
                injected,
                t=self.recorder.since_start(hit.at),
                instance=hit.instance,
                open_transactions=self._left_open(hit.transactional_id),
            )
        )
        return heal_at

    def _left_open(self, transactional_id: str | None) -> int | None:
        """Whether the transaction of one that is dead goes on, whatever it touched; None where
        nobody can tell."""
        if transactional_id is None or self.scene.transactions is None:
            return None
        try:
            with self.asking:
                found = self.scene.transactions.ongoing(None)
        except EoscheckError:
            return None
        return sum(each.transactional_id == transactional_id for each in found)

    def _strike(
        self, fault: PlannedFault, action: Action, struck: Callable[[PlannedFault, float], None]
    ) -> tuple[float, FaultInjected]:
        """When the heal is due, and what happened, told as soon as that is certain."""
        worked = self._wait_working(fault) if fault.working else False
        partitions, before = self._wait_open_transactions(fault)
        heal_at, t = self.pace.clock() + fault.down_s, self.recorder.now()
        struck(fault, self.pace.clock())  # before, for some go on for seconds
        evidence = action.strike()
        if fault.working:
            evidence["worked"] = worked
        left_open = None
        if fault.open_transaction:
            orphans = OrphanWatch(before.transactions, others=before.others)
            assert fault.instance is not None
            app = self.scene.subject.role_of(fault.instance)
            left_open = self._count_left_open(orphans, app, until=heal_at)
            evidence |= orphans.evidence()
        return heal_at, FaultInjected(
            t=t,
            fault_id=fault.fault_id,
            kind=fault.kind,
            instance=fault.instance,
            target=action.target,
            down_s=fault.down_s,
            outlasts_session=fault.outlasts_session,
            wiped=fault.wipe,
            evidence=evidence,
            open_transactions=left_open,
            partitions=partitions,
        )

    def _heal(self, fault: PlannedFault, action: Action) -> None:
        evidence: Evidence = {}
        try:
            evidence = action.heal()
        except DidNotBiteError as error:
            self.missed(fault, str(error))
        self.recorder.record(
            FaultHealed(
                t=self.recorder.now(),
                fault_id=fault.fault_id,
                kind=fault.kind,
                instance=fault.instance,
                evidence=evidence,
            )
        )

    def missed(self, fault: PlannedFault, reason: str) -> None:
        self.recorder.record(
            FaultMissed(
                t=self.recorder.now(), fault_id=fault.fault_id, kind=fault.kind, reason=reason
            )
        )

    def _wait_up(self, instance: int | None) -> None:
        if instance is None:
            return
        deadline = self.pace.clock() + self.trigger_timeout_s
        while not self.scene.subject.is_up(instance) and self.pace.pause(_TRIGGER_POLL_S):
            if self.pace.clock() >= deadline:
                raise InfrastructureError(
                    f"{self.scene.subject.called(instance)} was not running when the fault was "
                    f"due, nor {self.trigger_timeout_s:g} s after"
                )

    def _wait_condition(self, fault: PlannedFault) -> None:
        condition = fault.table.condition
        if condition is None:
            return
        look = Look(scene=self.scene, progress=self.progress)
        deadline = self.pace.clock() + fault.table.within_s
        while True:
            with self.asking:
                held, seen = look(condition, role=role_of(fault.table))
            if held:
                return
            if self.pace.clock() >= deadline or not self.pace.pause(_TRIGGER_POLL_S):
                raise InfrastructureError(
                    f"faults.when = {fault.table.when!r} did not come true within "
                    f"{fault.table.within_s:g} s: the last look saw {seen}"
                )

    def _wait_working(self, fault: PlannedFault) -> bool:
        """Whether the target was seen to commit; waits for that, bounded."""
        assert fault.instance is not None
        deadline = self.pace.clock() + self.trigger_timeout_s
        work = Work()
        app = self.scene.subject.role_of(fault.instance)
        while True:
            owned = self._partitions_of(fault.instance)
            if owned and work.seen(owned, self._committed(app)):
                self.pace.wait_until(self.pace.clock() + fault.phase_s)
                return True
            if self.pace.clock() >= deadline or not self.pace.pause(_WATCH_POLL_S):
                return False

    def _committed(self, app: Role) -> dict[int, int]:
        view, group = self.scene.view, app.spec.group
        if view is None or group is None:
            return {}
        try:
            return view.committed(group, app.input, require_stable=False)
        except EoscheckError:
            return {}  # asked again at the next look

    def _wait_open_transactions(self, fault: PlannedFault) -> tuple[list[int] | None, _AtWork]:
        """What the target owns, and what is open as soon as each instance that is up has a
        transaction (so the target's is among them); after the time-out, what is open then.

        Ownership is asked for at each look: the group may have moved on while this waited."""
        deadline = self.pace.clock() + self.trigger_timeout_s
        while True:
            owned = self._load_partitions_of(fault.instance)
            if not fault.open_transaction:
                return owned, _AtWork()
            found = self._at_work(fault)
            if found.all_have_one:
                if not isinstance(fault.table, Kill):
                    return owned, found
                held = self._hold_open(fault)
                if held is not None:
                    return owned, held
            if self.pace.clock() >= deadline or not self.pace.pause(_TRIGGER_POLL_S):
                return owned, found

    def _hold_open(self, fault: PlannedFault) -> _AtWork | None:
        """What was seen open might be committed before a SIGKILL comes. So the target is stopped
        first, and cannot end its own any more: what is open then, as soon as it and each instance
        that is up have one. None where that does not come; it goes on then."""
        assert fault.instance is not None
        self.scene.subject.pause(fault.instance)
        # A commit that is on its way to the broker still counts: nobody can see it pass.
        self.pace.wait_until(self.pace.clock() + _ON_ITS_WAY_S)
        give_up_at = self.pace.clock() + _STILL_S
        while not (found := self._at_work(fault)).all_have_one:
            if self.pace.clock() >= give_up_at or not self.pace.pause(_TRIGGER_POLL_S):
                self.scene.subject.resume(fault.instance)
                return None
        return found

    def _at_work(self, fault: PlannedFault) -> _AtWork:
        """What is open, less what earlier faults left open, and who else may work in it.

        Those are counted after the look: what starts later has no part in what was seen."""
        assert fault.instance is not None
        subject = self.scene.subject
        app = subject.role_of(fault.instance)
        found = [each for each in self._ongoing(app) if mark(each) not in self.orphans]
        others = sum(subject.is_up(each) for each in app.instances if each != fault.instance)
        return _AtWork(transactions=found, others=others, all_have_one=len(found) > others)

    def _count_left_open(self, orphans: OrphanWatch, app: Role, *, until: float) -> int | None:
        """Looks until it is certain, or the heal is due; None where the cluster does not tell."""
        while not orphans.certain:
            next_look = self.pace.clock() + _WATCH_POLL_S
            if next_look >= until or not self.pace.wait_until(next_look):
                break
            try:
                orphans.look(self._ongoing(app))
            except EoscheckError:
                return None
        self.orphans.update(orphans.left_open)
        return orphans.count()

    def _ongoing(self, app: Role) -> list[OpenTransaction]:
        assert self.scene.transactions is not None
        with self.asking:
            return self.scene.transactions.ongoing([app.output])

    def _load_partitions_of(self, instance: int | None) -> list[int] | None:
        """Of the load's topic; None where the group cannot tell, another topic is read, or the
        fault is not one instance's."""
        if instance is None:
            return None
        subject = self.scene.subject
        first, own = subject.roles[0], subject.role_of(instance)
        return self._partitions_of(instance) if own.input == first.input else None

    def _partitions_of(self, instance: int) -> list[int] | None:
        """Of its input; None where the group cannot tell."""
        if self.scene.view is None:
            return None
        subject = self.scene.subject
        app = subject.role_of(instance)
        return owned_partitions(
            app.spec,
            view=self.scene.view,
            topic=app.input,
            client_id=app.spec.client_id_of(instance, run_id=subject.run_id),
        )
