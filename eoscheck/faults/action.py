"""One planned fault, bound to what it is done to: what each family's module makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from eoscheck.errors import InfrastructureError

Evidence = dict[str, Any]
"""Plain data that proves what was done; it stands in the history."""


class DidNotBiteError(InfrastructureError):
    """Found out at the heal: the fault was there, and nothing met it. The run is unknown then."""


class Action(Protocol):
    """Used once, by one thread at a time."""

    @property
    def target(self) -> str:
        """Who was hit, in words: `instance 1`, `broker 2 (controller)`. Known once it struck."""
        ...

    def strike(self) -> Evidence:
        """Does it. Raises InfrastructureError with the reason where that did not work."""
        ...

    def heal(self) -> Evidence:
        """Undoes it, and says what only the end can tell. Idempotent; also called after a strike
        that failed half-way. Raises DidNotBiteError once all is well again, InfrastructureError
        where it could not be undone."""
        ...


@dataclass(frozen=True, kw_only=True)
class Struck:
    """`at`: by `time.monotonic`; `instance`: None where it is about all of them.
    `transactional_id`: of one that died, whose transaction may be left open."""

    at: float
    instance: int | None
    transactional_id: str | None = None


@runtime_checkable
class Triggered(Action, Protocol):
    """An action that strikes when something comes: then, not when it is told to. Its `strike` only
    tells of that."""

    def wait_struck(self, *, timeout_s: float, stop: Callable[[], bool]) -> Struck:
        """Blocks until it has struck. Raises InfrastructureError where nothing came in time, or
        `stop` said so."""
        ...

    def wait_over(self, *, timeout_s: float, stop: Callable[[], bool]) -> bool:
        """Blocks until it has done what it is for, at most so long. False, and at once, where it
        does not know of such a moment: its heal comes at the end of that time then."""
        ...
