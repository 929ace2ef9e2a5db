"""What a check hands back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from eoscheck.audit.findings import Code, Hazard, Unknown
from eoscheck.audit.records import Place
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
class Checked:
    """`unknowns` are what the check could not judge, `counts` plain totals for the report,
    `hazards` what went well only by luck."""

    found: list[Found] = field(default_factory=list)
    unknowns: list[Unknown] = field(default_factory=list)
    counts: Mapping[str, int] = field(default_factory=dict)
    hazards: list[Hazard] = field(default_factory=list)
