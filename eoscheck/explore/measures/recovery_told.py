"""What the recoveries of a subject come to, in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from eoscheck.measure.measured import KindFigure
from eoscheck.measure.objective import in_words


def headline(kinds: Sequence[KindFigure], *, red: int) -> str:
    """The answer to the objective, or else how long it takes; an audit that found something goes
    before."""
    told = _of_the_objective(kinds) if any(kind.judgement for kind in kinds) else _of_times(kinds)
    if not red:
        return told
    runs = "A run" if red == 1 else f"{red} runs"
    return f"{runs} did not pass the audit, and its figures are not of a subject that works. {told}"


def _of_the_objective(kinds: Sequence[KindFigure]) -> str:
    judged = [(kind, kind.judgement) for kind in kinds if kind.judgement is not None]
    parts = []
    for outcome in ("not met", "not yet known", "met"):
        named = [kind.kind for kind, judgement in judged if judgement.outcome == outcome]
        if not named:
            continue
        more = max(j.more or 0 for kind, j in judged if kind.kind in named)
        needed = f" (at least {more} more are needed)" if outcome == "not yet known" else ""
        parts.append(f"{outcome} after {', '.join(named)}{needed}")
    return f"A {in_words(judged[0][1].objective)} is {'; '.join(parts)}"


def _of_times(kinds: Sequence[KindFigure]) -> str:
    known = [
        (kind.kind, kind.recovered.p50.value)
        for kind in kinds
        if kind.recovered is not None and kind.recovered.p50.value is not None
    ]
    if not known:
        return "No recovery was seen to end"
    times = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in known)
    return f"Half of the recoveries took at most: {times}"
