"""The errors a user can see: one clear line each, and exit code 2 on the command line."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class EoscheckError(Exception):
    """Something the user or the machine has to put right: one line that names the fix."""


class UsageError(EoscheckError):
    """The arguments, the scenario or an expression are wrong."""


class InfrastructureError(EoscheckError):
    """The machine, the network or the cluster does not give what the command needs."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`" (did you mean 'x'?)"` for the nearest known word, or an empty string."""
    close = get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
