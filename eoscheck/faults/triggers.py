"""What a fault waits for before it strikes: conditions on the run, looked at again and again."""

from __future__ import annotations

from dataclasses import dataclass

from eoscheck.errors import EoscheckError
from eoscheck.faults.scene import Scene
from eoscheck.faults.spec import Condition
from eoscheck.history.progress import Progress
from eoscheck.history.restores import RestoreStarted
from eoscheck.subject.readiness import STABLE, look_at_group


@dataclass(frozen=True, kw_only=True)
class Look:
    """Whether a condition holds at this moment, and what was seen, in words."""

    scene: Scene
    progress: Progress

    def __call__(self, condition: Condition) -> tuple[bool, str]:
        """A cluster that does not answer shows nothing: it is asked again at the next look."""
        try:
            return self._look(condition)
        except EoscheckError as error:
            return False, str(error)

    def _look(self, condition: Condition) -> tuple[bool, str]:
        match condition.what:
            case "open-transaction":
                assert self.scene.transactions is not None
                found = len(self.scene.transactions.ongoing(self.scene.output_topics))
                return found > 0, f"{found} open transactions"
            case "restoring":
                restoring = self._restoring()
                return bool(restoring), f"restoring: {restoring or 'nothing'}"
            case "rebalancing":
                assert self.scene.view is not None
                _, state = look_at_group(self.scene.view, self.scene.subject.spec.group or "")
                return state != STABLE, f"the group is {state}"
            case "outputs":
                seen = self.progress.outputs
            case "acknowledged":
                seen = self.progress.acknowledged
            case _:
                seen = self._lag()
        return seen >= condition.at_least, f"{seen} {condition.what}"

    def _restoring(self) -> list[str]:
        """Stores whose restore has begun, by what the subject printed, and has not ended."""
        under_way: dict[tuple[int, str, int], str] = {}
        for event in self.scene.subject.restores(since_start=float):
            place = (event.instance, event.store, event.partition)
            if isinstance(event, RestoreStarted):
                under_way[place] = f"instance {event.instance}, {event.store}/{event.partition}"
            else:
                under_way.pop(place, None)
        return sorted(
            words
            for (instance, *_), words in under_way.items()
            if self.scene.subject.is_up(instance)
        )

    def _lag(self) -> int:
        """Acknowledged inputs that the group has not committed."""
        group = self.scene.subject.spec.group
        assert self.scene.view is not None
        assert group is not None
        committed = self.scene.view.committed(group, self.scene.input_topic, require_stable=False)
        return sum(
            max(end - committed.get(partition, 0), 0)
            for partition, end in self.progress.due.items()
        )
