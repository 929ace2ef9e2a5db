"""The system under test: N instances of one command, started, watched and stopped together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eoscheck.errors import EoscheckError, InfrastructureError, UsageError
from eoscheck.history import InstanceExited, Recorder
from eoscheck.history.restores import RestoreEvent
from eoscheck.process import Supervisor, tail
from eoscheck.subject.instance import Instance, State
from eoscheck.subject.readiness import wait_ready
from eoscheck.subject.restores import restores_in
from eoscheck.subject.spec import SubjectSpec, invocation

if TYPE_CHECKING:
    from eoscheck.cluster.view import ClusterView


class SubjectExited(InfrastructureError):  # noqa: N818 - it says what happened
    """An instance ended by itself. `last_lines`: the end of what it printed."""

    def __init__(self, *, instance: int, code: int, last_lines: list[str]) -> None:
        self.instance = instance
        self.code = code
        self.last_lines = last_lines
        said = "".join(f"\n  | {line}" for line in last_lines)
        super().__init__(
            f"instance {instance} of the subject exited by itself with code {code}; "
            + (f"its last output:{said}" if said else "it printed nothing")
        )


class Subject:
    """Instances are numbered from 0. Below `folder`, `instances/<n>/` holds the output of each of
    its processes (`attempt-<k>.log`) and its `state/` directory.

    The environment of the processes is ours plus the spec's; it is never recorded. Safe to use
    from several threads. Operations on one instance return evidence (plain data) that they were
    done, and raise InfrastructureError with the reason where they were not.
    """

    def __init__(
        self,
        spec: SubjectSpec,
        *,
        supervisor: Supervisor,
        recorder: Recorder,
        folder: Path,
        run_id: str,
        bootstrap_server: str,
    ) -> None:
        self.spec = spec
        self.run_id = run_id
        self._recorder = recorder
        self._instances = [
            self._make(number, supervisor, folder.absolute(), bootstrap_server)
            for number in range(spec.instances)
        ]

    def _make(
        self, number: int, supervisor: Supervisor, folder: Path, bootstrap_server: str
    ) -> Instance:
        home = folder / "instances" / str(number)
        return Instance(
            number=number,
            invocation=invocation(
                self.spec,
                instance=number,
                bootstrap_server=bootstrap_server,
                state_dir=home / "state",
                run_id=self.run_id,
            ),
            folder=home,
            state_dir=home / "state",
            supervisor=supervisor,
            recorder=self._recorder,
        )

    @property
    def instances(self) -> range:
        return range(len(self._instances))

    def restores(self, *, since_start: Callable[[float], float]) -> Iterator[RestoreEvent]:
        """What the processes printed about their restores (docs/state.md), instance by instance;
        `since_start` turns Unix seconds into the run's time."""
        for instance in self._instances:
            for log in instance.outputs():
                yield from restores_in(log, instance=instance.number, since_start=since_start)

    def state(self, instance: int) -> State:
        return self._at(instance).state

    def is_up(self, instance: int) -> bool:
        """Runs and is not paused."""
        return self.state(instance) is State.UP

    def start(self, instance: int) -> bool:
        """False where it runs already."""
        return self._at(instance).start()

    def start_all(self) -> None:
        for instance in self._instances:
            instance.start()

    def kill(self, instance: int) -> dict[str, Any]:
        return self._at(instance).kill()

    def terminate(self, instance: int) -> dict[str, Any]:
        return self._at(instance).terminate(timeout_s=self.spec.stop_timeout_s)

    def pause(self, instance: int) -> dict[str, Any]:
        return self._at(instance).pause()

    def resume(self, instance: int) -> dict[str, Any]:
        return self._at(instance).resume()

    def wipe(self, instance: int) -> dict[str, Any]:
        """Removes its state directory; only while it is down."""
        return self._at(instance).wipe()

    def state_dir(self, instance: int) -> Path:
        return self._at(instance).state_dir

    def keep_running(self) -> None:
        """From now on, what ends by itself is started again, as an orchestrator would do."""
        for instance in self._instances:
            instance.keep_running()

    def unexpected_exits(self) -> list[InstanceExited]:
        """Exits that we did not cause, in the order of their time."""
        return sorted(self._exits(), key=lambda exited: exited.t)

    def _exits(self) -> Iterator[InstanceExited]:
        for instance in self._instances:
            yield from instance.unexpected

    def raise_if_exited(self) -> None:
        """Raises SubjectExited where an instance ended by itself and does not run again."""
        for exited in self.unexpected_exits():
            instance = self._at(exited.instance)
            if instance.state is State.DOWN:
                raise SubjectExited(
                    instance=exited.instance,
                    code=exited.code,
                    last_lines=tail(instance.output) if instance.output else [],
                )

    def wait_ready(self, *, view: ClusterView, topic: str, timeout_s: float | None = None) -> None:
        """Waits until every instance does its work on `topic`: see `readiness.wait_ready`."""
        wait_ready(
            self.spec,
            view=view,
            topic=topic,
            timeout_s=self.spec.ready_timeout_s if timeout_s is None else timeout_s,
            recorder=self._recorder,
            check=self.raise_if_exited,
        )

    def heal(self, instance: int) -> None:
        """It runs again, whatever was done to it."""
        slot = self._at(instance)
        if slot.state is State.PAUSED:
            slot.resume()
        slot.start()

    def heal_all(self) -> None:
        """Heals every instance, the others too where one cannot be healed; then raises for that."""
        errors: list[EoscheckError] = []
        for instance in self.instances:
            try:
                self.heal(instance)
            except EoscheckError as error:
                errors.append(error)
        if errors:
            raise errors[0]

    def stop_all(self) -> None:
        """Ends every instance, all at the same time: SIGTERM, and SIGKILL for what takes longer
        than the stop time-out. Nothing starts again by itself after that; idempotent."""
        timeout_s = self.spec.stop_timeout_s
        with ThreadPoolExecutor(len(self._instances)) as pool:
            stopping = [pool.submit(each.stop, timeout_s=timeout_s) for each in self._instances]
        for stopped in stopping:
            stopped.result()

    def _at(self, instance: int) -> Instance:
        if not 0 <= instance < len(self._instances):
            raise UsageError(
                f"there is no instance {instance}: the subject has {len(self._instances)}, "
                "numbered from 0 (subject.instances)"
            )
        return self._instances[instance]
