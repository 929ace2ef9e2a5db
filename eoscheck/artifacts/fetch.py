"""Download by lock file: in parallel, verified, each file in one atomic step."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from filelock import FileLock, Timeout

from eoscheck.artifacts.cache import cache_folder
from eoscheck.artifacts.download import Repository
from eoscheck.artifacts.lock import LockedFile, read_lock
from eoscheck.artifacts.repository import repository_url
from eoscheck.errors import InfrastructureError

_PARALLEL = 8
_LOCK_TIMEOUT_S = 600.0
_MEGABYTE = 1e6
_STEPS = 5  # news of a download


def fetch(
    lock: Path,
    *,
    cache: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> list[Path]:
    """The files of a lock file, downloaded where the cache does not hold them as they should be.

    Returns their paths in the lock file's order. Every file is hashed each time (50 ms for Kafka's
    45 MB), so that a damaged cache is downloaded again rather than used.
    Raises UsageError for a bad lock file; InfrastructureError, one line, without a network, for a
    file whose SHA-256 is not the locked one (it is deleted), and for a full or forbidden disk.
    """
    wanted = read_lock(lock).files
    folder = (cache or cache_folder()) / "maven"
    if _missing(wanted, folder):
        try:
            _fill(folder, wanted, progress or _silent)
        except OSError as error:
            raise _disk_error(error, folder) from error
    return [folder / file.path for file in wanted]


def missing_files(lock: Path, *, cache: Path | None = None) -> list[LockedFile]:
    """The files that `fetch` would download."""
    return _missing(read_lock(lock).files, (cache or cache_folder()) / "maven")


def _silent(_: str) -> None:
    """Nobody wants to know."""


def _missing(wanted: Iterable[LockedFile], folder: Path) -> list[LockedFile]:
    with ThreadPoolExecutor(max_workers=_PARALLEL) as pool:
        files = list(wanted)
        intact = pool.map(lambda file: _is_intact(folder / file.path, file), files)
        return [file for file, good in zip(files, intact, strict=True) if not good]


def _is_intact(path: Path, file: LockedFile) -> bool:
    try:
        if path.stat().st_size != file.size:
            return False
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest() == file.sha256
    except OSError:  # missing or unreadable: the download says what is wrong with the folder
        return False


def _fill(folder: Path, wanted: list[LockedFile], progress: Callable[[str], None]) -> None:
    """One process at a time fills the cache; the next finds it filled."""
    folder.mkdir(parents=True, exist_ok=True)
    guard = FileLock(folder / ".lock")
    try:
        guard.acquire(blocking=False)
    except Timeout:
        progress("waiting for another eoscheck that is downloading the same")
        try:
            guard.acquire(timeout=_LOCK_TIMEOUT_S)
        except Timeout:
            raise InfrastructureError(
                f"another process has held {guard.lock_file} for {_LOCK_TIMEOUT_S:.0f} s: "
                "end it, or set EOSCHECK_CACHE to another folder"
            ) from None
    try:
        _download_all(folder, _missing(wanted, folder), progress)
    finally:
        guard.release()


def _download_all(folder: Path, files: list[LockedFile], progress: Callable[[str], None]) -> None:
    repository = Repository(repository_url(), connections=_PARALLEL)
    total = max(1, sum(file.size for file in files))
    got = 0
    with ThreadPoolExecutor(max_workers=_PARALLEL) as pool:
        running = {
            pool.submit(repository.download, file, folder / file.path): file for file in files
        }
        try:
            for number, done in enumerate(as_completed(running), start=1):
                done.result()
                before, got = got, got + running[done].size
                if _STEPS * before // total < _STEPS * got // total:
                    progress(
                        f"downloaded {number} of {len(files)} files, "
                        f"{got / _MEGABYTE:.0f} of {total / _MEGABYTE:.0f} MB"
                    )
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _disk_error(error: OSError, folder: Path) -> InfrastructureError:
    where = f"{os.strerror(error.errno or 0)} ({error.filename or folder})"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return InfrastructureError(
            f"the cache cannot be filled: {where}: "
            "free some space, or set EOSCHECK_CACHE to a folder on another disk"
        )
    return InfrastructureError(
        f"the cache cannot be written: {where}: set EOSCHECK_CACHE to a folder of your own"
    )
