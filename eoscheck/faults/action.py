"""One planned fault, bound to what it is done to: what each family's module makes."""

from __future__ import annotations

from typing import Any, Protocol

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
