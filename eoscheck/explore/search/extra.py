"""What makes schedules and writes scenario files comes from kept libraries, which are an extra."""

from __future__ import annotations

import importlib

from eoscheck.errors import InfrastructureError


def require_extra() -> None:
    """Ask before a search rather than in the midst of it. Raises InfrastructureError."""
    for module in ("hypothesis", "tomlkit"):
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise InfrastructureError(
                f"a search needs {module}: pip install 'eoscheck[explore]'"
            ) from error
