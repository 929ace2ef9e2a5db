"""The steps of the exactly-once protocol: a request by its API and, where that says more, its part.

Words are Kafka's: `Produce(output)`, `Produce(changelog)`, `Produce(internal)`, `Fetch(input)`,
`Fetch(restore)`, `ListOffsets(restore)`, `EndTxn(commit)`, `EndTxn(abort)`, `TxnOffsetCommit`,
`InitProducerId`, `JoinGroup`, ... A request that touches several kinds of topics is a step for
each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from eoscheck.wire.request import Request

Step: TypeAlias = str


@dataclass(frozen=True, kw_only=True)
class TopicRoles:
    """What the subject's topics are to it. All others are `internal` (repartition topics)."""

    inputs: frozenset[str] = frozenset()
    outputs: frozenset[str] = frozenset()
    changelogs: frozenset[str] = frozenset()


def steps_of(request: Request, roles: TopicRoles) -> Sequence[Step]:
    """At least one: the API's own name, where nothing more can be told."""
    raise NotImplementedError


def matches(step: Step, of: Sequence[Step]) -> bool:
    """Whether a rule for `step` is meant: `Produce` means every `Produce(...)`."""
    return any(step in (each, each.partition("(")[0]) for each in of)
