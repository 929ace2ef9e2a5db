"""One slot of the subject: the process that runs in it, what ends it, and its state directory."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.history import InstanceExited, InstanceStarted, Recorder
from eoscheck.process import Child, Supervisor
from eoscheck.process.volume import Volume
from eoscheck.subject import state_files
from eoscheck.subject.clock import Clock
from eoscheck.subject.container import start_in_container
from eoscheck.subject.role import in_words
from eoscheck.subject.spec import Invocation

T = TypeVar("T")

SIGNAL_TIMEOUT_S = 10.0
"""How long the machine may take to end, stop or continue a process that it was told to."""

RESTART_DELAY_S = 0.5
_POLL_S = 0.005


class State(StrEnum):
    UP = "up"
    PAUSED = "paused"
    DOWN = "down"


@dataclass
class _Attempt:
    """One process. `ending`: the signal by which we ended it; `ended`: the history has its exit."""

    number: int
    child: Child
    paused: bool = False
    ending: signal.Signals | None = None
    ended: threading.Event = field(default_factory=threading.Event)
    blame: threading.Lock = field(default_factory=threading.Lock)
    """Held while a signal goes out: an exit is either ours or its own, never a guess."""

    def caused(self, code: int) -> bool:
        """Whether we are the reason for an exit with `code`."""
        with self.blame:
            if self.ending is signal.SIGKILL:
                return code == -signal.SIGKILL  # else it ended by itself just before
            return self.ending is not None

    def send(self, number: signal.Signals, *, ends: bool) -> bool:
        """False where the process had ended before."""
        with self.blame:
            delivered = self.child.signal(number)
            if delivered and ends:
                self.ending = number
            return delivered


class Instance:
    """Safe to use from several threads; each process has one thread that watches it.

    Methods that do something to the process return evidence that it was done, and raise
    InfrastructureError where it was not, with the reason.
    """

    def __init__(
        self,
        *,
        number: int,
        invocation: Invocation,
        role: str = "",
        folder: Path,
        state_dir: Path,
        supervisor: Supervisor,
        recorder: Recorder,
    ) -> None:
        self.number = number
        self.name = in_words(number, role=role)
        self.state_dir = state_dir
        self.clock: Clock | None = None
        self.volume: Volume | None = None
        self.unexpected: list[InstanceExited] = []
        self._role = role
        self._invocation = invocation
        self._folder = folder
        self._supervisor = supervisor
        self._recorder = recorder
        self._attempt: _Attempt | None = None
        self._starting = threading.Lock()
        self._restart_wanted = False
        self._stopped = threading.Event()

    @property
    def state(self) -> State:
        attempt = self._attempt
        if attempt is None or attempt.child.poll() is not None:
            return State.DOWN
        return State.PAUSED if attempt.paused else State.UP

    @property
    def output(self) -> Path | None:
        """What the latest process prints into; None before the first start."""
        return self._attempt.child.output if self._attempt else None

    def outputs(self) -> list[Path]:
        """What each of its processes printed into, from the first on."""
        started = self._attempt.number if self._attempt else 0
        return [self._folder / f"attempt-{number}.log" for number in range(1, started + 1)]

    def start(self) -> bool:
        """False where it runs already. Raises InfrastructureError where it cannot be started."""
        with self._starting:
            self._stopped.clear()
            return self._start()

    def _start(self) -> bool:
        if self.state is not State.DOWN:
            return False
        if self._attempt is not None:
            # The history tells of an exit before it tells of the next start.
            self._attempt.ended.wait(SIGNAL_TIMEOUT_S)
        number = self._attempt.number + 1 if self._attempt else 1
        self.state_dir.mkdir(parents=True, exist_ok=True)
        started_at = self._recorder.now()
        child = self._launch(self._folder / f"attempt-{number}.log")
        self._attempt = _Attempt(number=number, child=child)
        self._recorder.record(
            InstanceStarted(
                t=started_at,
                instance=self.number,
                pid=child.pid,
                attempt=number,
                state_dir=str(self.state_dir),
                role=self._role,
            )
        )
        threading.Thread(
            target=self._watch,
            args=(self._attempt,),
            name=f"instance-{self.number}-{number}",
            daemon=True,
        ).start()
        return True

    def _launch(self, output: Path) -> Child:
        if self._invocation.image is not None:
            return start_in_container(
                self._invocation,
                state_dir=self.state_dir,
                output=output,
                supervisor=self._supervisor,
            )
        return self._supervisor.start(
            self._invocation.command, output=output, env=self._environment()
        )

    def kill(self) -> dict[str, Any]:
        """SIGKILL to the whole process group, and its end."""
        attempt = self._running()
        sent_at = time.monotonic()
        self._send(attempt, signal.SIGKILL, ends=True)
        if not attempt.ended.wait(SIGNAL_TIMEOUT_S):
            raise InfrastructureError(
                f"{self.name} (pid {attempt.child.pid}) still runs "
                f"{SIGNAL_TIMEOUT_S:g} s after SIGKILL"
            )
        code = attempt.child.poll()
        if code != -signal.SIGKILL:
            raise InfrastructureError(f"{self.name} had ended by itself, code {code}")
        return _evidence(attempt, signal.SIGKILL, exit_code=code, gone_after_s=_since(sent_at))

    def terminate(self, *, timeout_s: float) -> dict[str, Any]:
        """SIGTERM and a clean end within `timeout_s`. What does not end by then is killed, and the
        InfrastructureError says so: that was no clean stop."""
        attempt = self._running()
        sent_at = time.monotonic()
        self._send(attempt, signal.SIGTERM, ends=True)
        if attempt.paused:
            self._send(attempt, signal.SIGCONT, ends=False)  # a stopped process handles no SIGTERM
        if not attempt.ended.wait(timeout_s):
            attempt.send(signal.SIGKILL, ends=True)
            attempt.ended.wait(SIGNAL_TIMEOUT_S)
            raise InfrastructureError(
                f"{self.name} did not stop within {timeout_s:g} s of SIGTERM "
                "and was killed: raise subject.stop_timeout, or see why"
            )
        return _evidence(
            attempt,
            signal.SIGTERM,
            exit_code=attempt.child.poll(),
            gone_after_s=_since(sent_at),
        )

    def pause(self) -> dict[str, Any]:
        """SIGSTOP to the whole process group, seen to have stopped it."""
        attempt = self._running()
        self._send(attempt, signal.SIGSTOP, ends=False)
        self._wait_stopped(attempt, True)
        attempt.paused = True
        return {
            "signal": attempt.child.stops_by,
            "pid": attempt.child.pid,
            "status": "stopped",
        }

    def resume(self) -> dict[str, Any]:
        attempt = self._running()
        self._send(attempt, signal.SIGCONT, ends=False)
        attempt.paused = False
        self._wait_stopped(attempt, False)
        return {"signal": attempt.child.continues_by, "pid": attempt.child.pid}

    def wipe(self) -> dict[str, Any]:
        """Removes what its state directory holds. Raises UsageError while the process runs,
        InfrastructureError where there is nothing to wipe."""
        return self.while_down(state_files.wipe)

    def while_down(self, do: Callable[[Path], T]) -> T:
        """`do` to the state directory; nothing starts meanwhile. Raises UsageError where the
        process runs: its files are its own then."""
        with self._starting:
            if self.state is not State.DOWN:
                raise UsageError(f"{self.name} runs: stop it before its state directory is touched")
            return do(self.state_dir)

    def snapshot(self, copy: Path) -> dict[str, Any]:
        """Copies the state directory as a crash at this moment would leave it: the process stands
        still for it, for some milliseconds."""
        began = time.monotonic()
        self.pause()
        try:
            kept = state_files.keep_copy(self.state_dir, copy)
        finally:
            self.resume()
        return {**kept, "stood_still_s": _since(began)}

    def pid(self) -> int:
        """Of its process. Raises InfrastructureError where none runs."""
        return self._running().child.pid

    def _environment(self) -> dict[str, str]:
        environment = {**os.environ, **self._invocation.env}
        return environment | (self.clock.environment(environment) if self.clock else {})

    def keep_running(self) -> None:
        """From now on, start it again when it ends by itself."""
        self._restart_wanted = True

    def stop(self, *, timeout_s: float) -> None:
        """Ends the process, by force where it must be, and starts no other; idempotent."""
        with self._starting:
            self._stopped.set()
            attempt = self._attempt
        if attempt is None or attempt.child.poll() is not None:
            return
        attempt.send(signal.SIGTERM, ends=True)
        attempt.send(signal.SIGCONT, ends=False)
        if not attempt.ended.wait(timeout_s):
            attempt.send(signal.SIGKILL, ends=True)
            attempt.ended.wait(SIGNAL_TIMEOUT_S)

    def _running(self) -> _Attempt:
        attempt = self._attempt
        if attempt is None:
            raise InfrastructureError(f"{self.name} was never started")
        if (code := attempt.child.poll()) is not None:
            raise InfrastructureError(f"{self.name} does not run: it ended, code {code}")
        return attempt

    def _send(self, attempt: _Attempt, number: signal.Signals, *, ends: bool) -> None:
        if not attempt.send(number, ends=ends):
            raise InfrastructureError(f"{self.name} had ended before {number.name} reached it")

    def _wait_stopped(self, attempt: _Attempt, wanted: bool) -> None:
        verb = "stop" if wanted else "continue"
        deadline = time.monotonic() + SIGNAL_TIMEOUT_S
        while attempt.child.stopped is not wanted:
            if attempt.child.poll() is not None:
                break
            if time.monotonic() >= deadline:
                raise InfrastructureError(
                    f"{self.name} did not {verb} within {SIGNAL_TIMEOUT_S:g} s"
                )
            time.sleep(_POLL_S)
        if attempt.child.poll() is not None:
            raise InfrastructureError(f"{self.name} ended while it was to {verb}")

    def _watch(self, attempt: _Attempt) -> None:
        """Runs in the attempt's own thread until its process ends."""
        while (code := attempt.child.wait(timeout_s=1.0)) is None:
            pass
        expected = attempt.caused(code)
        exited = InstanceExited(
            t=self._recorder.now(),
            instance=self.number,
            pid=attempt.child.pid,
            code=code,
            expected=expected,
        )
        if not expected:
            self.unexpected.append(exited)
        self._recorder.record(exited)
        attempt.ended.set()
        if not expected and self._restart_wanted and not self._stopped.wait(RESTART_DELAY_S):
            with self._starting:
                if not self._stopped.is_set():
                    self._start()


def _evidence(attempt: _Attempt, number: signal.Signals, **more: Any) -> dict[str, Any]:
    return {"signal": number.name, "pid": attempt.child.pid, **more}


def _since(start: float) -> float:
    return round(time.monotonic() - start, 6)
