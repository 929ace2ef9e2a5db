"""A data directory on a file system of its own, which can be full or read-only.

Permissions do not stop root, and a disk quota is not ours to set: a small tmpfs stops everybody,
and the kernel's own error (ENOSPC, EROFS) is what the subject or broker meets. Linux, as root.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from eoscheck.closing import Closing
from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.process import Supervisor

_COMMAND_TIMEOUT_S = 10.0
_FILLER = ".eoscheck-filler"
_BLOCK = 4096


class Volume(Closing):
    """A tmpfs of `size_bytes`, mounted at `folder` until `close` or the harness's end, whichever
    way it ends. It outlives the processes that use it: what they wrote is there at their restart.

    Raises UsageError where this machine cannot mount, InfrastructureError where mounting failed.
    """

    def __init__(self, folder: Path, *, size_bytes: int, supervisor: Supervisor) -> None:
        require_mounts()
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        unmount = [_tool("umount"), "--lazy", str(folder)]
        _run([_tool("mount"), "-t", "tmpfs", "-o", f"size={size_bytes}", "eoscheck", str(folder)])
        try:
            self._forget = supervisor.run_at_exit(unmount)
        except BaseException:
            _run(unmount)
            raise
        self._unmount: list[str] | None = unmount

    def fill(self) -> dict[str, Any]:
        """Writes until nothing more fits. Evidence: what the kernel says to one more block."""
        filler = os.open(self.folder / _FILLER, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        written = 0
        try:
            chunk = 1 << 20
            while chunk >= _BLOCK:
                try:
                    written += os.write(filler, bytes(chunk))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    chunk //= 2
        finally:
            os.close(filler)
        return {"filled_bytes": written, **self.room()}

    def empty(self) -> dict[str, Any]:
        """Gives back what `fill` took; idempotent. Evidence: what was free until then."""
        room = self.room()
        (self.folder / _FILLER).unlink(missing_ok=True)
        return {"free_bytes_until_then": room["free_bytes"]}

    def room(self) -> dict[str, Any]:
        found = os.statvfs(self.folder)
        return {
            "free_bytes": found.f_bavail * found.f_frsize,
            "size_bytes": found.f_blocks * found.f_frsize,
        }

    def set_read_only(self, read_only: bool) -> dict[str, Any]:
        """Nobody may have a file open for writing. Evidence: what the kernel says to a write."""
        mode = "ro" if read_only else "rw"
        _run([_tool("mount"), "-o", f"remount,bind,{mode}", str(self.folder)])
        probe = self.folder / ".eoscheck-probe"
        try:
            probe.touch()
        except OSError as error:
            if read_only and error.errno == errno.EROFS:
                return {"write_refused": os.strerror(errno.EROFS)}
            raise InfrastructureError(f"{self.folder} is not {mode}: {error}") from error
        probe.unlink()
        if read_only:
            raise InfrastructureError(f"{self.folder} can be written to after remount,ro")
        return {}

    def close(self) -> None:
        """Unmounts; idempotent."""
        if self._unmount is not None:
            _run(self._unmount)
            self._unmount = None
            self._forget()


def require_mounts() -> None:
    """Raises UsageError where no volume can be made, with what would help."""
    if sys.platform != "linux":
        raise UsageError(
            "a data directory that gets full or read-only needs a mount: run this on Linux"
        )
    if os.geteuid() != 0:
        raise UsageError(
            "a data directory that gets full or read-only needs a mount, which takes root: "
            "run this as root, or in a namespace of your own "
            "(unshare --user --map-root-user --mount)"
        )


def _tool(name: str) -> str:
    found = shutil.which(name, path=os.defpath + ":/sbin:/usr/sbin")
    if found is None:
        raise UsageError(f"there is no {name!r} on this machine: install util-linux")
    return found


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_COMMAND_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InfrastructureError(f"{' '.join(command)} did not run: {error}") from error
    if done.returncode:
        raise InfrastructureError(f"{' '.join(command)} failed: {done.stderr.strip()}")
