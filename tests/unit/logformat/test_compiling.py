"""Machine code on disk is never that of other sources."""

from __future__ import annotations

from pathlib import Path

import pytest

from eoscheck.logformat import compiling


def test_the_folder_changes_with_any_compiled_module(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EOSCHECK_CACHE", str(tmp_path / "cache"))
    package = tmp_path / "package"
    (package / "room").mkdir(parents=True)
    (package / "other").mkdir()
    caller, callee = package / "room" / "compiled.py", package / "other" / "compiled_json.py"
    caller.write_text("calls")
    callee.write_text("one")
    monkeypatch.setattr(compiling, "__file__", str(package / "room" / "compiling.py"))
    fresh = compiling._folder.__wrapped__
    first = fresh()
    assert first.is_dir()
    assert fresh() == first
    callee.write_text("two")
    assert fresh() != first


def test_where_numba_keeps_other_code_is_left_alone() -> None:
    from numba.core import config

    before = config.CACHE_DIR
    compiling.compiled_module("eoscheck.logformat.compiled")
    assert before == config.CACHE_DIR
