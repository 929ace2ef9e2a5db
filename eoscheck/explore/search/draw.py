"""Hypothesis's strategies for schedules: a small table for each family of faults.

A new family is a new line in `_TABLES`. Bounds are such that a run stays short and a fault can
bite; what lies between, short and long, early and late, alone and overlapping, is chance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from eoscheck.explore.search.loads import busy
from eoscheck.explore.search.schedule import Schedule, Table
from eoscheck.explore.search.space import Space, family_of
from eoscheck.faults.kinds import KINDS
from eoscheck.faults.spec import InstanceFault
from eoscheck.faults.wire import GIVES_UP, LastingFault, WireCrash, WireFault

FEWEST_FAULTS, MOST_FAULTS = 2, 4
"""Starting the subject and the audit take as long for one fault as for four, which overlap."""
_LATEST_TENTHS = 30
_SEEDS = 10_000
_SHARES: Mapping[str, int] = {"process": 6, "wire": 5, "network": 3, "disk": 2, "broker": 2}
"""How often one family is drawn for each time that another one is: processes stop and requests are
lost more often than clocks jump."""
_OF_ITS_FAMILY: Mapping[str, int] = {"pause": 3}
"""The same for a kind: of the many that stop a process, this is the one that lets it go on."""
_CRASHES = ("crash-before", "crash-after")
_LOSSES = ("close", "drop-request", "drop-response")
_IN_A_REBALANCE = (
    "JoinGroup",
    "SyncGroup",
    "OffsetFetch",
    "ListOffsets(restore)",
    "Fetch(restore)",
)
"""Rare steps that an instance performs when another one starts or stops, too."""
_OF_ITS_WORK = 3
_A_MOMENT_MS = 300
_MOST_OCCURRENCES = 4
_GIVES_UP_WITHIN = "15s"

Keys: TypeAlias = dict[str, SearchStrategy[Any]]


def schedules(space: Space) -> SearchStrategy[Schedule]:
    """Two to four faults, of any family (`_SHARES`)."""
    tables = {kind: _table(kind, space) for kind in space.kinds}
    by_family: dict[str, list[str]] = {}
    for kind in space.kinds:
        by_family.setdefault(family_of(kind), []).extend([kind] * _OF_ITS_FAMILY.get(kind, 1))
    families = {
        family: st.sampled_from(kinds).flatmap(tables.__getitem__)
        for family, kinds in by_family.items()
    }
    weighted = [family for family in by_family for _ in range(_SHARES.get(family, 1))]
    fault = st.sampled_from(weighted).flatmap(families.__getitem__)
    provoked = fault.map(lambda table: _provoked(table, space))
    groups = st.lists(
        provoked,
        min_size=FEWEST_FAULTS,
        max_size=MOST_FAULTS,
        # Two of a kind tell less than one of each, where there are many kinds.
        unique_by=_kind if len(space.kinds) > 2 * MOST_FAULTS else None,
    )
    return st.builds(
        Schedule,
        faults=groups.map(_joined),
        load=_load(space),
        seed=st.integers(1, _SEEDS),
    )


def _kind(group: tuple[Table, ...]) -> str:
    return str(group[0]["kind"])


def _table(kind: str, space: Space) -> SearchStrategy[Table]:
    spec = KINDS[kind]
    needed: Keys = {"kind": st.just(kind), "at": _tenths(0, _LATEST_TENTHS)}
    maybe: Keys = {}
    if not spec.momentary and (issubclass(spec, WireCrash) or not issubclass(spec, WireFault)):
        needed["down"] = _down(space)
    if issubclass(spec, InstanceFault):
        needed["target"] = st.integers(0, space.instances - 1)
        maybe["open_transaction"] = st.just(True)
        if space.instances > 1 and not spec.momentary:
            maybe["alone"] = st.just(True)  # so that another one can take over
        if space.knows_members:
            maybe["working"] = st.just(True)
    more_needed, more_maybe = _TABLES[family_of(kind)](kind, space)
    tables = st.fixed_dictionaries({**needed, **more_needed}, optional={**maybe, **more_maybe})
    return tables.map(lambda table: _bounded(table, space))


def _bounded(table: Table, space: Space) -> Table:
    """So that nothing is waited for in vain: a second start of an instance, or for as long as
    otherwise a client that does not give up."""
    table = {key: value for key, value in table.items() if value is not None}
    if table.get("for") == GIVES_UP:
        table = {**table, "at_most": _GIVES_UP_WITHIN}
    if "step" in table and space.is_rare(table["step"]):
        table = {key: value for key, value in table.items() if key != "nth"}
    return table


def _provoked(fault: Table, space: Space) -> tuple[Table, ...]:
    """At a step that comes by itself only when an instance starts or stops, a fault would wait in
    vain: so one does, a moment after the fault is due. Not the one that is to crash there, for a
    fault keeps others from its instance: another one, whose rebalance it takes part in."""
    if "step" not in fault or not space.is_rare(fault["step"]) or "restart" not in space.kinds:
        return (fault,)
    aside = fault["kind"] in _CRASHES
    starts = (fault["target"] + aside) % space.instances
    at_ms = int(fault["at"].removesuffix("ms")) + _A_MOMENT_MS
    return (fault, {"kind": "restart", "at": f"{at_ms}ms", "target": starts})


def _joined(groups: list[tuple[Table, ...]]) -> tuple[Table, ...]:
    """At least one of them, and no more than there may be."""
    return tuple(table for group in groups for table in group)[:MOST_FAULTS]


def _down(space: Space) -> SearchStrategy[str]:
    """Well within a session, or well beyond: both sides of the line that matters most."""
    session, longest = round(space.session_s * 10), round(space.longest_s * 10)
    within = _tenths(2, max(3, min(session * 9 // 10, longest)))
    return within | _tenths(min(session * 12 // 10, longest), longest)


def _tenths(low: int, high: int) -> SearchStrategy[str]:
    """Durations, in tenths of a second."""
    return st.integers(low, high).map(lambda tenths: f"{tenths * 100}ms")


def _load(space: Space) -> SearchStrategy[dict[str, float | int]]:
    """Around what the scenario has: half of it, twice as much, few keys or many; or the one
    that keeps an app busy."""
    load = space.load
    knobs: Keys = {
        "rate": st.sampled_from([load.rate / 2, load.rate * 2]),
        "keys": st.sampled_from([1, 10, load.keys * 10]),
    }
    if load.transaction_size is not None:
        size = load.transaction_size
        knobs["transaction_size"] = st.sampled_from([max(size // 4, 1), size * 4])
        knobs["abort_ratio"] = st.sampled_from([0.0, 0.3])
    around = st.fixed_dictionaries({}, optional=knobs)
    return st.one_of(around, around, st.just(busy(load)))


def _process(kind: str, _space: Space) -> tuple[Keys, Keys]:
    if kind in ("kill", "terminate", "restart"):
        return {}, {"wipe": st.just(1)}
    if kind == "rolling":
        return {"down": _tenths(1, 10)}, {}
    return {}, {}


def _disk(kind: str, _space: Space) -> tuple[Keys, Keys]:
    if kind in ("state-full", "state-read-only"):
        return {}, {}
    stop: Keys = {"stop": st.sampled_from(["kill", "terminate"])}
    if kind in ("state-old-copy", "state-stale-checkpoint"):
        # `down` counts from the copy on, which must be older than the stop.
        return {"age": _tenths(5, 20), "down": _tenths(25, 50)}, stop
    return {}, stop


def _identity(kind: str, space: Space) -> tuple[Keys, Keys]:
    if kind == "zombie":
        session = round(space.session_s * 10)
        return {"down": _tenths(session * 12 // 10, max(session * 4, 80))}, {}
    return {"state": st.sampled_from(["copy", "fresh"])}, {}


def _clock(_kind: str, _space: Space) -> tuple[Keys, Keys]:
    # Within the hour by which a broker lets a record be ahead of it.
    return {"by": st.sampled_from(["+10s", "+50m", "-10s", "-50m"])}, {}


def _network(kind: str, space: Space) -> tuple[Keys, Keys]:
    who: Keys = {"target": st.integers(0, space.instances - 1) | st.just("all")}
    direction: Keys = {"direction": st.sampled_from(["to-broker", "from-broker"])}
    own: Mapping[str, Keys] = {
        "latency": {"latency": _tenths(1, 10)},
        "bandwidth": {"rate": st.integers(1, 50)},
        "slicer": {"average_size": st.integers(40, 500)},
        "limit-data": {"bytes": st.integers(100, 20_000)},
    }
    return {**who, **own.get(kind, {})}, direction


def _wire(kind: str, space: Space) -> tuple[Keys, Keys]:
    """At steps that this subject performs, mostly those of its work: the first of them or one soon
    after, mostly all for a while: one lost request tests the client, a lost span the app."""
    crash = kind in _CRASHES
    steps = [
        step
        for step in sorted(space.steps)
        for _ in range(1 if space.is_rare(step) else _OF_ITS_WORK)
        if not (crash and space.is_rare(step)) or step in _IN_A_REBALANCE
    ]
    needed: Keys = {
        "step": st.sampled_from(steps or sorted(space.steps)),
        "target": st.integers(0, space.instances - 1),
        "within": st.just("8s"),
    }
    maybe: Keys = {"nth": st.integers(2, _MOST_OCCURRENCES)}
    if crash:
        return needed, {**maybe, "wipe": st.just(1)}
    if kind == "hold":
        return {**needed, "release": _down(space)}, maybe
    if kind == "delay":
        needed["delay"] = _tenths(1, 10)
    if issubclass(KINDS[kind], LastingFault):
        lasts = [st.none(), _down(space), _down(space)]
        # Nobody gives up what is only late, or done twice.
        needed["for"] = st.one_of(*lasts, *([st.just(GIVES_UP)] if kind in _LOSSES else []))
    return needed, maybe


def _broker(kind: str, _space: Space) -> tuple[Keys, Keys]:
    if kind == "broker-rolling":
        return {}, {}
    parts = ["any", "controller", "group-coordinator", "transaction-coordinator"]
    return {}, {"broker": st.sampled_from([*parts, "leader:{input}/0", "leader:{output}/0"])}


_TABLES: Mapping[str, Callable[[str, Space], tuple[Keys, Keys]]] = {
    "process": _process,
    "disk": _disk,
    "identity": _identity,
    "clock": _clock,
    "network": _network,
    "wire": _wire,
    "broker": _broker,
}
"""For each family, the keys that its kinds need and those that they may have, beside the common
ones."""
