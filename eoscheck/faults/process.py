"""The process family: instances are killed, stopped, paused; with their state kept or wiped.

Its heal is always the same: what was hit runs again (`Subject.heal`).
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.faults.action import Action, DidNotBiteError, Evidence
from eoscheck.faults.scene import Scene
from eoscheck.faults.spec import (
    FaultTable,
    InstanceFault,
    Lane,
    Need,
    PlannedFault,
    SubjectFault,
    of_role,
    role_of,
)
from eoscheck.subject import Role, Subject


class ProcessFault(InstanceFault, frozen=True, kw_only=True):
    """`wipe`: how many of the faults lose their state directory."""

    wipe: int = 0

    family: ClassVar[str] = "process"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.wipe < 0:
            raise UsageError(f"faults.wipe must be 0 or more, not {self.wipe}")

    @property
    def wipes(self) -> int:
        return self.wipe


class Kill(ProcessFault, frozen=True, kw_only=True, tag="kill"):
    """SIGKILL, and started again after `down`."""


class Terminate(ProcessFault, frozen=True, kw_only=True, tag="terminate"):
    """SIGTERM and a clean end, and started again after `down`."""


class Restart(ProcessFault, frozen=True, kw_only=True, tag="restart"):
    """SIGTERM and a clean end, and started again at once."""

    momentary: ClassVar[bool] = True


class Pause(InstanceFault, frozen=True, kw_only=True, tag="pause"):
    """SIGSTOP, and SIGCONT after `down`."""

    family: ClassVar[str] = "process"


class ScaleIn(InstanceFault, frozen=True, kw_only=True, tag="scale-in"):
    """One instance less for `down`: it leaves in order, and comes back."""

    family: ClassVar[str] = "process"


class ScaleOut(SubjectFault, frozen=True, kw_only=True, tag="scale-out"):
    """One instance more for `down`: it joins, and leaves in order."""

    family: ClassVar[str] = "process"
    needs: ClassVar[frozenset[Need]] = frozenset({"spare instance"})

    def choices(self, instances: Sequence[int]) -> Sequence[tuple[Lane, int | None]]:
        return [("spare", None)]


class _EveryInstance(SubjectFault, frozen=True, kw_only=True):
    """None of the instances is hit by others meanwhile."""

    family: ClassVar[str] = "process"

    def choices(self, instances: Sequence[int]) -> Sequence[tuple[Lane, int | None]]:
        return [("instances", None)]

    def also(self, instances: Sequence[int]) -> frozenset[Lane]:
        return frozenset(f"instance {number}" for number in instances)


class Rolling(_EveryInstance, frozen=True, kw_only=True, tag="rolling"):
    """A deployment: one instance after the other is stopped in order, and started again after
    `down`; the next when all share the work again (`subject.group` tells)."""


class Storm(_EveryInstance, frozen=True, kw_only=True, tag="storm"):
    """Rebalances back to back: for `down`, instances leave in order and come back at once, one
    after the other, without a pause for anybody to settle."""


ProcessTable = Kill | Terminate | Restart | Pause | ScaleIn | ScaleOut | Rolling | Storm


@dataclass(frozen=True, kw_only=True)
class _OnInstance:
    subject: Subject
    instance: int
    hit: Callable[[int], Evidence]
    wipe: bool

    @property
    def target(self) -> str:
        return self.subject.called(self.instance)

    def strike(self) -> Evidence:
        evidence = self.hit(self.instance)
        if self.wipe:
            wiped = self.subject.wipe(self.instance)
            if not wiped["wiped_files"]:
                raise InfrastructureError(
                    f"the state directory of {self.target} was empty: nothing to wipe "
                    "(does the command use {state_dir}?)"
                )
            evidence |= wiped
        return evidence

    def heal(self) -> Evidence:
        self.subject.heal(self.instance)
        return {}


@dataclass(frozen=True, kw_only=True)
class _ScaleOut:
    subject: Subject
    spare: int

    @property
    def target(self) -> str:
        return f"{self.subject.called(self.spare)}, one more"

    def strike(self) -> Evidence:
        self.subject.start(self.spare)
        return {"pid": self.subject.pid(self.spare)}

    def heal(self) -> Evidence:
        if not self.subject.is_up(self.spare):
            name = self.subject.called(self.spare)
            raise DidNotBiteError(f"{name} ended by itself before it was to leave")
        return self.subject.terminate(self.spare)


@dataclass(frozen=True, kw_only=True)
class _Rolling:
    scene: Scene
    roles: Sequence[Role]
    down_s: float
    target: str
    sleep: Callable[[float], None] = time.sleep

    def strike(self) -> Evidence:
        """Blocks until all are through."""
        subject, stops = self.scene.subject, []
        for role in self.roles:
            for instance in role.instances:
                stops.append(subject.terminate(instance))
                self.sleep(self.down_s)
                subject.heal(instance)
                if self.scene.view is not None and role.spec.group is not None:
                    subject.wait_ready(view=self.scene.view, role=role)
        return {"stops": stops}

    def heal(self) -> Evidence:
        self.scene.subject.heal_all()
        return {}


@dataclass(frozen=True, kw_only=True)
class _Storm:
    subject: Subject
    instances: Sequence[int]
    down_s: float
    chance: random.Random
    target: str
    clock: Callable[[], float] = time.monotonic

    def strike(self) -> Evidence:
        """Blocks until it is over. Raises InfrastructureError where it was no storm."""
        left: Counter[int] = Counter()
        over_at = self.clock() + self.down_s
        while self.clock() < over_at:
            instance = self.chance.choice(self.instances)
            self.subject.terminate(instance)
            self.subject.heal(instance)
            left[instance] += 1
        if left.total() < 2:
            raise InfrastructureError(
                f"only {left.total()} instances left within {self.down_s:g} s: give the storm a "
                "longer down, or see why the subject stops so slowly"
            )
        return {"left": {str(instance): times for instance, times in sorted(left.items())}}

    def heal(self) -> Evidence:
        self.subject.heal_all()
        return {}


def action(fault: PlannedFault, scene: Scene) -> Action:
    subject = scene.subject
    roles = scene.apps(role_of(fault.table))
    every = of_role("every instance", fault.table)
    match fault.table:
        case ScaleOut():
            return _ScaleOut(
                subject=subject, spare=fault.chance().choice([role.spare for role in roles])
            )
        case Rolling():
            target = f"{every}, one after the other"
            return _Rolling(scene=scene, roles=roles, down_s=fault.down_s, target=target)
        case Storm():
            return _Storm(
                subject=subject,
                instances=[number for role in roles for number in role.instances],
                down_s=fault.down_s,
                chance=fault.chance(),
                target=f"{every}, in any order",
            )
    assert fault.instance is not None
    return _OnInstance(
        subject=subject,
        instance=fault.instance,
        hit=_hit(fault.table, subject),
        wipe=fault.wipe,
    )


def _hit(table: FaultTable, subject: Subject) -> Callable[[int], Evidence]:
    match table:
        case Kill():
            return subject.kill
        case Pause():
            return subject.pause
        case _:
            return subject.terminate
