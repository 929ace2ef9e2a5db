"""A finding's evidence as lines of text: it is plain data of any shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def lines(value: Any) -> list[str]:
    """One line for each element of a list, one for anything else."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [inline(element) for element in value] or ["none"]
    return [inline(value)]


def inline(value: Any) -> str:
    """`{"at": "t-0@7", "open": True}` -> `at t-0@7 · open yes`."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return " · ".join(f"{label(str(name))} {_nested(inner)}" for name, inner in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_nested(element) for element in value) or "none"
    return str(value)


def label(name: str) -> str:
    return name.replace("_", " ")


def _nested(value: Any) -> str:
    text = inline(value)
    return f"({text})" if isinstance(value, Mapping | list | tuple) and len(value) > 1 else text
