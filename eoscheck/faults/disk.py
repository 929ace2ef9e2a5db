"""The disk family: what may happen to an instance's state directory, mostly while it is down.

An exactly-once app may trust nothing there that its changelogs or its cluster do not confirm. Each
fault leaves evidence from the file system itself, and is missed where nothing has changed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import ClassVar, Literal

from eoscheck.durations import parse_duration
from eoscheck.errors import UsageError
from eoscheck.faults.action import Action, Evidence
from eoscheck.faults.scene import Scene
from eoscheck.faults.spec import FaultTable, InstanceFault, PlannedFault
from eoscheck.subject import state_files

MB = 1 << 20


class DownFault(InstanceFault, frozen=True, kw_only=True):
    """`stop`: how the instance ends before its directory is touched: as by a crash (`kill`) or
    cleanly (`terminate`). It is started again after `down`."""

    stop: Literal["kill", "terminate"] = "kill"

    family: ClassVar[str] = "disk"


class StateWipe(DownFault, frozen=True, kw_only=True, tag="state-wipe"):
    """Everything in the state directory is removed."""


class StateTruncated(DownFault, frozen=True, kw_only=True, tag="state-truncated"):
    """The largest file that matches `files` loses its second half."""

    files: str = "*.sst"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_pattern(self.files)


class OlderFault(DownFault, frozen=True, kw_only=True):
    """A copy of the state directory is kept, as a crash at that moment would leave it; the instance
    works on for `age` and is stopped. `down` counts from the copy on."""

    down: str | tuple[str, str] = "4s"
    age: str = "3s"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.age_s < self.down_s[0]:
            raise UsageError(
                f"faults.age must be above 0 and below faults.down, not {self.age!r}: "
                "down counts from when the copy is kept"
            )

    @property
    def age_s(self) -> float:
        return parse_duration(self.age, what="faults.age")


class StateOldCopy(OlderFault, frozen=True, kw_only=True, tag="state-old-copy"):
    """It finds the copy in place of what it wrote since."""


class StateStaleCheckpoint(OlderFault, frozen=True, kw_only=True, tag="state-stale-checkpoint"):
    """It finds the copies of the files that match `files` beside the newer others, or, with
    `others = "wiped"`, beside nothing."""

    files: str = "*checkpoint*"
    others: Literal["kept", "wiped"] = "kept"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_pattern(self.files)


class VolumeFault(InstanceFault, frozen=True, kw_only=True):
    """`size`: of the file system that each instance's state directory is then on, from the start of
    the run; in MB. Linux, as root."""

    size: str = "64MB"

    family: ClassVar[str] = "disk"

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.size_bytes

    @property
    def size_bytes(self) -> int:
        return parse_megabytes(self.size, what="faults.size")


class StateFull(VolumeFault, frozen=True, kw_only=True, tag="state-full"):
    """While the instance works, nothing more fits on its disk, until the heal."""


class StateReadOnly(VolumeFault, frozen=True, kw_only=True, tag="state-read-only"):
    """The instance is killed and started again at once, on a disk that came up read-only; at the
    heal it can be written to, and the instance is started again where it had given up."""


DiskTable = (
    StateWipe | StateTruncated | StateOldCopy | StateStaleCheckpoint | StateFull | StateReadOnly
)


def volume_bytes(tables: Iterable[FaultTable]) -> int | None:
    """How large a volume each state directory needs; None: it needs none."""
    sizes = [table.size_bytes for table in tables if isinstance(table, VolumeFault)]
    return max(sizes, default=None)


def parse_megabytes(text: str, *, what: str) -> int:
    """`"64MB"` as bytes. Raises UsageError."""
    number = text.removesuffix("MB").strip()
    if not text.endswith("MB") or not number.isdecimal() or int(number) < 1:
        raise UsageError(f'{what} is a size in MB, as in "64MB", not {text!r}')
    return int(number) * MB


def action(fault: PlannedFault, scene: Scene) -> Action:
    match fault.table:
        case StateWipe() as table:
            return _WhileDown(fault, scene, table=table, change=state_files.wipe)
        case StateTruncated() as table:
            change = partial(state_files.truncate, pattern=table.files)
            return _WhileDown(fault, scene, table=table, change=change)
        case OlderFault() as table:
            return _Older(fault, scene, table=table)
        case StateFull():
            return _Full(fault, scene)
        case StateReadOnly():
            return _ReadOnly(fault, scene)
        case other:
            raise AssertionError(f"{other!r} is no fault of a disk")


class _OnInstance:
    """The heal of all of them: whatever ended by it runs again."""

    def __init__(self, fault: PlannedFault, scene: Scene) -> None:
        assert fault.instance is not None
        self._subject = scene.subject
        self._instance = fault.instance

    @property
    def target(self) -> str:
        return self._subject.called(self._instance)

    def heal(self) -> Evidence:
        self._subject.heal(self._instance)
        return {}


class _WhileDown(_OnInstance):
    """Stops the instance and changes its state directory by `change`."""

    def __init__(
        self,
        fault: PlannedFault,
        scene: Scene,
        *,
        table: DownFault,
        change: Callable[[Path], Evidence],
    ) -> None:
        super().__init__(fault, scene)
        self._table = table
        self._change = change

    def strike(self) -> Evidence:
        stop = self._subject.kill if self._table.stop == "kill" else self._subject.terminate
        return stop(self._instance) | self._subject.while_down(self._instance, self._change)


class _Older(_WhileDown):
    """Keeps a copy of the state directory at work, and uses it some time later."""

    def __init__(self, fault: PlannedFault, scene: Scene, *, table: OlderFault) -> None:
        super().__init__(fault, scene, table=table, change=self._use_copy)
        self._older = table
        self._copy = Path()

    def strike(self) -> Evidence:
        self._copy, kept = self._subject.snapshot(self._instance)
        # The one thing to wait for is that the copy gets older.
        time.sleep(self._older.age_s)
        return kept | super().strike()

    def _use_copy(self, state: Path) -> Evidence:
        if isinstance(self._older, StateStaleCheckpoint):
            return state_files.put_stale(
                state,
                self._copy,
                pattern=self._older.files,
                wiped=self._older.others == "wiped",
            )
        return state_files.put_back(state, self._copy)


class _Full(_OnInstance):
    def strike(self) -> Evidence:
        return self._subject.volume(self._instance).fill()

    def heal(self) -> Evidence:
        evidence = self._subject.volume(self._instance).empty()
        super().heal()
        return evidence


class _ReadOnly(_OnInstance):
    def strike(self) -> Evidence:
        evidence = self._subject.kill(self._instance)
        volume = self._subject.volume(self._instance)
        evidence |= self._subject.while_down(self._instance, lambda _: volume.set_read_only(True))
        self._subject.start(self._instance)
        return evidence

    def heal(self) -> Evidence:
        evidence = self._subject.volume(self._instance).set_read_only(False)
        super().heal()
        return evidence


def _check_pattern(files: str) -> None:
    if not files or files.startswith("/") or ".." in Path(files).parts:
        raise UsageError(
            f'faults.files is a pattern of names in the state directory, as in "*.sst", '
            f"not {files!r}"
        )
