"""Statistics come from kept libraries, which are an extra: audits alone do not need them."""

from __future__ import annotations

import importlib
from types import ModuleType

from eoscheck.errors import InfrastructureError


def load(module: str) -> ModuleType:
    """The named module of the extra `measure`. Raises InfrastructureError where it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise InfrastructureError(
            f"figures need {module.partition('.')[0]}: pip install 'eoscheck[measure]'"
        ) from error


def require_extra() -> None:
    """Ask before a run rather than after it. Raises InfrastructureError."""
    for module in ("hdrh.histogram", "scipy.stats"):
        load(module)
