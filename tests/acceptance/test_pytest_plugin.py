"""The pytest plugin as a stranger meets it: the tutorial, followed to the letter, and no flake."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.acceptance.conftest import Accepted
from tests.tutorial import build_wheel, follow, require_followed
from tests.unit.testing.fakes import INSTALLED

ROOT = Path(__file__).parents[2]
LOOPS = ROOT / "examples" / "loops"
TIMES = 20


@pytest.mark.accept
@pytest.mark.timeout(1200)
def test_the_tutorial_followed_to_the_letter(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, accepted: Accepted
) -> None:
    began = time.monotonic()
    wheel = build_wheel(tmp_path_factory.mktemp("wheel"))
    red, _ = require_followed(follow(tmp_path, wheel=wheel))
    minutes = (time.monotonic() - began) / 60
    accepted(
        "The tutorial of the pytest plugin, to the letter, from the built wheel",
        "docs/pytest.md",
        f"red on the wrong loop ({red.found}), green on the right one; "
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
