"""`.ci/install-chromium`: asks apt where it should, and never fails the CI. With a stand-in."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).parents[3] / ".ci" / "install-chromium"
_ASKED = "install -qq -y --no-install-recommends chromium fonts-dejavu-core"

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0, reason="packages are installed as root, on Linux"
)


def run(folder: Path, *, ci: str = "true", apt: str = "exit 0", there: bool = False) -> str:
    """What it said; what apt was asked for stands in `asked`. Its exit code is always 0."""
    programs = {"apt-get": f'#!/bin/bash\necho "$*" >>"{folder / "asked"}"\n{apt}\n'}
    if there:
        programs["chromium"] = "#!/bin/bash\n"
    for name in ("bash", "env", "sh", "timeout"):
        (folder / name).symlink_to(f"/usr/bin/{name}")
    for name, text in programs.items():
        (folder / name).write_text(text)
        (folder / name).chmod(stat.S_IRWXU)
    done = subprocess.run(
        [_SCRIPT],
        env={"PATH": str(folder), "CI": ci},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stderr


def asked(folder: Path) -> list[str]:
    path = folder / "asked"
    return path.read_text().splitlines() if path.exists() else []


def test_on_a_ci_machine_chromium_is_installed(tmp_path: Path) -> None:
    assert run(tmp_path) == ""
    assert asked(tmp_path) == [_ASKED]


def test_where_lists_are_old_they_are_renewed_once_and_a_failure_is_told(tmp_path: Path) -> None:
    said = run(tmp_path, apt="[[ $1 == update ]]")
    assert asked(tmp_path) == [_ASKED, "update -qq", _ASKED]
    assert "could not be installed" in said


def test_elsewhere_nothing_is_installed(tmp_path: Path) -> None:
    assert "nothing is installed" in run(tmp_path, ci="")
    assert asked(tmp_path) == []


def test_what_is_there_is_not_asked_for(tmp_path: Path) -> None:
    assert run(tmp_path, there=True) == ""
    assert asked(tmp_path) == []
