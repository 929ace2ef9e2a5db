"""What is done to a state directory, and that doing nothing is an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from eoscheck.errors import InfrastructureError
from eoscheck.subject import state_files


@pytest.fixture
def state(tmp_path: Path) -> Path:
    state = tmp_path / "state"
    (state / "0" / "store").mkdir(parents=True)
    (state / "0" / "store" / "000007.sst").write_bytes(bytes(100))
    (state / "0" / "store" / "000009.sst").write_bytes(bytes(301))
    (state / "0" / "store" / "checkpoint").write_text("old")
    return state


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_wipe_leaves_the_directory_and_nothing_in_it(state: Path) -> None:
    assert state_files.wipe(state) == {"wiped": str(state), "wiped_files": 3}
    assert list(state.iterdir()) == []
    with pytest.raises(InfrastructureError, match=r"nothing to wipe \(does the command use"):
        state_files.wipe(state)


def test_an_older_copy_is_put_back_whole(state: Path, tmp_path: Path) -> None:
    older = content(state)
    assert state_files.keep_copy(state, tmp_path / "copy") == {"kept_files": 3}
    (state / "0" / "store" / "checkpoint").write_text("new")
    (state / "0" / "store" / "000007.sst").unlink()
    (state / "1").mkdir()
    (state / "1" / "later").touch()
    evidence = state_files.put_back(state, tmp_path / "copy")
    assert content(state) == older
    assert not (state / "1").exists()
    assert evidence["older_files"] == 3


def test_a_copy_that_is_no_older_is_no_fault(state: Path, tmp_path: Path) -> None:
    state_files.keep_copy(state, tmp_path / "copy")
    with pytest.raises(InfrastructureError, match="has not changed since its copy was kept"):
        state_files.put_back(state, tmp_path / "copy")
    with pytest.raises(InfrastructureError, match="have not changed since"):
        state_files.put_stale(state, tmp_path / "copy", pattern="*check*", wiped=False)


def test_a_second_copy_takes_the_place_of_the_first(state: Path, tmp_path: Path) -> None:
    state_files.keep_copy(state, tmp_path / "copy")
    (state / "0" / "store" / "000007.sst").unlink()
    assert state_files.keep_copy(state, tmp_path / "copy") == {"kept_files": 2}
    assert content(tmp_path / "copy") == content(state)


def test_a_stale_file_comes_beside_newer_ones(state: Path, tmp_path: Path) -> None:
    state_files.keep_copy(state, tmp_path / "copy")
    (state / "0" / "store" / "checkpoint").write_text("new")
    (state / "0" / "store" / "000007.sst").write_bytes(b"new")
    evidence = state_files.put_stale(state, tmp_path / "copy", pattern="*checkpoint*", wiped=False)
    assert evidence == {"stale_files": ["0/store/checkpoint"], "newer_files": 2}
    assert (state / "0" / "store" / "checkpoint").read_text() == "old"
    assert (state / "0" / "store" / "000007.sst").read_bytes() == b"new"


def test_a_stale_file_can_come_beside_nothing(state: Path, tmp_path: Path) -> None:
    state_files.keep_copy(state, tmp_path / "copy")
    evidence = state_files.put_stale(state, tmp_path / "copy", pattern="*checkpoint*", wiped=True)
    assert evidence == {"stale_files": ["0/store/checkpoint"], "wiped_files": 2}
    assert content(state) == {"0/store/checkpoint": b"old"}


def test_a_pattern_that_nothing_matches_is_told(state: Path, tmp_path: Path) -> None:
    state_files.keep_copy(state, tmp_path / "copy")
    with pytest.raises(InfrastructureError, match=r"matches '\*\.offsets'"):
        state_files.put_stale(state, tmp_path / "copy", pattern="*.offsets", wiped=False)
    with pytest.raises(InfrastructureError, match=r"matches '\*\.ldb'"):
        state_files.truncate(state, pattern="*.ldb")


def test_the_largest_file_is_truncated_to_half(state: Path) -> None:
    assert state_files.truncate(state, pattern="*.sst") == {
        "truncated": "0/store/000009.sst",
        "from_bytes": 301,
        "to_bytes": 150,
    }
    assert (state / "0" / "store" / "000009.sst").stat().st_size == 150
    assert (state / "0" / "store" / "000007.sst").stat().st_size == 100
