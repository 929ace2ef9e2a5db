"""The lock file: exactly which files, made by `scripts/lock_artifacts.py` and committed."""

from __future__ import annotations

from pathlib import Path

import msgspec

from eoscheck.errors import UsageError


class LockedFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`path` is relative to the repository's root, with slashes; `size` is in bytes."""

    path: str
    sha256: str
    size: int


class Lock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`roots` are the coordinates that were asked for, `files` they and all that they need."""

    roots: list[str]
    files: list[LockedFile]


def read_lock(path: Path) -> Lock:
    """Raises UsageError, in one line, where the file is missing or not a lock file."""
    try:
        lock = msgspec.json.decode(path.read_bytes(), type=Lock)
    except FileNotFoundError:
        raise UsageError(f"no lock file {path}") from None
    except msgspec.MsgspecError as error:
        raise UsageError(f"{path} is not a lock file: {error}") from error
    for file in lock.files:
        if file.path.startswith("/") or ".." in file.path.split("/"):
            raise UsageError(f"{path} names a file outside the repository: {file.path}")
    return lock
