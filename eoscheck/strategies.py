"""Hypothesis strategies for tests of your own: what goes in, and what goes wrong.

    @given(schedule=schedules(session_timeout="6s"))
    @settings(max_examples=5, deadline=None,
              suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_survives_anything(eos_run, schedule):
        eos_run(schedule=schedule)

They are those that `eoscheck explore` searches with (docs/explore.md). Needs the extra `explore`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eoscheck.durations import parse_duration
from eoscheck.errors import UsageError, did_you_mean
from eoscheck.explore.search.extra import require_extra

require_extra()

from hypothesis import strategies as st  # noqa: E402 - after what says how to get it
from hypothesis.strategies import SearchStrategy  # noqa: E402

from eoscheck.explore.search import draw  # noqa: E402
from eoscheck.explore.search.schedule import Schedule, Table  # noqa: E402
from eoscheck.explore.search.space import FAMILIES, NOT_UNASKED, Space, family_of  # noqa: E402
from eoscheck.faults.kinds import KINDS  # noqa: E402
from eoscheck.load.spec import LoadSpec  # noqa: E402
from eoscheck.wire.steps import Step, require_step  # noqa: E402

__all__ = ["Schedule", "faults", "loads", "schedules"]

STEPS: Sequence[Step] = (
    "Produce(output)",
    "TxnOffsetCommit",
    "EndTxn(commit)",
    "Fetch(input)",
)
"""What a loop in transactions does at work: where faults of the wire strike."""
_ALWAYS = 1_000_000
_MOST_RATE = 2000
_MOST_KEYS = 5000
_MOST_ZIPF_TENTHS = 15


def schedules(
    *,
    only: Sequence[str] = ("process",),
    instances: int = 2,
    session_timeout: str = "45s",
    steps: Sequence[Step] = STEPS,
    stateful: bool = False,
    rate: float = 500.0,
    keys: int = 1000,
) -> SearchStrategy[Schedule]:
    """Two to four faults with their times, a load around `rate` and `keys`, and a seed: what
    `eos_run(schedule=...)` takes.

    `only`: kinds of faults and families; those of the `wire` strike at `steps`. `session_timeout`
    is your app's: lengths lie on both sides of it. `stateful`: it keeps something in `{state_dir}`,
    which faults may wipe. Raises UsageError for what cannot be drawn.
    """
    if instances < 1:
        raise UsageError(f"schedules: instances must be at least 1, not {instances}")
    for step in steps:
        require_step(step)
    space = Space(
        kinds=_kinds(only),
        instances=instances,
        session_s=parse_duration(session_timeout, what="session_timeout"),
        load=LoadSpec(topic="", rate=rate, keys=keys),
        steps=dict.fromkeys(steps, _ALWAYS),
    )
    drawn = draw.schedules(space)
    return drawn if stateful else drawn.map(_without_wipes)


def faults(
    *,
    only: Sequence[str] = ("process",),
    instances: int = 2,
    session_timeout: str = "45s",
    steps: Sequence[Step] = STEPS,
    stateful: bool = False,
) -> SearchStrategy[list[Table]]:
    """The faults alone, as the tables `[[faults]]`: what `eos_run(faults=...)` takes. Their times
    go up to some seconds: `timing.faults` must have room for them (`schedules` sees to that)."""
    drawn = schedules(
        only=only,
        instances=instances,
        session_timeout=session_timeout,
        steps=steps,
        stateful=stateful,
    )
    return drawn.map(lambda schedule: list(schedule.faults))


def loads(*, transactions: bool = True) -> SearchStrategy[dict[str, Any]]:
    """Tables `[load]`: rate, keys, skew, and where `transactions` an input that is written in
    transactions, some of which abort."""
    plain: dict[str, SearchStrategy[Any]] = {
        "rate": st.integers(50, _MOST_RATE),
        "keys": st.integers(1, _MOST_KEYS),
        "zipf": st.integers(0, _MOST_ZIPF_TENTHS).map(lambda tenths: tenths / 10),
    }
    drawn = st.fixed_dictionaries(plain)
    if not transactions:
        return drawn
    written = st.fixed_dictionaries(
        {
            **plain,
            "transaction_size": st.integers(1, 200),
            "abort_ratio": st.sampled_from([0.0, 0.1, 0.3]),
        }
    )
    return drawn | written


def _without_wipes(schedule: Schedule) -> Schedule:
    """Of nothing there is nothing to wipe: such a fault would not bite."""
    return schedule.only(
        [{key: value for key, value in each.items() if key != "wipe"} for each in schedule.faults]
    )


def _kinds(only: Sequence[str]) -> tuple[str, ...]:
    explored = [kind for kind in KINDS if family_of(kind) in FAMILIES]
    known = {*FAMILIES, *explored}
    for word in only:
        if word not in known:
            raise UsageError(
                f"schedules: no kind of fault and no family {word!r}{did_you_mean(word, known)}"
            )
    if not only:
        raise UsageError(f"schedules: name kinds or families, such as {', '.join(FAMILIES)}")
    return tuple(
        kind
        for kind in explored
        if kind in only or (family_of(kind) in only and kind not in NOT_UNASKED)
    )
