"""Detect everything, then filter by what the guarantee allows, then say one word."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from eoscheck.audit.checks.outcome import Cause, Checked, Found
from eoscheck.audit.findings import Code, Guarantee, Unknown, Verdict

_ALLOWED: dict[Guarantee, frozenset[Code]] = {
    Guarantee.EXACTLY_ONCE: frozenset(),
    Guarantee.AT_LEAST_ONCE: frozenset({Code.DUPLICATE, Code.REORDERED, Code.OFFSET_BEHIND}),
    Guarantee.AT_MOST_ONCE: frozenset({Code.LOST, Code.GAP, Code.OFFSET_AHEAD}),
}
_EXCUSE: dict[Guarantee, Cause] = {
    Guarantee.AT_LEAST_ONCE: Cause.REPROCESSED,
    Guarantee.AT_MOST_ONCE: Cause.LOST,
}


def allowed(found: Found, guarantee: Guarantee) -> bool:
    """A wrong result or state is allowed only where the guarantee's own weakness explains it: a
    running balance that counted a reprocessed input twice, or left out a lost one."""
    if found.code in (Code.WRONG_RESULT, Code.STATE_DIVERGED):
        return _EXCUSE.get(guarantee) in found.causes
    return found.code in _ALLOWED[guarantee]


def matters(unknown: Unknown, guarantee: Guarantee) -> bool:
    """What cannot be judged does not matter where the guarantee allows it anyway."""
    return unknown.subject not in _ALLOWED[guarantee]


def guarded(code: str, check: Callable[[], Checked]) -> Checked:
    """Runs a check. One that crashes is unknown, never a pass."""
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not look like a pass
        reason = f"the check failed: {type(error).__name__}: {error}"
        return Checked(unknowns=[Unknown(subject=code, reason=reason)])


def verdict(
    found: Sequence[Found],
    unknowns: Sequence[Unknown],
    guarantee: Guarantee,
    *,
    hazards: int = 0,
) -> Verdict:
    """`hazards`: how many count as failures, where the audit is strict."""
    if hazards or any(each.total and not allowed(each, guarantee) for each in found):
        return Verdict.FAIL
    if any(matters(unknown, guarantee) for unknown in unknowns):
        return Verdict.UNKNOWN
    return Verdict.PASS
