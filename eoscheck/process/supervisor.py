"""The program between the harness and its children: `python -m eoscheck.process.supervisor`.

All children are *its* children. When the pipe from the harness closes, by a clean close or by
SIGKILL, it kills every descendant, runs the commands and removes the folders it was told to, and
ends.

Protocol, one JSON object a line, on standard input and output (`id` is chosen by the harness):

    {"id": 1, "do": "start", "command": [...], "output": PATH, "env": {...}, "cwd": PATH}
    {"id": 2, "do": "signal", "child": 1, "signal": 9}
    {"id": 3, "do": "remove", "folder": PATH}
    {"id": 4, "do": "run at exit", "command": [...]}
    {"id": 5, "do": "forget", "command": 4}       # what request 4 asked for is not needed any more

    {"id": 1, "ok": true, "pid": 4711}            # or: "ok": false, "error": "..."
    {"id": 2, "ok": true, "delivered": true}      # false: the child had ended before
    {"exited": 1, "code": -9}                     # a child ended, without being asked
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_KILL_TIMEOUT_S = 10.0
_COMMAND_TIMEOUT_S = 15.0
_ENDING = frozenset({signal.SIGTERM, signal.SIGHUP, signal.SIGINT})


class _ChildTable:
    """The children by the id of the request that started them, and by pid while they live."""

    def __init__(self, before_exec: Callable[[], None] | None) -> None:
        self._before_exec = before_exec
        self._by_id: dict[int, subprocess.Popen[bytes]] = {}
        self._id_of_pid: dict[int, int] = {}

    def start(self, request: dict[str, Any]) -> int:
        with Path(request["output"]).open("ab") as output:
            # preexec_fn is safe here and only here: this process has a single thread.
            process = subprocess.Popen(
                request["command"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=request["env"],
                cwd=request["cwd"],
                start_new_session=True,
                preexec_fn=self._before_exec,
            )
        self._by_id[request["id"]] = process
        self._id_of_pid[process.pid] = request["id"]
        return process.pid

    def signal(self, child: int, number: int) -> bool:
        process = self._by_id.get(child)
        return process is not None and _signal_group(process.pid, number)

    def reap(self) -> list[tuple[int, int]]:
        """Ended children as (id, exit code). Whatever else was in its group ends with a child."""
        ended = []
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            child = self._id_of_pid.pop(pid, None)
            if child is None:
                continue  # an orphan of one of the children, adopted as a subreaper does
            _signal_group(pid, signal.SIGKILL)
            process = self._by_id.pop(child)
            process.returncode = os.waitstatus_to_exitcode(status)
            ended.append((child, process.returncode))
        return ended

    def kill_all(self, signals: int) -> None:
        """Kills until no descendant is left, also those that left their parent's group."""
        descendants: list[psutil.Process] = []
        give_up_at = time.monotonic() + _KILL_TIMEOUT_S
        while time.monotonic() < give_up_at:
            self.reap()
            descendants = psutil.Process().children(recursive=True)
            if not descendants:
                return
            for process in descendants:
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            if select.select([signals], [], [], 0.1)[0]:
                os.read(signals, 4096)
        _complain(f"these child processes could not be killed: {descendants}")


def _signal_group(pid: int, number: int) -> bool:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies
        return False
    return True


def _die_with_parent() -> Callable[[], None] | None:
    """Linux: what a child runs before exec, so that not even our own SIGKILL leaves it behind."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    parent = os.getpid()

    def before_exec() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died between fork and prctl
            os._exit(1)

    return before_exec


@dataclass
class _Leftovers:
    """What is put in order once no child is left: commands first, the last one first."""

    commands: dict[int, list[str]] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)

    def clear(self) -> None:
        for command in reversed(self.commands.values()):
            _run(command)
        for folder in self.folders:
            _remove(folder)


def _reply_to(
    request: dict[str, Any], children: _ChildTable, leftovers: _Leftovers
) -> dict[str, Any]:
    match request["do"]:
        case "start":
            try:
                return {"ok": True, "pid": children.start(request)}
            except OSError as error:
                return {"ok": False, "error": f"{error.strerror}: {error.filename}"}
            except ValueError as error:  # a null byte in an argument
                return {"ok": False, "error": str(error)}
        case "signal":
            return {"ok": True, "delivered": children.signal(request["child"], request["signal"])}
        case "remove":
            leftovers.folders.append(request["folder"])
            return {"ok": True}
        case "run at exit":
            leftovers.commands[request["id"]] = request["command"]
            return {"ok": True}
        case "forget":
            leftovers.commands.pop(request["command"], None)
            return {"ok": True}
        case other:
            raise AssertionError(f"unknown request {other!r}")


def _send(message: dict[str, Any]) -> None:
    os.write(1, json.dumps(message).encode() + b"\n")


def _serve(children: _ChildTable, leftovers: _Leftovers, signals: int) -> None:
    """Answers requests and reports exits until the harness is gone or we are told to end."""
    selector = selectors.DefaultSelector()
    selector.register(0, selectors.EVENT_READ)
    selector.register(signals, selectors.EVENT_READ)
    unread = b""
    while True:
        ready = {key.fd for key, _ in selector.select()}
        if signals in ready:
            if _ENDING & set(os.read(signals, 4096)):
                return
            for child, code in children.reap():
                _send({"exited": child, "code": code})
        if 0 in ready:
            received = os.read(0, 1 << 16)
            if not received:
                return
            *lines, unread = (unread + received).split(b"\n")
            for line in lines:
                request = json.loads(line)
                _send({"id": request["id"], **_reply_to(request, children, leftovers)})


def _signal_pipe() -> int:
    """A pipe from which each caught signal can be read as one byte, its number."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    # Caught rather than ignored: what is ignored stays ignored in the children after exec.
    for number in (signal.SIGCHLD, *_ENDING):
        signal.signal(number, lambda _number, _frame: None)
    return read_end


def _remove(folder: str) -> None:
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        _complain(f"{folder} could not be removed: {error}")


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            timeout=_COMMAND_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        _complain(f"{' '.join(command)} did not run: {error}")
        return
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        _complain(f"{' '.join(command)} ended with {done.returncode}: {said}")


def _complain(what: str) -> None:
    print(f"eoscheck: {what}", file=sys.stderr)  # noqa: T201


def main() -> None:
    signals = _signal_pipe()
    children = _ChildTable(_die_with_parent())
    leftovers = _Leftovers()
    os.chdir("/")
    try:
        with suppress(BrokenPipeError):  # the harness died while we spoke to it: the same end
            _serve(children, leftovers, signals)
    finally:
        children.kill_all(signals)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        leftovers.clear()


if __name__ == "__main__":
    main()
