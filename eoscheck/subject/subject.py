"""The system under test: instances of one app, or of several, started, watched and stopped."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from eoscheck.errors import EoscheckError, InfrastructureError, UsageError
from eoscheck.history import InstanceExited, Recorder
from eoscheck.history.restores import RestoreEvent
from eoscheck.process import Supervisor, tail
from eoscheck.process.volume import Volume
from eoscheck.subject.clock import Clock
from eoscheck.subject.instance import Instance, State
from eoscheck.subject.readiness import wait_ready
from eoscheck.subject.restores import restores_in
from eoscheck.subject.role import Role, one_app
from eoscheck.subject.spec import Invocation, SubjectSpec, invocation
from eoscheck.subject.twin import Twin

if TYPE_CHECKING:
    from eoscheck.cluster.view import ClusterView


T = TypeVar("T")
TwinState = Literal["copy", "shared", "fresh"]


class SubjectExited(InfrastructureError):  # noqa: N818 - it says what happened
    """An instance ended by itself. `last_lines`: the end of what it printed."""

    def __init__(
        self, *, instance: int, code: int, last_lines: list[str], name: str | None = None
    ) -> None:
        self.instance = instance
        self.code = code
        self.last_lines = last_lines
        said = "".join(f"\n  | {line}" for line in last_lines)
        super().__init__(
            f"{name or f'instance {instance}'} of the subject exited by itself with code {code}; "
            + (f"its last output:{said}" if said else "it printed nothing")
        )


class Subject:
    """`apps`: what it consists of; of an only one, the spec will do. Their instances come first,
    and after all of them a spare of each, where there are `spares`; `bootstrap_for` tells each
    instance's bootstrap servers. Below `folder`, `instances/<n>/` holds the output of each of its
    processes (`attempt-<k>.log`) and its `state/` directory.

    The environment of the processes is ours plus the spec's; it is never recorded. Safe to use
    from several threads. Operations on one instance return evidence (plain data) that they were
    done, and raise InfrastructureError with the reason where they were not.
    """

    def __init__(
        self,
        apps: SubjectSpec | Sequence[Role],
        *,
        supervisor: Supervisor,
        recorder: Recorder,
        folder: Path,
        run_id: str,
        bootstrap_for: Callable[[int], str],
        spares: bool = False,
    ) -> None:
        self.roles = (one_app(apps),) if isinstance(apps, SubjectSpec) else tuple(apps)
        self.run_id = run_id
        self._supervisor = supervisor
        self._recorder = recorder
        self._homes = folder.absolute() / "instances"
        self._bootstrap_for = bootstrap_for
        running = sum(len(role.instances) for role in self.roles)
        self.instances = range(running)
        """Those that run all along."""
        self.spares = range(running, running + len(self.roles) * spares)
        """Those that only a scale-out starts, one of each role."""
        self._instances = [self._make(number) for number in (*self.instances, *self.spares)]

    def _make(self, number: int) -> Instance:
        state_dir = self._homes / str(number) / "state"
        return Instance(
            number=number,
            role=self.role_of(number).name,
            invocation=self._invocation(number, state_dir),
            folder=self._homes / str(number),
            state_dir=state_dir,
            supervisor=self._supervisor,
            recorder=self._recorder,
        )

    def _invocation(self, number: int, state_dir: Path) -> Invocation:
        return invocation(
            self.role_of(number).spec,
            instance=number,
            bootstrap_server=self._bootstrap_for(number),
            state_dir=state_dir,
            run_id=self.run_id,
        )

    @property
    def spec(self) -> SubjectSpec:
        """Of the only app. Raises UsageError where there are several."""
        if len(self.roles) > 1:
            raise UsageError("this can be done to a subject that is one app ([subject]), no other")
        return self.roles[0].spec

    def role_of(self, instance: int) -> Role:
        return next(role for role in self.roles if instance in role)

    def called(self, instance: int) -> str:
        """`instance 3 (settle)`."""
        return self.role_of(instance).words(instance)

    def restores(self, *, since_start: Callable[[float], float]) -> Iterator[RestoreEvent]:
        """What the processes printed about their restores (docs/state.md), instance by instance;
        `since_start` turns Unix seconds into the run's time."""
        for instance in self._instances:
            true_time = instance.clock.true_time if instance.clock else float

            def run_time(shown: float, true: Callable[[float], float] = true_time) -> float:
                return since_start(true(shown))

            for log in instance.outputs():
                yield from restores_in(log, instance=instance.number, since_start=run_time)

    def state(self, instance: int) -> State:
        return self._at(instance).state

    def is_up(self, instance: int) -> bool:
        """Runs and is not paused."""
        return self.state(instance) is State.UP

    def start(self, instance: int) -> bool:
        """False where it runs already."""
        return self._at(instance).start()

    def start_all(self) -> None:
        for number in self.instances:
            self.start(number)

    def kill(self, instance: int) -> dict[str, Any]:
        return self._at(instance).kill()

    def terminate(self, instance: int) -> dict[str, Any]:
        return self._at(instance).terminate(timeout_s=self._stop_timeout_s(instance))

    def pause(self, instance: int) -> dict[str, Any]:
        return self._at(instance).pause()

    def resume(self, instance: int) -> dict[str, Any]:
        return self._at(instance).resume()

    def wipe(self, instance: int) -> dict[str, Any]:
        """Removes what its state directory holds; only while it is down."""
        return self._at(instance).wipe()

    def while_down(self, instance: int, do: Callable[[Path], T]) -> T:
        """`do` to its state directory; only while it is down."""
        return self._at(instance).while_down(do)

    def snapshot(self, instance: int) -> tuple[Path, dict[str, Any]]:
        """A copy of its state directory, as a crash at this moment would leave it; it lies beside
        the directory, and `discard_state` removes it."""
        copy = self._home(instance) / "copy"
        self._supervisor.remove_at_exit(copy)  # should we be killed
        return copy, self._at(instance).snapshot(copy)

    def output(self, instance: int) -> Path | None:
        """What its latest process prints into; None before the first start."""
        return self._at(instance).output

    def state_dir(self, instance: int) -> Path:
        return self._at(instance).state_dir

    def pid(self, instance: int) -> int:
        """Of its process. Raises InfrastructureError where none runs."""
        return self._at(instance).pid()

    def fake_clocks(self, library: Path) -> None:
        """Before the first start: gives each instance a clock of its own, which can be stepped.
        `library` is libfaketime (`clock.find_library`), not inside a container: UsageError.
        """
        if any(role.spec.image is not None for role in self.roles):
            raise UsageError(
                "clock faults are for processes: give subject.command, no subject.image"
            )
        for each in self._instances:
            each.clock = Clock(self._home(each.number), library=library)

    def clock(self, instance: int) -> Clock:
        clock = self._at(instance).clock
        if clock is None:
            raise UsageError(f"instance {instance} was started without a clock of its own")
        return clock

    def mount_state(self, size_bytes: int) -> None:
        """Before the first start: puts each state directory on a file system of that size, which
        can be full or read-only. Raises UsageError where this machine cannot."""
        for each in self._instances:
            each.volume = Volume(each.state_dir, size_bytes=size_bytes, supervisor=self._supervisor)

    def volume(self, instance: int) -> Volume:
        volume = self._at(instance).volume
        if volume is None:
            raise UsageError(f"the state directory of instance {instance} is on no volume of ours")
        return volume

    def discard_state(self) -> None:
        """Removes every state directory with what belongs to it; after `stop_all`."""
        for each in self._instances:
            if each.volume is not None:
                each.volume.close()
            for name in ("state", "copy", "twin"):
                shutil.rmtree(self._home(each.number) / name, ignore_errors=True)

    def start_twin(self, instance: int, *, state: TwinState) -> Twin:
        """A second process with the instance's command and ids; see `Twin` for its end.

        `state`: a `copy` of the instance's state directory as it is now (a cloned volume), the
        `shared` one itself, or a `fresh`, empty one.
        """
        home = self._home(instance)
        own = home / "twin"
        shutil.rmtree(own, ignore_errors=True)
        self._supervisor.remove_at_exit(own)  # should we be killed
        if state == "copy":
            self._at(instance).snapshot(own)
        own.mkdir(parents=True, exist_ok=True)
        used = self.state_dir(instance) if state == "shared" else own
        number = len(list(home.glob("twin-*.log"))) + 1
        return Twin(
            self._invocation(instance, used),
            state_dir=own,
            output=home / f"twin-{number}.log",
            supervisor=self._supervisor,
        )

    def _home(self, instance: int) -> Path:
        return self._homes / str(instance)

    def keep_running(self) -> None:
        """From now on, what ends by itself is started again, as an orchestrator would do."""
        for number in self.instances:
            self._at(number).keep_running()

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
                    name=instance.name,
                    code=exited.code,
                    last_lines=tail(instance.output) if instance.output else [],
                )

    def wait_ready(
        self, *, view: ClusterView, role: Role | None = None, timeout_s: float | None = None
    ) -> None:
        """Waits until every instance (of that role) does its work: see `readiness.wait_ready`."""
        for each in self.roles if role is None else [role]:
            wait_ready(
                each,
                view=view,
                timeout_s=each.spec.ready_timeout_s if timeout_s is None else timeout_s,
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
        self._stop(self._instances)

    def stop_role(self, role: Role) -> None:
        """The same, of one app."""
        self._stop([each for each in self._instances if each.number in role])

    def _stop(self, instances: Sequence[Instance]) -> None:
        with ThreadPoolExecutor(len(instances)) as pool:
            stopping = [
                pool.submit(each.stop, timeout_s=self._stop_timeout_s(each.number))
                for each in instances
            ]
        for stopped in stopping:
            stopped.result()

    def _stop_timeout_s(self, instance: int) -> float:
        return self.role_of(instance).spec.stop_timeout_s

    def _at(self, instance: int) -> Instance:
        if not 0 <= instance < len(self._instances):
            raise UsageError(
                f"there is no instance {instance}: the subject has {len(self._instances)}, "
                "numbered from 0 (subject.instances)"
            )
        return self._instances[instance]
