"""The tutorial of docs/pytest.md to the letter: in an empty folder, from the built wheel."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "pytest.md"

_STEP = re.compile(r"^`([\w.]+)`:\n\n```python\n(.*?)^```|^```console\n(.*?)^```", re.M | re.S)
_NO_REGISTRY = re.compile(r"NewConnectionError|ConnectTimeout|ReadTimeout|name resolution")


@dataclass(frozen=True)
class Ran:
    """A run of pytest that the tutorial makes."""

    code: int
    output: str

    @property
    def found(self) -> str:
        match = re.search(r"[\d,]+ × \w+", self.output)
        return match[0] if match else "nothing"


def build_wheel(folder: Path) -> Path:
    """As it would be published."""
    _done(_run(f"{sys.executable} -m pip wheel --quiet --no-deps -w {folder} {ROOT}", folder))
    (found,) = folder.glob("*.whl")
    return found


def follow(folder: Path, *, wheel: Path) -> list[Ran]:
    """Writes its files and runs its commands, in their order, in `folder`; what its runs of pytest
    came to. `pip install eoscheck` means that wheel, and nothing else is different."""
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    env["PIP_FIND_LINKS"] = f"{wheel.parent} {env.get('PIP_FIND_LINKS', '')}"
    runs = []
    for name, content, commands in _STEP.findall(PAGE.read_text(encoding="utf-8")):
        if name:
            (folder / name).write_text(content)
        for line in commands.splitlines():
            done = _run(line.removeprefix("$ "), folder, env)
            if line.endswith("pytest"):
                runs.append(Ran(done.returncode, done.stdout))
            else:
                _done(done)
    return runs


def require_followed(runs: list[Ran]) -> tuple[Ran, Ran]:
    """The red one and the green one; raises where they are something else."""
    red, green = runs
    assert red.code == 1, red.output
    assert "× DUPLICATE" in red.output
    assert "repeat: pytest test_my_loop.py" in red.output
    assert green.code == 0, green.output
    return red, green


def _run(
    command: str, folder: Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def _done(done: subprocess.CompletedProcess[str]) -> None:
    said = done.stdout + done.stderr
    if done.returncode and _NO_REGISTRY.search(said):
        pytest.skip("no package registry answers: there is nothing to install from")
    assert done.returncode == 0, said
