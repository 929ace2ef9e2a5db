"""What a scenario must come out as."""

from __future__ import annotations

import msgspec

from eoscheck.audit.findings import Code, Verdict


class ProtocolHazard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A scenario that a healthy app fails, for the protocol is at fault. `class`: which of its
    known hazards; `exposed`: the versions of clients and brokers; `why`: in a sentence or two."""

    class_: str = msgspec.field(name="class")
    exposed: str
    why: str


class Expectation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a scenario must come out as: a bug switched on must be found, and by which codes; and
    where no app can help it, by which hazard of the protocol."""

    verdict: Verdict = Verdict.PASS
    codes: list[Code] = []
    hazard: ProtocolHazard | None = None
