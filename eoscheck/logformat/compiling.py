"""Imports modules of compiled functions, which numba keeps on disk.

numba knows only a function's own file: what it calls in another may have changed since, and would
run as it was. So the folder is named after the text of all compiled modules together.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import shutil
import sys
import time
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from eoscheck.artifacts.cache import cache_folder

_KEPT_S = 30 * 24 * 3600
"""A folder of other versions is removed when nobody has made one since."""


def compiles() -> bool:
    """Whether numba is there (extra `fast`)."""
    return find_spec("numba") is not None


def is_loaded() -> bool:
    """Whether compiled code is in use already, so that more of it costs no second to load."""
    return "numba" in sys.modules


def is_compiled() -> bool:
    """Whether this version was compiled before on this machine: else it takes half a minute."""
    return bool(os.environ.get("NUMBA_CACHE_DIR")) or any(_folder().rglob("*.nbi"))


@cache
def compiled_module(name: str) -> ModuleType:
    """Raises ModuleNotFoundError where `compiles()` is false."""
    from numba.core import config as numba_config

    config: Any = numba_config
    before = config.CACHE_DIR
    if not before:  # NUMBA_CACHE_DIR is the user's own choice
        config.CACHE_DIR = str(_folder())
    try:
        return importlib.import_module(name)
    finally:
        config.CACHE_DIR = before


@cache
def _folder() -> Path:
    package = Path(__file__).parents[1]
    text = hashlib.sha256()
    for file in sorted([*package.rglob("compiled*.py"), *package.rglob("layout.py")]):
        text.update(file.read_bytes())
    parent = cache_folder() / "compiled"
    folder = parent / text.hexdigest()[:16]
    try:
        if not folder.exists():
            folder.mkdir(parents=True)
            for other in parent.iterdir():
                if other.stat().st_mtime < time.time() - _KEPT_S:
                    shutil.rmtree(other, ignore_errors=True)
    except OSError:
        pass  # numba looks for a place of its own, or compiles for this process alone
    return folder
