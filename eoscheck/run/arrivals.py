"""How long records are on their way, joined while a run goes on."""

from __future__ import annotations

from eoscheck.history import Event, OutputsObserved, SendsAcknowledged
from eoscheck.history.events import Identity


class Arrivals:
    """A listener: joins each acknowledged record with the first committed output of its identity,
    whichever was told first. What an app makes of one record more than once counts once."""

    def __init__(self) -> None:
        self._waiting: dict[Identity, float] = {}
        self._early: dict[Identity, float] = {}
        self._intended: list[float] = []
        self._seen: list[float] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, SendsAcknowledged):
            for identity, intended in zip(event.identities, event.intended, strict=True):
                seen = self._early.pop(identity, None)
                if seen is None:
                    self._waiting[identity] = intended
                else:
                    self._note(intended, seen)
        elif isinstance(event, OutputsObserved):
            for identity in event.identities:
                sent = self._waiting.pop(identity, None)
                if sent is not None:
                    self._note(sent, event.t)
                elif identity not in self._early:
                    self._early[identity] = event.t

    def _note(self, intended: float, seen: float) -> None:
        self._intended.append(intended)
        self._seen.append(seen)

    def take(self) -> tuple[list[float], list[float]]:
        """When they were to leave and when they were seen, since it was last asked."""
        taken = self._intended, self._seen
        self._intended, self._seen = [], []
        return taken
