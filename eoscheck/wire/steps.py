"""The steps of the exactly-once protocol: a request by its API and, where that says more, its part.

Words are Kafka's: `Produce(output)`, `Produce(changelog)`, `Produce(internal)`, `Fetch(input)`,
`Fetch(restore)`, `ListOffsets(restore)`, `EndTxn(commit)`, `EndTxn(abort)`, `TxnOffsetCommit`,
`InitProducerId`, `JoinGroup`, ... A request that touches several kinds of topics is a step for
each of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TypeAlias

from eoscheck.errors import UsageError, did_you_mean
from eoscheck.wire.apis import API_NAMES
from eoscheck.wire.request import Request

Step: TypeAlias = str

_READ = ("input", "restore", "internal", "output")
PARTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Produce": ("output", "changelog", "internal", "input"),
        "Fetch": _READ,
        "ListOffsets": _READ,
        "EndTxn": ("commit", "abort"),
    }
)
"""By API: what its steps may have in brackets."""


@dataclass(frozen=True, kw_only=True)
class TopicRoles:
    """What the subject's topics are to it. All others are `internal` (repartition topics)."""

    inputs: frozenset[str] = frozenset()
    outputs: frozenset[str] = frozenset()
    changelogs: frozenset[str] = frozenset()


def steps_of(request: Request, roles: TopicRoles) -> tuple[Step, ...]:
    """At least one: the API's own name, where nothing more can be told."""
    match request.api:
        case "EndTxn" if request.committed is not None:
            return (f"EndTxn({'commit' if request.committed else 'abort'})",)
        case "Produce" | "Fetch" | "ListOffsets":
            return _by_topics(request.api, request.topics, roles)
        case _:
            return (request.api,)


@lru_cache(maxsize=1024)
def _by_topics(api: str, topics: tuple[str, ...], roles: TopicRoles) -> tuple[Step, ...]:
    part_of = _written if api == "Produce" else _read
    found = {part_of(topic, roles) for topic in topics}
    parts = [part for part in PARTS[api] if part in found]
    return tuple(f"{api}({part})" for part in parts) or (api,)


def matches(step: Step, of: Sequence[Step]) -> bool:
    """Whether a rule for `step` is meant: `Produce` means every `Produce(...)`."""
    return any(step in (each, each.partition("(")[0]) for each in of)


def require_step(step: Step) -> None:
    """Raises UsageError where no request can be that step."""
    api, bracket, _ = step.partition("(")
    if api not in API_NAMES.values():
        raise UsageError(f"Kafka has no API {api!r}{did_you_mean(api, API_NAMES.values())}")
    whole = [f"{api}({part})" for part in PARTS.get(api, ())]
    if bracket and step not in whole:
        steps = ", ".join([api, *whole])
        raise UsageError(f"there is no step {step!r}, but {steps}{did_you_mean(step, whole)}")


def _written(topic: str, roles: TopicRoles) -> str:
    if topic in roles.outputs:
        return "output"
    if topic in roles.changelogs:
        return "changelog"
    return "input" if topic in roles.inputs else "internal"


def _read(topic: str, roles: TopicRoles) -> str:
    if topic in roles.inputs:
        return "input"
    if topic in roles.changelogs:
        return "restore"
    return "output" if topic in roles.outputs else "internal"
