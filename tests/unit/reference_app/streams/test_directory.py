"""The state directory: one process at a time, one process id for ever."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from reference_app.streams.directory import StateDirectory, write_atomically
from reference_app.streams.errors import ConfigurationError


def test_the_process_id_outlives_the_process(tmp_path: Path) -> None:
    with StateDirectory(tmp_path, "app") as directory:
        first = directory.process_id
    with StateDirectory(tmp_path, "app") as directory:
        assert directory.process_id == first


def test_a_wiped_directory_has_a_new_process_id(tmp_path: Path) -> None:
    ids = set()
    for name in ("one", "two"):
        with StateDirectory(tmp_path / name, "app") as directory:
            ids.add(directory.process_id)
    assert len(ids) == 2


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    with (
        StateDirectory(tmp_path, "app"),
        pytest.raises(ConfigurationError, match="in use by another process"),
        StateDirectory(tmp_path, "app", lock_timeout_s=0.05),
    ):
        pytest.fail("both hold it")


def test_another_app_has_its_own_place(tmp_path: Path) -> None:
    with StateDirectory(tmp_path, "one") as one, StateDirectory(tmp_path, "two") as two:
        assert one.store_path(3, "balances") == tmp_path / "one" / "3" / "balances"
        assert one.process_id != two.process_id


def test_a_damaged_process_file_is_one_clear_line(tmp_path: Path) -> None:
    with StateDirectory(tmp_path, "app") as directory:
        (tmp_path / "app" / "process.json").write_text("{")
        with pytest.raises(ConfigurationError, match="remove the state directory"):
            _ = directory.process_id


def test_a_directory_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ConfigurationError, match="--state-dir cannot be used"),
        StateDirectory(tmp_path / "file", "app"),
    ):
        pytest.fail("it was made")


def test_files_are_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, target: Path) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr(Path, "replace", refuse)


def test_a_full_disk_keeps_the_old_file_and_no_half_of_a_new_one(
    tmp_path: Path, full: None
) -> None:
    (tmp_path / "metrics.json").write_bytes(b"old")
    with pytest.raises(OSError, match="No space left"):
        write_atomically(tmp_path / "metrics.json", b"new")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_a_process_id_that_cannot_be_kept_is_one_clear_line(tmp_path: Path, full: None) -> None:
    with StateDirectory(tmp_path, "app") as directory:
        with pytest.raises(ConfigurationError, match=r"--state-dir cannot be used: .*No space"):
            _ = directory.process_id
