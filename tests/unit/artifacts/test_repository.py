"""Companies have mirrors: which repository is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from eoscheck.artifacts import cache_folder, repository_url
from eoscheck.errors import UsageError

_SETTINGS = """<settings{namespace}><mirrors>
  <mirror><id>other</id><mirrorOf>jcenter</mirrorOf><url>http://jcenter.test</url></mirror>
  <mirror><id>mine</id><mirrorOf>{mirror_of}</mirrorOf>
    <url> http://mirror.test/maven/ </url></mirror>
</mirrors></settings>"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("EOSCHECK_MAVEN_REPOSITORY", raising=False)
    return tmp_path / "settings.xml"


@pytest.mark.parametrize("mirror_of", ["central", "*", "external:*", "snapshots, central", "*,!x"])
@pytest.mark.parametrize("namespace", ["", ' xmlns="http://maven.apache.org/SETTINGS/1.2.0"'])
def test_a_mirror_of_central_is_used(settings: Path, mirror_of: str, namespace: str) -> None:
    settings.write_text(_SETTINGS.format(mirror_of=mirror_of, namespace=namespace))
    assert repository_url(settings=settings) == "http://mirror.test/maven"


@pytest.mark.parametrize("mirror_of", ["snapshots", "*,!central"])
def test_a_mirror_of_something_else_is_not(settings: Path, mirror_of: str) -> None:
    central = repository_url(settings=settings)  # there is no such file yet
    settings.write_text(_SETTINGS.format(mirror_of=mirror_of, namespace=""))
    assert repository_url(settings=settings) == central
    assert central.startswith("https://")


def test_the_environment_comes_first(settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.write_text(_SETTINGS.format(mirror_of="*", namespace=""))
    monkeypatch.setenv("EOSCHECK_MAVEN_REPOSITORY", "http://chosen.test/")
    assert repository_url(settings=settings) == "http://chosen.test"


def test_broken_settings_are_named(settings: Path) -> None:
    settings.write_text("<settings>")
    with pytest.raises(UsageError, match=r"settings\.xml is not valid XML"):
        repository_url(settings=settings)


def test_the_cache_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EOSCHECK_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("EOSCHECK_CACHE")
    assert cache_folder().name == "eoscheck"
