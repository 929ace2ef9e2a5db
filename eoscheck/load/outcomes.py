"""What became of each record: collected here, written to the history in batches."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Literal, Protocol

from eoscheck.history import SendsAcknowledged, SendsUnconfirmed
from eoscheck.history.events import Event, Identity

_EVERY_S = 0.25
_LARGEST_EVENT = 10_000

Unconfirmed = Literal["aborted", "failed", "indeterminate"]


class EventLog(Protocol):
    """What is needed of a recorder."""

    def now(self) -> float: ...

    def record(self, event: Event) -> None: ...


class Outcomes:
    """Belongs to the load's thread. `counts`: outcome -> records so far."""

    def __init__(self, *, topic: str, recorder: EventLog) -> None:
        self.counts: Counter[str] = Counter()
        self._topic = topic
        self._recorder = recorder
        self._written_at = recorder.now()
        self._identities: list[Identity] = []
        self._partitions: list[int] = []
        self._offsets: list[int] = []
        self._intended: list[float] = []
        self._unconfirmed: dict[tuple[Unconfirmed, str], list[Identity]] = defaultdict(list)

    def acknowledged(
        self, identity: Identity, partition: int, offset: int, intended: float
    ) -> None:
        self._identities.append(identity)
        self._partitions.append(partition)
        self._offsets.append(offset)
        self._intended.append(intended)

    def unconfirmed(
        self, outcome: Unconfirmed, identities: Sequence[Identity], reason: str
    ) -> None:
        self._unconfirmed[outcome, reason].extend(identities)

    def write_if_due(self) -> None:
        """Often enough to watch, seldom enough to keep the history small."""
        waited = self._recorder.now() - self._written_at
        if waited >= _EVERY_S or len(self._identities) >= _LARGEST_EVENT:
            self.write()

    def write(self) -> None:
        self._written_at = self._recorder.now()
        if self._identities:
            self.counts["acknowledged"] += len(self._identities)
            self._recorder.record(
                SendsAcknowledged(
                    t=self._written_at,
                    topic=self._topic,
                    identities=self._identities,
                    partitions=self._partitions,
                    offsets=self._offsets,
                    intended=self._intended,
                )
            )
            self._identities, self._partitions = [], []
            self._offsets, self._intended = [], []
        for (outcome, reason), identities in self._unconfirmed.items():
            if identities:
                self.counts[outcome] += len(identities)
                self._recorder.record(
                    SendsUnconfirmed(
                        t=self._written_at,
                        topic=self._topic,
                        outcome=outcome,
                        identities=identities,
                        reason=reason,
                    )
                )
        self._unconfirmed.clear()
