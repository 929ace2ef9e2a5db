"""The pytest plugin as a stranger meets it: the tutorial, followed to the letter, and no flake."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.acceptance.conftest import Accepted
from tests.unit.testing.fakes import INSTALLED

ROOT = Path(__file__).parents[2]
LOOPS = ROOT / "examples" / "loops"
PAGE = ROOT / "docs" / "pytest.md"
TIMES = 20

_STEP = re.compile(r"^`([\w.]+)`:\n\n```python\n(.*?)^```|^```console\n(.*?)^```", re.M | re.S)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As it would be published."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder)]
    subprocess.run([*build, str(ROOT)], check=True, timeout=300)
    (found,) = folder.glob("*.whl")
    return found


@pytest.mark.accept
@pytest.mark.timeout(1200)
def test_the_tutorial_followed_to_the_letter(
    wheel: Path, tmp_path: Path, accepted: Accepted
) -> None:
    """Its files are written and its commands run in their order, in an empty folder. `pip install
    eoscheck` means the wheel of this checkout, and nothing else is different."""
    folder = tmp_path / "empty"
    folder.mkdir()
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    env["PIP_FIND_LINKS"] = f"{wheel.parent} {env.get('PIP_FIND_LINKS', '')}"
    began = time.monotonic()
    outputs = []
    for name, content, commands in _STEP.findall(PAGE.read_text(encoding="utf-8")):
        if name:
            (folder / name).write_text(content)
        for line in commands.splitlines():
            done = subprocess.run(
                line.removeprefix("$ "),
                shell=True,
                cwd=folder,
                env=env,
                capture_output=True,
                text=True,
                timeout=900,
                check=False,
            )
            if line.endswith("pytest"):
                outputs.append((done.returncode, done.stdout))
            else:
                assert done.returncode == 0, done.stdout + done.stderr
    (red, said_red), (green, said_green) = outputs
    assert red == 1, said_red
    assert "× DUPLICATE" in said_red
    assert "repeat: pytest test_my_loop.py" in said_red
    assert green == 0, said_green
    minutes = (time.monotonic() - began) / 60
    accepted(
        "The tutorial of the pytest plugin, to the letter, from the built wheel",
        "docs/pytest.md",
        f"red on the wrong loop ({_found(said_red)}), green on the right one; "
        f"{minutes:.1f} minutes, the install included",
    )


@pytest.mark.accept
@pytest.mark.timeout(1800)
def test_the_right_loop_is_green_each_time(tmp_path: Path, accepted: Accepted) -> None:
    shutil.copytree(LOOPS, tmp_path / "loops")
    cases = _cases(tmp_path / "loops", "-k", "right", "--eos-seeds", str(TIMES))
    green = [case for case in cases if case.find("failure") is None]
    assert len(cases) == TIMES
    assert len(green) == TIMES, [each.attrib["name"] for each in cases if each not in green]
    accepted(
        "The hand-written loop done right is green each time",
        f"cd examples/loops && pytest -k right --eos-seeds {TIMES}",
        f"{len(green)} of {TIMES}: 2 kills and 2 crashes between a commit and its answer in each",
    )


@pytest.mark.accept
@pytest.mark.timeout(600)
def test_the_usual_mistakes_are_red_each_time(tmp_path: Path, accepted: Accepted) -> None:
    shutil.copytree(LOOPS, tmp_path / "loops")
    cases = _cases(tmp_path / "loops", "-k", "not right", "--eos-seeds", "3")
    found = {
        each.attrib["value"]
        for case in cases
        for each in case.iter("property")
        if each.attrib["name"] == "eos_findings"
    }
    assert len(cases) == 6
    assert all(case.find("failure") is not None for case in cases)
    assert all("DUPLICATE" in each for each in found)
    accepted(
        "The same loop with offsets by auto-commit, and outside the transaction, is red",
        "cd examples/loops && pytest -k 'not right' --eos-seeds 3",
        f"6 of 6: {'; '.join(sorted(found))}",
    )


def _cases(folder: Path, *options: str) -> list[ElementTree.Element]:
    plugin = [] if INSTALLED else ["-p", "eoscheck.pytest_plugin"]
    subprocess.run(
        [sys.executable, "-m", "pytest", *plugin, "-q", "--junitxml=junit.xml", *options],
        cwd=folder,
        timeout=1700,
        check=False,
    )
    return list(ElementTree.parse(folder / "junit.xml").iter("testcase"))


def _found(output: str) -> str:
    match = re.search(r"[\d,]+ × \w+", output)
    return match[0] if match else "nothing"
