"""Only what the lock file names reaches the cache, and every failure is one clear line."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest

from eoscheck.artifacts import Repository, fetch, missing_files
from eoscheck.errors import EoscheckError, InfrastructureError, UsageError
from tests.unit.artifacts.fake_repository import FakeRepository


@pytest.fixture
def lock(repository: FakeRepository, tmp_path: Path) -> Path:
    return repository.write_lock(tmp_path / "x.lock.json")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def files_in(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.*") if p.is_file())


def test_files_come_in_the_order_of_the_lock_and_only_once(
    repository: FakeRepository, lock: Path, cache: Path
) -> None:
    news: list[str] = []
    paths = fetch(lock, cache=cache, progress=news.append)
    assert [path.name for path in paths] == ["b.jar", "a.jar", "c.jar"]
    assert all(path.read_bytes() == path.stem.encode() * 50_000 for path in paths)
    assert news[-1] == "downloaded 3 of 3 files, 0 of 0 MB"
    assert missing_files(lock, cache=cache) == []
    repository.stop()  # from now on there is no network
    assert fetch(lock, cache=cache) == paths


def test_a_wrong_file_is_refused_and_deleted(
    repository: FakeRepository, lock: Path, cache: Path
) -> None:
    repository.content["org/x/a.jar"] = b"z" * 50_000
    with pytest.raises(InfrastructureError, match=r"org/x/a\.jar .* refused and deleted") as caught:
        fetch(lock, cache=cache)
    assert "\n" not in str(caught.value)
    assert not (cache / "maven/org/x/a.jar").exists()
    assert not [name for name in files_in(cache) if ".part" in name]


def test_no_more_is_read_than_was_locked(
    repository: FakeRepository, lock: Path, cache: Path
) -> None:
    repository.content["org/x/a.jar"] += b"!"
    with pytest.raises(InfrastructureError, match="refused"):
        fetch(lock, cache=cache)


@pytest.mark.parametrize("damage", [b"", b"short", b"z" * 50_000], ids=["empty", "cut", "altered"])
def test_a_damaged_cache_is_downloaded_again(
    repository: FakeRepository, lock: Path, cache: Path, damage: bytes
) -> None:
    damaged = fetch(lock, cache=cache)[1]
    damaged.write_bytes(damage)
    assert [file.path for file in missing_files(lock, cache=cache)] == ["org/x/a.jar"]
    fetch(lock, cache=cache)
    assert damaged.read_bytes() == b"a" * 50_000
    assert repository.served == {"org/x/a.jar": 2, "org/x/b.jar": 1, "org/x/c.jar": 1}


@pytest.mark.thorough
def test_an_overloaded_repository_is_asked_again(
    repository: FakeRepository, lock: Path, cache: Path
) -> None:
    repository.failures["org/x/c.jar"] = (503, 2)
    assert len(fetch(lock, cache=cache)) == 3
    assert repository.served["org/x/c.jar"] == 3


def test_a_file_that_is_not_there_is_one_line(
    repository: FakeRepository, lock: Path, cache: Path
) -> None:
    del repository.content["org/x/b.jar"]
    with pytest.raises(InfrastructureError, match=r"org/x/b\.jar .*HTTP 404") as caught:
        fetch(lock, cache=cache)
    assert "\n" not in str(caught.value)


@pytest.mark.thorough
@pytest.mark.parametrize("host", ["127.0.0.1:1", "name.invalid"])
def test_no_network_is_one_line_without_credentials(
    lock: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("EOSCHECK_MAVEN_REPOSITORY", f"http://me:secret@{host}/maven2")
    with pytest.raises(InfrastructureError, match=f"http://{host}/maven2: Failed to") as caught:
        fetch(lock, cache=cache)
    assert "secret" not in str(caught.value)
    assert "check the network" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_full_disk_is_one_line_with_the_fix(
    lock: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> str:
        raise OSError(errno.ENOSPC, "", str(cache))

    monkeypatch.setattr(Repository, "_receive", full)
    with pytest.raises(InfrastructureError, match=r"No space left.*EOSCHECK_CACHE"):
        fetch(lock, cache=cache)


@pytest.mark.usefixtures("repository")
def test_a_cache_that_cannot_be_made_is_one_line(lock: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InfrastructureError, match=r"cannot be written.*EOSCHECK_CACHE"):
        fetch(lock, cache=tmp_path / "file" / "cache")


def test_two_at_once_download_once(repository: FakeRepository, lock: Path, cache: Path) -> None:
    repository.delay_s = 0.2
    news: list[str] = []
    threads = [
        threading.Thread(
            target=fetch, args=[lock], kwargs={"cache": cache, "progress": news.append}
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(repository.served.values()) == {1}
    assert "waiting for another eoscheck that is downloading the same" in news


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "is not a lock file"),
        ('{"roots": [], "files": [{"path": "a", "size": 1}]}', "sha256"),
        ('{"roots": [], "files": [{"path": "../a", "sha256": "", "size": 1}]}', "outside"),
        ('{"roots": [], "files": [{"path": "/a", "sha256": "", "size": 1}]}', "outside"),
    ],
)
def test_a_bad_lock_file_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    lock = tmp_path / "bad.lock.json"
    lock.write_text(text)
    with pytest.raises(UsageError, match=rf"bad\.lock\.json.*{complaint}"):
        fetch(lock, cache=tmp_path)
    with pytest.raises(UsageError, match="no lock file"):
        fetch(tmp_path / "none", cache=tmp_path)


def test_a_probe_asks_once_and_downloads_nothing(
    repository: FakeRepository, lock: Path, cache: Path
) -> None:
    file = missing_files(lock, cache=cache)[0]
    Repository(repository.url, connections=1).probe(file, timeout_s=5.0)
    repository.failures[file.path] = (503, 9)
    with pytest.raises(EoscheckError, match="does not answer: HTTP 503"):
        Repository(repository.url, connections=1).probe(file, timeout_s=5.0)
    assert repository.served[file.path] == 2
    assert not cache.exists()
