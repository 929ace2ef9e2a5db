"""What a check hands back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from eoscheck.audit.findings import Code, Hazard, Unknown
from eoscheck.audit.rows.records import Place
from eoscheck.history.events import Identity


class Cause(StrEnum):
    """Why a result may be wrong without a fault of its own, under a guarantee that allows that."""

    REPROCESSED = "an input of the same key was processed more than once"
    LOST = "an input of the same key was lost"


@dataclass(frozen=True, kw_only=True)
class Anomaly:
    """One anomaly by its places: names, times and writers are read from the topic later.

    `offsets` are of the partition of `place`; `related` are further places to show, under what
    they are. It is named after the record at `place`, unless `identity` is known, or `sequel` gives
    another number in the same sequence, or `key_of` a record whose key it is about.
    """

    place: Place
    offsets: list[int]
    detail: str
    identity: Identity | None = None
    sequel: int | None = None
    key_of: Place | None = None
    related: Mapping[str, list[Place]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Found:
    """The first anomalies of one code and cause, and how many there are in all."""

    code: Code
    total: int
    anomalies: list[Anomaly]
    causes: frozenset[Cause] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """Something that could not be judged: `{count}` in `reason` stands for how many."""

    subject: str
    reason: str
    count: int = 1

    def said(self) -> Unknown:
        return Unknown(subject=self.subject, reason=self.reason.replace("{count}", str(self.count)))


@dataclass(frozen=True, kw_only=True)
class Checked:
    """`unknowns` are what the check could not judge, `counts` plain totals for the report,
    `hazards` what went well only by luck."""

    found: Sequence[Found] = field(default_factory=list)
    unknowns: Sequence[Unknown | Doubt] = field(default_factory=list)
    counts: Mapping[str, int] = field(default_factory=dict)
    hazards: Sequence[Hazard] = field(default_factory=list)


def merged(parts: Iterable[Checked], *, limit: int) -> Checked:
    """What the same checks said of several shards, as if they had seen all of it: totals add up,
    and the first anomalies of all stay."""
    found: dict[tuple[Code, frozenset[Cause]], Found] = {}
    doubts: dict[tuple[str, str], Doubt] = {}
    unknowns: dict[Unknown, None] = {}
    counts: Counter[str] = Counter()
    hazards: list[Hazard] = []
    for part in parts:
        for each in part.found:
            key = each.code, each.causes
            found[key] = _both(found[key], each, limit=limit) if key in found else each
        for unknown in part.unknowns:
            if isinstance(unknown, Doubt):
                known = doubts.get((unknown.subject, unknown.reason))
                total = unknown.count + (known.count if known else 0)
                doubts[unknown.subject, unknown.reason] = replace(unknown, count=total)
            else:
                unknowns[unknown] = None
        counts.update(part.counts)
        hazards += part.hazards
    return Checked(
        found=list(found.values()),
        unknowns=[*doubts.values(), *unknowns],
        counts=counts,
        hazards=hazards,
    )


def _both(one: Found, other: Found, *, limit: int) -> Found:
    anomalies = sorted([*one.anomalies, *other.anomalies], key=lambda each: each.place)
    return replace(one, total=one.total + other.total, anomalies=anomalies[:limit])
