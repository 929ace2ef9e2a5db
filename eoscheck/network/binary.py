"""A Toxiproxy server program: found on this machine, or built once into the cache."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.network.build import TIMEOUT_S, VERSION, build, go_toolchain
from eoscheck.process import Supervisor

VARIABLE = "EOSCHECK_TOXIPROXY"
"""The URL of a server that runs, or the path of a server program."""

MINIMUM_VERSION = (2, 5)
"""The first with -proxy-metrics."""

_NAMES = ("toxiproxy-server", "toxiproxy")
_ANSWER_TIMEOUT_S = 10.0
HOW_TO_GET_ONE = (
    f"install Toxiproxy {MINIMUM_VERSION[0]}.{MINIMUM_VERSION[1]} or newer, or set {VARIABLE} to "
    "its path or to the URL of a server that runs, or install Go and it is built"
)


@dataclass(frozen=True, kw_only=True)
class Binary:
    """`source` says in a few words where it was found."""

    path: Path
    version: str
    source: str


def chosen() -> str | None:
    """What the environment says, a URL or a path; None where it says nothing."""
    return os.environ.get(VARIABLE) or None


def find_binary(*, cache: Path) -> Binary | None:
    """`EOSCHECK_TOXIPROXY` as a path, the PATH, and what was built into the cache.

    Raises UsageError where the variable names no server that can be used.
    """
    named = chosen()
    if named is not None:
        path = Path(named).expanduser().absolute()
        found = usable(path, source=VARIABLE)
        if found is None:
            raise UsageError(
                f"{VARIABLE}={named} is no Toxiproxy server of version "
                f"{MINIMUM_VERSION[0]}.{MINIMUM_VERSION[1]} or newer: {HOW_TO_GET_ONE}"
            )
        return found
    for name in _NAMES:
        on_path = shutil.which(name)
        found = None if on_path is None else usable(Path(on_path), source="PATH")
        if found is not None:
            return found
    return usable(built(cache), source="the cache")


def find_or_build(
    *, supervisor: Supervisor, cache: Path, progress: Callable[[str], None]
) -> Binary:
    """As `find_binary`, else builds it into the cache, once, whoever else asks at the same time.

    Raises InfrastructureError, one line, where that is not possible.
    """
    found = find_binary(cache=cache)
    if found is not None:
        return found
    cache.mkdir(parents=True, exist_ok=True)
    guard = FileLock(cache / "toxiproxy.lock", timeout=TIMEOUT_S)
    try:
        with guard:
            found = find_binary(cache=cache)
            if found is None:
                progress(f"building Toxiproxy {VERSION} into {cache}, once (about a minute)")
                _build(supervisor, cache)
                found = find_binary(cache=cache)
    except Timeout:
        raise InfrastructureError(
            f"another process has held {guard.lock_file} for {TIMEOUT_S:.0f} s: end it, or set "
            "EOSCHECK_CACHE to another folder"
        ) from None
    if found is None:
        raise InfrastructureError(f"the Toxiproxy built here does not run: {HOW_TO_GET_ONE}")
    return found


def built(cache: Path) -> Path:
    return cache / f"toxiproxy-{VERSION}" / "toxiproxy-server"


def usable(path: Path, *, source: str) -> Binary | None:
    """None where it is no Toxiproxy server, or too old."""
    version = _version(path)
    if version is None or not is_new_enough(version):
        return None
    return Binary(path=path, version=version, source=source)


def is_new_enough(version: str) -> bool:
    """False also for "git", as a build without a version calls itself."""
    match = re.match(r"v?(\d+)\.(\d+)", version)
    return match is not None and (int(match[1]), int(match[2])) >= MINIMUM_VERSION


def _version(path: Path) -> str | None:
    if not path.is_file():
        return None
    try:
        answer = subprocess.run(
            [path, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_ANSWER_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.fullmatch(r"toxiproxy-server version (\S+)", answer.stdout.strip())
    return match[1] if match else None


def _build(supervisor: Supervisor, cache: Path) -> None:
    """In a folder of its own that goes away, so that an interrupted build is never found."""
    work = cache / "toxiproxy.part"
    supervisor.remove_at_exit(work)  # should we be killed
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        program = build(supervisor, go_toolchain(supervisor, work=work), work=work)
        made = usable(program, source="built")
        if made is None or made.version != VERSION:
            raise InfrastructureError(
                f"the Toxiproxy built here does not say that it is {VERSION}: {HOW_TO_GET_ONE}"
            )
        built(cache).parent.mkdir(exist_ok=True)
        program.rename(built(cache))
    finally:
        shutil.rmtree(work, ignore_errors=True)
