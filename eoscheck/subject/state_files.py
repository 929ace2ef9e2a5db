"""What may be done to the files of a state directory while nobody has them open.

Each function returns evidence (plain data) and raises InfrastructureError where nothing was done,
with the reason: a fault that did not bite must not look like one that the subject survived.
"""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from eoscheck.errors import InfrastructureError

_UNUSED = "does the command use {state_dir}?"


def wipe(state: Path) -> dict[str, Any]:
    """Removes all in it; the directory itself may be a mount, and stays."""
    files = _files(state)
    if not files:
        raise InfrastructureError(f"{state} is empty: nothing to wipe ({_UNUSED})")
    _clear(state)
    return {"wiped": str(state), "wiped_files": len(files)}


def keep_copy(state: Path, copy: Path) -> dict[str, Any]:
    """A copy of it as it is now, in place of an older one at `copy`, which lies outside."""
    files = _files(state)
    if not files:
        raise InfrastructureError(f"{state} is empty: nothing to keep a copy of ({_UNUSED})")
    shutil.rmtree(copy, ignore_errors=True)
    _reported(lambda: shutil.copytree(state, copy, symlinks=True))
    return {"kept_files": len(files)}


def put_back(state: Path, copy: Path) -> dict[str, Any]:
    """The older copy in place of what is there now."""
    changed = _changed(state, copy, _files(copy) | _files(state))
    if not changed:
        raise InfrastructureError(
            f"{state} has not changed since its copy was kept: make `age` longer, or the load more"
        )
    _clear(state)
    _reported(lambda: shutil.copytree(copy, state, symlinks=True, dirs_exist_ok=True))
    return {"put_back": str(state), "older_files": changed}


def put_stale(state: Path, copy: Path, *, pattern: str, wiped: bool) -> dict[str, Any]:
    """The older copy's files that match `pattern` (as Path.rglob does), beside the newer others;
    `wiped`: beside nothing else."""
    stale = _matching(copy, pattern)
    if not wiped and not _changed(state, copy, stale):
        raise InfrastructureError(
            f"the files that match {pattern!r} have not changed since their copy was kept: "
            "make `age` longer, or choose others by `files`"
        )
    others = _files(state) - stale
    if not others:
        raise InfrastructureError(f"{state} has no file beside those that match {pattern!r}")
    if wiped:
        _clear(state)
    for path in stale:
        (state / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(copy / path, state / path)
    return {
        "stale_files": sorted(map(str, stale)),
        "wiped_files" if wiped else "newer_files": len(others),
    }


def truncate(state: Path, *, pattern: str) -> dict[str, Any]:
    """Cuts the largest file that matches `pattern` to half of its size."""
    sizes = {path: (state / path).stat().st_size for path in _matching(state, pattern)}
    path, size = max(sizes.items(), key=lambda each: (each[1], each[0]))
    if size < 2:
        raise InfrastructureError(f"the files that match {pattern!r} in {state} are empty")
    with (state / path).open("r+b") as file:
        file.truncate(size // 2)
    return {"truncated": str(path), "from_bytes": size, "to_bytes": size // 2}


def _files(folder: Path) -> set[Path]:
    """Relative to it."""
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


def _matching(folder: Path, pattern: str) -> set[Path]:
    found = {path.relative_to(folder) for path in folder.rglob(pattern) if path.is_file()}
    if not found:
        raise InfrastructureError(
            f"no file below {folder} matches {pattern!r}: has the subject written one yet, "
            "or is it called otherwise (`files`)?"
        )
    return found


def _changed(state: Path, copy: Path, paths: Iterable[Path]) -> int:
    """How many of them are not the same in both, or are missing in one."""
    filecmp.clear_cache()
    return sum(
        not (
            (state / path).is_file()
            and (copy / path).is_file()
            and filecmp.cmp(state / path, copy / path, shallow=False)
        )
        for path in paths
    )


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            _reported(lambda path=path: shutil.rmtree(path))  # type: ignore[misc]
        else:
            _reported(path.unlink)


def _reported(do: Callable[[], object]) -> None:
    try:
        do()
    except (OSError, shutil.Error) as error:
        raise InfrastructureError(f"the state directory cannot be changed: {error}") from error
