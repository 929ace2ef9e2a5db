"""The harness's side of the supervisor: start, watch, signal and stop child processes."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from eoscheck.closing import Closing
from eoscheck.errors import InfrastructureError, UsageError

_REPLY_TIMEOUT_S = 30.0
_END_TIMEOUT_S = 20.0
_CLOSE_TIMEOUT_S = 90.0
_ENDED = "the process supervisor has ended: run the command again"


class Child:
    """A child process, the leader of a session and process group of its own.

    Its standard output and error are appended to `output`. When it ends, what is left of its
    process group is killed. All methods may be called from any thread.
    """

    stops_by = "SIGSTOP"
    continues_by = "SIGCONT"

    def __init__(
        self,
        *,
        pid: int,
        command: Sequence[str],
        output: Path,
        exit_code: Future[int],
        send_signal: Callable[[signal.Signals], bool],
    ) -> None:
        self.pid = pid
        self.command = tuple(command)
        self.output = output
        self._exit_code = exit_code
        self._send_signal = send_signal

    def poll(self) -> int | None:
        """The exit code as Popen gives it (negative: a signal), None while it runs."""
        return self._exit_code.result() if self._exit_code.done() else None

    def wait(self, *, timeout_s: float) -> int | None:
        """As `poll`, after waiting at most `timeout_s` for the end."""
        try:
            return self._exit_code.result(timeout_s)
        except TimeoutError:
            return None

    @property
    def stopped(self) -> bool:
        """SIGSTOP has reached it, and no SIGCONT since."""
        try:
            return psutil.Process(self.pid).status() == psutil.STATUS_STOPPED
        except psutil.NoSuchProcess:
            return False

    def signal(self, number: signal.Signals) -> bool:
        """Sends a signal to the process group; False where the child had ended before."""
        return not self._exit_code.done() and self._send_signal(number)

    def stop(self, *, timeout_s: float) -> int:
        """Ends the group: SIGTERM, and SIGKILL where that took longer than `timeout_s`.

        Returns the exit code. Raises InfrastructureError where not even SIGKILL ends it.
        """
        # A process that was SIGSTOPped does not see SIGTERM until it is continued.
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        if self.wait(timeout_s=timeout_s) is None:
            self.signal(signal.SIGKILL)
        code = self.wait(timeout_s=_END_TIMEOUT_S)
        if code is None:
            raise InfrastructureError(f"process {self.pid} does not end, not even by SIGKILL")
        return code


class Supervisor(Closing):
    """Starts child processes through `eoscheck.process.supervisor`, which kills them all when this
    process ends, however it ends: at `close`, or when the kernel closes our end of the pipe.

    Safe to use from several threads. One is enough for a whole run.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "eoscheck.process.supervisor"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._replies: dict[int, Future[dict[str, Any]]] = {}
        self._exit_codes: dict[int, Future[int]] = {}  # of what may still run
        self._pids: dict[int, int] = {}
        self._closed = False
        self._reader = threading.Thread(target=self._read, name="supervisor", daemon=True)
        self._reader.start()

    def start(
        self,
        command: Sequence[str],
        *,
        output: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> Child:
        """Starts `command`; its output is appended to `output`, whose folder is made if need be.

        `env` is the whole environment (None: a copy of ours), `cwd` defaults to ours.
        Raises InfrastructureError where the command does not exist or cannot be executed.
        """
        if not command:
            raise UsageError("no command to start: give the program and its arguments")
        output = output.absolute()
        output.parent.mkdir(parents=True, exist_ok=True)

        number = next(self._ids)
        # Before it starts, for it may end before we hear that it started.
        exit_code = self._exit_codes[number] = Future()
        reply = self._ask(
            number,
            do="start",
            command=[str(word) for word in command],
            output=str(output),
            env=dict(os.environ if env is None else env),
            cwd=str((cwd or Path()).absolute()),
        )
        if not reply["ok"]:
            del self._exit_codes[number]
            raise InfrastructureError(
                f"cannot start {command[0]!r}: {reply['error']} (is it installed, and on the PATH?)"
            )

        def send_signal(signum: signal.Signals) -> bool:
            answer = self._ask(next(self._ids), do="signal", child=number, signal=int(signum))
            return bool(answer["delivered"])

        return Child(
            pid=reply["pid"],
            command=command,
            output=output,
            exit_code=exit_code,
            send_signal=send_signal,
        )

    def remove_at_exit(self, folder: Path) -> None:
        """`folder` is removed, with all in it, at `close` or when this process dies."""
        self._ask(next(self._ids), do="remove", folder=str(folder.absolute()))

    def run_at_exit(self, command: Sequence[str]) -> Callable[[], None]:
        """`command` is run at `close` or when this process dies, once every child is gone and
        before folders are removed; the last one first. For what the kernel does not end with a
        process: a mount, a container. Returns what to call once it is not needed any more."""
        number = next(self._ids)
        self._ask(number, do="run at exit", command=[str(word) for word in command])

        def forget() -> None:
            if self._closed:
                return  # it has been run
            self._ask(next(self._ids), do="forget", command=number)

        return forget

    def close(self) -> None:
        """Kills every child with its descendants, runs what was to be run, removes the folders;
        idempotent."""
        with self._lock:
            self._closed = True
            assert self._process.stdin is not None
            self._process.stdin.close()
        try:
            self._process.wait(timeout=_CLOSE_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()

    def _ask(self, number: int, **request: Any) -> dict[str, Any]:
        reply: Future[dict[str, Any]] = Future()
        line = json.dumps({"id": number, **request}).encode() + b"\n"
        with self._lock:
            if self._closed:
                raise InfrastructureError(_ENDED)
            self._replies[number] = reply
            assert self._process.stdin is not None
            with suppress(BrokenPipeError):  # it has ended: the reader answers
                _write_all(self._process.stdin.fileno(), line)
        try:
            return reply.result(timeout=_REPLY_TIMEOUT_S)
        except TimeoutError:
            raise InfrastructureError(
                f"the process supervisor did not answer {request['do']!r} "
                f"within {_REPLY_TIMEOUT_S:.0f} s"
            ) from None

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            for line in stream:
                self._handle(json.loads(line))
        self._supervisor_ended()

    def _handle(self, message: dict[str, Any]) -> None:
        if "exited" in message:
            del self._pids[message["exited"]]  # told in the reply, which comes before
            self._exit_codes.pop(message["exited"]).set_result(message["code"])
            return
        if "pid" in message:
            self._pids[message["id"]] = message["pid"]
        self._replies.pop(message["id"]).set_result(message)

    def _supervisor_ended(self) -> None:
        """At close, or because somebody killed it: then the kernel killed the children, and we
        kill what they leave in their groups."""
        for number, pid in self._pids.items():
            with suppress(ProcessLookupError, PermissionError):  # nothing left in the group
                os.killpg(pid, signal.SIGKILL)
            self._exit_codes[number].set_result(-signal.SIGKILL)
        with self._lock:
            self._closed = True
            unanswered = list(self._replies.values())
        for reply in unanswered:
            reply.set_exception(InfrastructureError(_ENDED))


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
