"""The identity family: two that claim to be one, and one that does not know it was replaced."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.faults.action import Action, DidNotBiteError, Evidence
from eoscheck.faults.orphans import Mark, mark
from eoscheck.faults.scene import Scene
from eoscheck.faults.spec import InstanceFault, PlannedFault
from eoscheck.subject.subject import TwinState

if TYPE_CHECKING:
    from eoscheck.subject.twin import Twin

SEEN_TIMEOUT_S = 20.0
"""How long a twin may take to show up in the group."""
_POLL_S = 0.1


class TwinFault(InstanceFault, frozen=True, kw_only=True, tag="twin"):
    """A second process with the instance's command and ids runs beside it for `down`.

    `state`: the twin's state directory is a `copy` of the instance's (a cloned machine), the
    `shared` one itself, or `fresh`. An app whose transactional id comes from its state directory
    has the same one only with a copy.
    """

    state: TwinState = "copy"

    family: ClassVar[str] = "identity"


class Zombie(InstanceFault, frozen=True, kw_only=True, tag="zombie"):
    """Paused beyond its session *and* its transaction's time-out, and woken: it has been replaced
    and its transaction aborted, and it does not know. `down` must be longer than both; where one
    had not passed by the heal, the fault is missed."""

    family: ClassVar[str] = "identity"

    def check(self, *, instances: Sequence[int], session_timeout_s: float) -> None:
        super().check(instances=instances, session_timeout_s=session_timeout_s)
        if self.down_s[0] <= session_timeout_s:
            raise UsageError(
                f"faults.down is {self.down_s[0]:g} s: a zombie must be paused for longer than the "
                f"session time-out of {session_timeout_s:g} s, and than its transaction's time-out"
            )


IdentityTable = TwinFault | Zombie


def action(fault: PlannedFault, scene: Scene) -> Action:
    match fault.table:
        case TwinFault() as table:
            return _Twin(fault, scene, table=table)
        case Zombie():
            return _Zombie(fault, scene)
        case other:
            raise AssertionError(f"{other!r} is no fault of an identity")


class _OnInstance:
    def __init__(self, fault: PlannedFault, scene: Scene) -> None:
        assert fault.instance is not None
        self._scene = scene
        self._subject = scene.subject
        self._instance = fault.instance

    @property
    def target(self) -> str:
        return self._subject.called(self._instance)

    def _members(self) -> set[str]:
        """Ids of the group's members; none where there is no group to look at."""
        view, group = self._scene.view, self._subject.role_of(self._instance).spec.group
        if view is None or group is None:
            return set()
        return {member.member_id for member in view.group_members(group)}


class _Twin(_OnInstance):
    def __init__(self, fault: PlannedFault, scene: Scene, *, table: TwinFault) -> None:
        super().__init__(fault, scene)
        self._state = table.state
        self._twin: Twin | None = None

    def strike(self) -> Evidence:
        before = self._members()
        self._twin = self._subject.start_twin(self._instance, state=self._state)
        evidence: Evidence = {"twin_pid": self._twin.pid}
        return evidence | (self._seen(self._twin, before) if before else {})

    def _seen(self, twin: Twin, before: set[str]) -> Evidence:
        """Waits until the group has a member that it had not: the twin, or the instance itself,
        which has joined again because of it."""
        began = time.monotonic()
        while not (joined := self._members() - before):
            twin.raise_if_ended()
            if time.monotonic() - began > SEEN_TIMEOUT_S:
                raise InfrastructureError(
                    f"the twin (pid {twin.pid}) did not join the group within {SEEN_TIMEOUT_S:g} s"
                )
            time.sleep(_POLL_S)
        return {
            "members_before": sorted(before),
            "members_new": sorted(joined),
            "seen_after_s": round(time.monotonic() - began, 3),
        }

    def heal(self) -> Evidence:
        evidence = self._twin.end() if self._twin is not None else {}
        self._subject.heal(self._instance)
        return evidence


class _Zombie(_OnInstance):
    def __init__(self, fault: PlannedFault, scene: Scene) -> None:
        super().__init__(fault, scene)
        self._members_before: set[str] = set()
        self._open_before: set[Mark] = set()
        self._paused = False

    def strike(self) -> Evidence:
        self._members_before = self._members()
        evidence = self._subject.pause(self._instance)
        self._paused = True
        # What stands open now: the zombie's, which it cannot end any more, and those of others.
        self._open_before = self._open()
        return evidence | {"open_when_paused": sorted(name for name, _, _ in self._open_before)}

    def heal(self) -> Evidence:
        try:
            return self._outlived() if self._paused else {}
        finally:
            self._paused = False
            self._subject.heal(self._instance)

    def _outlived(self) -> Evidence:
        """Before it wakes. Raises DidNotBiteError where it is no zombie yet."""
        still_open = self._open_before & self._open()
        if still_open:
            names = ", ".join(sorted(name for name, _, _ in still_open))
            raise DidNotBiteError(
                f"{self.target} was woken before the transaction that was open when it was paused "
                f"had timed out ({names}): make `down` longer than the transaction's time-out"
            )
        members = self._members()
        if self._members_before and not self._members_before - members:
            raise DidNotBiteError(
                f"{self.target} was woken before it had lost its place in the group: "
                "make `down` longer than the session's time-out"
            )
        return {"members_gone": sorted(self._members_before - members)}

    def _open(self) -> set[Mark]:
        transactions = self._scene.transactions
        if transactions is None:
            return set()
        written = self._subject.role_of(self._instance).output
        return {mark(each) for each in transactions.ongoing([written])}
