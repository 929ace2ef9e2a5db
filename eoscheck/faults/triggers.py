"""What a fault waits for before it strikes: conditions on the run, looked at again and again."""

from __future__ import annotations

from dataclasses import dataclass, field

from eoscheck.errors import EoscheckError
from eoscheck.faults.scene import Scene
from eoscheck.faults.spec import Condition
from eoscheck.history.progress import Progress
from eoscheck.subject.readiness import STABLE, look_at_group
from eoscheck.subject.restores import RestoresUnderWay


@dataclass(frozen=True, kw_only=True)
class Look:
    """Whether a condition holds at this moment, and what was seen, in words. For one thread; it
    remembers how far it has read what the subject prints."""

    scene: Scene
    progress: Progress
    _followed: dict[int, RestoresUnderWay] = field(default_factory=dict, init=False)

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
        """Restores that have begun, by what the processes that run now printed, and not ended. A
        process that ends ends its restores with it, and the next one prints into another log."""
        subject = self.scene.subject
        found = []
        for instance in (*subject.instances, *subject.spares):
            log = subject.output(instance)
            if log is None or not subject.is_up(instance):
                continue
            followed = self._followed.get(instance)
            if followed is None or followed.log != log:
                followed = self._followed[instance] = RestoresUnderWay(log, instance=instance)
            found += [
                f"instance {instance}, {store}/{partition}"
                for store, partition in sorted(followed.look())
            ]
        return found

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
