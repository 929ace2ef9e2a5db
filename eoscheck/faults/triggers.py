"""What a fault waits for before it strikes: conditions on the run, looked at again and again."""

from __future__ import annotations

from dataclasses import dataclass, field

from eoscheck.errors import EoscheckError
from eoscheck.faults.scene import Scene
from eoscheck.faults.spec import Condition
from eoscheck.history.progress import Progress
from eoscheck.subject import Role
from eoscheck.subject.readiness import STABLE, look_at_group
from eoscheck.subject.restores import RestoresUnderWay


@dataclass(frozen=True, kw_only=True)
class Look:
    """Whether a condition holds at this moment, and what was seen, in words. For one thread; it
    remembers how far it has read what the subject prints."""

    scene: Scene
    progress: Progress
    _followed: dict[int, RestoresUnderWay] = field(default_factory=dict, init=False)

    def __call__(self, condition: Condition, *, role: str | None = None) -> tuple[bool, str]:
        """Of that app, where the subject is several. A cluster that does not answer shows nothing:
        it is asked again at the next look."""
        try:
            return self._look(condition, role)
        except EoscheckError as error:
            return False, str(error)

    def _look(self, condition: Condition, role: str | None) -> tuple[bool, str]:
        match condition.what:
            case "open-transaction":
                assert self.scene.transactions is not None
                found = len(self.scene.transactions.ongoing(self.scene.outputs(role)))
                return found > 0, f"{found} open transactions"
            case "restoring":
                restoring = self._restoring(role)
                return bool(restoring), f"restoring: {restoring or 'nothing'}"
            case "rebalancing":
                states = self._states(role)
                moved = [state for state in states if state != STABLE]
                return bool(moved), f"the group is {(moved or states)[0]}"
            case "outputs":
                seen = self.progress.outputs
            case "acknowledged":
                seen = self.progress.acknowledged
            case _:
                seen = sum(self._lag(app) for app in self.scene.apps(role))
        return seen >= condition.at_least, f"{seen} {condition.what}"

    def _states(self, role: str | None) -> list[str]:
        view = self.scene.view
        assert view is not None
        groups = [app.spec.group for app in self.scene.apps(role) if app.spec.group]
        return [look_at_group(view, group)[1] for group in groups]

    def _restoring(self, role: str | None) -> list[str]:
        """Restores that have begun, by what the processes that run now printed, and not ended. A
        process that ends ends its restores with it, and the next one prints into another log."""
        subject = self.scene.subject
        found = []
        wanted = self.scene.instances(role)
        for instance in (*subject.instances, *subject.spares):
            if wanted is not None and instance not in wanted:
                continue
            log = subject.output(instance)
            if log is None or not subject.is_up(instance):
                continue
            followed = self._followed.get(instance)
            if followed is None or followed.log != log:
                followed = self._followed[instance] = RestoresUnderWay(log, instance=instance)
            found += [
                f"{subject.called(instance)}, {store}/{partition}"
                for store, partition in sorted(followed.look())
            ]
        return found

    def _lag(self, app: Role) -> int:
        """What the app could read and has not committed: of the load, what is acknowledged."""
        view, group = self.scene.view, app.spec.group
        assert view is not None
        if group is None:
            return 0
        committed = view.committed(group, app.input, require_stable=False)
        first = app.input == self.scene.subject.roles[0].input
        ends = self.progress.due if first else view.last_stable_offsets(app.input)
        return sum(max(end - committed.get(part, 0), 0) for part, end in ends.items())
