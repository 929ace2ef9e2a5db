"""What an exam says: of each promise whether it is kept, and what was seen. Plain data."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    """`UNKNOWN`: it could not be examined. Never a guess. `NOT_OFFERED`: the broker says itself
    that it does not promise this."""

    KEPT = "kept"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    NOT_OFFERED = "not offered"


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that had to be so: `expected` in a few words, and what was `seen`."""

    expected: str
    seen: str
    holds: bool


class PromiseResult(msgspec.Struct, frozen=True, kw_only=True):
    """`observations` in the order in which they were made, `exchanges` are all requests that were
    sent, with their answers; `reason` says why it is unknown or not offered."""

    name: str
    title: str
    verdict: Verdict
    observations: list[Observation]
    exchanges: list[str]
    seconds: float
    reason: str | None = None

    @property
    def evidence(self) -> list[str]:
        """What decides: the breaches of a broken one, all that was seen of one that is kept."""
        if self.verdict in (Verdict.UNKNOWN, Verdict.NOT_OFFERED):
            return [self.reason or "not examined"]
        broken = self.verdict is Verdict.BROKEN
        return [
            f"{each.expected}: {each.seen}" if broken else each.seen
            for each in self.observations
            if each.holds is not broken
        ]


class ExamResult(msgspec.Struct, frozen=True, kw_only=True):
    """`broker` says which, `left_behind` what of ours could not be removed from it."""

    broker: str
    promises: list[PromiseResult]
    left_behind: list[str]

    @property
    def exit_code(self) -> int:
        """0 all that are offered are kept, 1 one is broken, 2 none is, but not all could be
        examined."""
        verdicts = {each.verdict for each in self.promises}
        if Verdict.BROKEN in verdicts:
            return 1
        return 2 if Verdict.UNKNOWN in verdicts else 0


def judged(observations: Sequence[Observation], *, reason: str | None) -> Verdict:
    """One breach is enough; without one, all that was to be seen must have been."""
    if any(not each.holds for each in observations):
        return Verdict.BROKEN
    return Verdict.UNKNOWN if reason is not None or not observations else Verdict.KEPT
