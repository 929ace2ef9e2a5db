"""The process family: instances are killed, stopped, paused; with their state kept or wiped.

Its heal is always the same: what was hit runs again (`Subject.heal`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.faults.action import Action, Evidence
from eoscheck.faults.scene import Scene
from eoscheck.faults.spec import FaultTable, InstanceFault, PlannedFault
from eoscheck.subject import Subject


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


ProcessTable = Kill | Terminate | Restart | Pause


@dataclass(frozen=True, kw_only=True)
class _OnInstance:
    subject: Subject
    instance: int
    hit: Callable[[int], Evidence]
    wipe: bool

    @property
    def target(self) -> str:
        return f"instance {self.instance}"

    def strike(self) -> Evidence:
        evidence = self.hit(self.instance)
        if self.wipe:
            wiped = self.subject.wipe(self.instance)
            if not wiped["wiped_files"]:
                raise InfrastructureError(
                    f"the state directory of instance {self.instance} was empty: nothing to wipe "
                    "(does the command use {state_dir}?)"
                )
            evidence |= wiped
        return evidence

    def heal(self) -> Evidence:
        self.subject.heal(self.instance)
        return {}


def action(fault: PlannedFault, scene: Scene) -> Action:
    subject = scene.subject
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
