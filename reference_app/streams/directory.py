"""The state directory of one process: its lock, its process id, the place of each store.

<state dir>/<application id>/process.json
<state dir>/<application id>/<partition>/<store>/
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import msgspec
from filelock import FileLock, Timeout

from reference_app.streams.errors import ConfigurationError


class _Process(msgspec.Struct, frozen=True):
    process_id: str


class StateDirectory:
    """Held by one process at a time: two with one process id would fence each other for ever.

    The lock frees itself with the process, so a restart after SIGKILL need not clean up.
    """

    def __init__(
        self,
        state_dir: Path,
        application_id: str,
        *,
        lock_timeout_s: float = 10.0,
        new_id: Callable[[], object] = uuid.uuid4,
    ) -> None:
        self._root = state_dir / application_id
        self._new_id = new_id
        self._lock_timeout_s = lock_timeout_s
        self._lock = FileLock(self._root / ".lock")

    def __enter__(self) -> StateDirectory:
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=self._lock_timeout_s)
        except Timeout as error:
            raise ConfigurationError(
                f"{self._root} is in use by another process: give each its own --state-dir"
            ) from error
        except OSError as error:
            raise ConfigurationError(f"--state-dir cannot be used: {error}") from error
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()

    @property
    def process_id(self) -> str:
        """Made once and kept: with it a restart takes up, and ends, its former transactions."""
        path = self._root / "process.json"
        if path.exists():
            try:
                return msgspec.json.decode(path.read_bytes(), type=_Process).process_id
            except msgspec.MsgspecError as error:
                raise ConfigurationError(
                    f"{path} is damaged: remove the state directory, it will be restored"
                ) from error
        process_id = str(self._new_id())
        try:
            write_atomically(path, msgspec.json.encode(_Process(process_id)), durable=True)
        except OSError as error:
            raise ConfigurationError(f"--state-dir cannot be used: {error}") from error
        return process_id

    def partitions_of(self, store: str) -> list[int]:
        """The partitions of which this directory has, or once had, the store."""
        names = (path.parent.name for path in self._root.glob(f"*/{store}"))
        return sorted(int(name) for name in names if name.isdecimal())

    def store_path(self, partition: int, store: str) -> Path:
        return self._root / str(partition) / store


def write_atomically(path: Path, content: bytes, *, durable: bool = False) -> None:
    """A reader sees the old content or the new one; `durable`: after a power cut too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)  # half a file, on a disk that is full
        raise
