"""When a subject does its work: seen from outside, on its consumer group."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from eoscheck.errors import EoscheckError, InfrastructureError, UsageError
from eoscheck.history import InstanceReady, Recorder
from eoscheck.subject.role import Role
from eoscheck.subject.spec import SubjectSpec

if TYPE_CHECKING:
    from eoscheck.cluster import ClusterView, Member

_POLL_S = 0.1

STABLE = "stable"
"""The state of a group that is not rebalancing, as `ClusterView.group_state` names it."""


def wait_ready(
    role: Role,
    *,
    view: ClusterView,
    timeout_s: float,
    recorder: Recorder,
    check: Callable[[], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Waits until the group is stable with a member for each instance and every partition of the
    input assigned, and records InstanceReady for each instance. A question that the cluster does
    not answer (a coordinator that moves) is asked again.

    Without a group nothing can be seen from outside before outputs come: then it is enough that
    the processes run. `check` raises where waiting has become pointless (an instance ended).
    Raises InfrastructureError after `timeout_s`, with what was still missing.
    """
    deadline = clock() + timeout_s
    while True:
        check()
        try:
            ready, seen = _look(role.spec, view=view, topic=role.input)
        except InfrastructureError as error:
            ready, seen = False, str(error)
        if ready:
            break
        if clock() >= deadline:
            raise InfrastructureError(
                f"{role.name or 'the subject'} is not ready after {timeout_s:g} s: {seen}; "
                "see its output in the run's folder, or raise subject.ready_timeout"
            )
        sleep(_POLL_S)
    for instance in role.instances:
        recorder.record(InstanceReady(t=recorder.now(), instance=instance, evidence=seen))


def _look(spec: SubjectSpec, *, view: ClusterView, topic: str) -> tuple[bool, str]:
    """Whether it is ready, and what was seen, in words."""
    if spec.group is None:
        return True, "its process runs: without subject.group nothing more can be seen"
    members, state = look_at_group(view, spec.group)
    wanted = set(view.partitions(topic))
    assigned = wanted & {n for member in members for n in member.partitions.get(topic, [])}
    seen = (
        f"group {spec.group} is {state} with {len(members)} members for {spec.instances} "
        f"instances, and {len(assigned)} of the {len(wanted)} partitions of {topic} are assigned"
    )
    ready = state == STABLE and len(members) >= spec.instances and assigned == wanted
    return ready, seen


def look_at_group(view: ClusterView, group: str) -> tuple[list[Member], str]:
    """Its members and, asked after them, its state.

    In that order: a group that is stable *after* its members were counted has shared out its
    partitions among them; before that, some are still told with what they had before the rebalance.
    """
    try:
        return view.group_members(group), view.group_state(group)
    except UsageError:
        return [], "not there yet"  # as it is before the first member joins


def owned_partitions(
    spec: SubjectSpec, *, view: ClusterView, topic: str, client_id: str | None
) -> list[int] | None:
    """Partitions of `topic` that the member with this client id (or group instance id) owns; None
    where the group cannot tell: it has no such member, or is between two assignments."""
    if spec.group is None or client_id is None:
        return None
    try:
        members, state = look_at_group(view, spec.group)
    except EoscheckError:
        return None  # a broker that is away keeps nobody from going on
    own = [each for each in members if client_id in (each.client_id, each.instance_id)]
    if not own or state != STABLE:
        return None
    return sorted(number for each in own for number in each.partitions.get(topic, []))


class Work:
    """Whether one process is seen to work: a partition that it owns is committed further than when
    it was first seen to own it. Owning alone does not show it: a static member owns its partitions
    while its process still starts."""

    def __init__(self) -> None:
        self._first: dict[int, int] = {}

    def seen(self, owned: Iterable[int], committed: Mapping[int, int]) -> bool:
        """One more look: what it owns, and the group's committed offsets at that moment."""
        return any(
            committed.get(partition, 0)
            > self._first.setdefault(partition, committed.get(partition, 0))
            for partition in owned
        )
