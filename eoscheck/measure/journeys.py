"""Each acknowledged input record, joined with the moment its output was first seen committed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from eoscheck.history.events import (
    Event,
    Identity,
    OutputsObserved,
    SendsAcknowledged,
    SendsUnconfirmed,
)
from eoscheck.measure.figures import Counts

Partition: TypeAlias = tuple[str, int]
"""Input topic and partition number."""


@dataclass(frozen=True, slots=True)
class Journey:
    """One acknowledged input. `seen` is None where no committed output was seen live."""

    partition: Partition
    intended: float
    seen: float | None


def journeys(events: Sequence[Event]) -> list[Journey]:
    """In the order of acknowledgement. An identity that was sent twice counts once, the first time.

    The join needs the whole history: an output is often seen before its input's batch of
    acknowledgements is recorded.
    """
    seen = first_seen(events)
    joined: dict[Identity, Journey] = {}
    for event in events:
        if isinstance(event, SendsAcknowledged):
            columns = zip(event.identities, event.partitions, event.intended, strict=True)
            for identity, partition, intended in columns:
                if identity not in joined:
                    joined[identity] = Journey(
                        (event.topic, partition), intended, seen.get(identity)
                    )
    return list(joined.values())


def first_seen(events: Sequence[Event]) -> dict[Identity, float]:
    seen: dict[Identity, float] = {}
    for event in events:
        if isinstance(event, OutputsObserved):
            for identity in event.identities:
                earlier = seen.get(identity)
                seen[identity] = event.t if earlier is None else min(earlier, event.t)
    return seen


def count(events: Sequence[Event]) -> Counts:
    outcomes = {"aborted": 0, "failed": 0, "indeterminate": 0}
    acknowledged: set[Identity] = set()
    sends = observed = 0
    for event in events:
        if isinstance(event, SendsAcknowledged):
            sends += len(event.identities)
            acknowledged.update(event.identities)
        elif isinstance(event, SendsUnconfirmed):
            outcomes[event.outcome] += len(event.identities)
        elif isinstance(event, OutputsObserved):
            observed += len(event.identities)
    distinct = first_seen(events).keys()
    return Counts(
        sent=sends + sum(outcomes.values()),
        acknowledged=sends,
        observed=observed,
        distinct=len(distinct),
        reprocessed=observed - len(distinct),
        unobserved=len(acknowledged - distinct),
        unmatched=len(distinct - acknowledged),
        **outcomes,
    )
