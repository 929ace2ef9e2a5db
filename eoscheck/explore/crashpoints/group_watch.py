"""Who works on what: asked of the subject's group while a cell runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

from eoscheck.cluster.view import ClusterView
from eoscheck.errors import EoscheckError
from eoscheck.history.progress import Progress
from eoscheck.subject.readiness import STABLE, look_at_group, owned_partitions
from eoscheck.subject.spec import SubjectSpec

_POLL_S = 0.05


class GroupWatch:
    """Asks the coordinator; what it does not answer is asked again, bounded."""

    def __init__(
        self,
        spec: SubjectSpec,
        *,
        run_id: str,
        view: ClusterView,
        topic: str,
        progress: Progress,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        assert spec.group is not None, "it was asked for"
        self._spec = spec
        self._group = spec.group
        self._run_id = run_id
        self._view = view
        self._topic = topic
        self._progress = progress
        self._clock = clock
        self._sleep = sleep

    def owned(self, instance: int, *, timeout_s: float, stop: Callable[[], bool]) -> list[int]:
        """The input partitions that it works on; empty where the group has not told in time."""
        give_up_at = self._clock() + timeout_s
        while True:
            found = owned_partitions(
                self._spec, view=self._view, topic=self._topic, client_id=self._name(instance)
            )
            if found:
                return found
            if self._clock() >= give_up_at or stop():
                return []
            self._sleep(_POLL_S)

    def wait_taken_over(
        self,
        victim: int,
        partitions: Collection[int],
        *,
        timeout_s: float,
        stop: Callable[[], bool],
    ) -> str:
        """Blocks until others own these partitions (all, where none are named) and have committed
        on each that has input; returns what was still missing after `timeout_s`, else nothing."""
        give_up_at = self._clock() + timeout_s
        before: dict[int, int] | None = None
        wanted: Sequence[int] = sorted(partitions)
        while True:
            try:
                wanted = wanted or self._view.partitions(self._topic)
                if before is None:
                    missing = self._not_owned(victim, wanted)
                    before = None if missing else self.committed()
                if before is not None:
                    behind = self._not_moved(wanted, before)
                    if not behind:
                        return ""
                    missing = f"no other instance commits on partitions {behind}"
            except EoscheckError as error:
                missing = str(error)
            if self._clock() >= give_up_at or stop():
                return missing
            self._sleep(_POLL_S)

    def committed(self) -> dict[int, int]:
        """The group's offsets as they are. Raises InfrastructureError."""
        return self._view.committed(self._group, self._topic, require_stable=False)

    def _not_owned(self, victim: int, wanted: Sequence[int]) -> str:
        members, state = look_at_group(self._view, self._group)
        name = self._name(victim)
        others = [each for each in members if name not in (each.client_id, each.instance_id)]
        owned = {number for each in others for number in each.partitions.get(self._topic, [])}
        left = [number for number in wanted if number not in owned]
        if state != STABLE:
            return f"the group is {state}"
        return f"no other instance owns partitions {left}" if left else ""

    def _not_moved(self, wanted: Sequence[int], before: dict[int, int]) -> list[int]:
        now, due = self.committed(), self._progress.due
        return [n for n in wanted if due.get(n, 0) and now.get(n, 0) <= before.get(n, 0)]

    def _name(self, instance: int) -> str | None:
        return self._spec.client_id_of(instance, run_id=self._run_id)
