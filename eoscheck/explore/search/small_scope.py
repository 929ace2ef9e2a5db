"""The first runs of a search: one fault each, the strongest that a single one can be.

Most bugs that several faults bring out, one does already (the small scope hypothesis); and a run
with one fault needs no shrinking. Which ones: what an app must roll back for, in a member that
keeps its partitions (a step of its commit, lost until the client gives up), and the ways in which
a process leaves its work, once it is well under way. Each under a load that keeps it busy, for an
app that waits for its next record has nothing in its buffers to lose.
"""

from __future__ import annotations

from collections.abc import Iterator

from eoscheck.explore.crashpoints.cells import base_matrix
from eoscheck.explore.search.loads import busy
from eoscheck.explore.search.schedule import Schedule, Table
from eoscheck.explore.search.space import COMMIT, Space
from eoscheck.faults.kinds import KINDS
from eoscheck.faults.wire import GIVES_UP

_AT = "500ms"
_AT_WORK = "2500ms"
"""A process that has only just started has nothing to lose yet."""
_GIVES_UP_WITHIN = "40s"
_WITHIN, _BEYOND = 0.9, 2.0
"""Sessions: nobody takes over, and what was queued is old; or one until the group gives the member
up, another one in which who takes over works; and well within the usual transaction."""
_STOPS = (
    ("pause", _BEYOND),
    ("pause", _WITHIN),
    ("terminate", _BEYOND),
    ("restart", 0.0),
    ("kill", _BEYOND),
)


def single_faults(space: Space, *, seed: int) -> Iterator[Schedule]:
    """As many as have a place in `space`: steps that were learned, kinds that can be done. They
    take the instances in turn."""
    for number, fault in enumerate([*_losses(space), *_stops(space)]):
        target = number % space.instances
        yield Schedule(faults=({**fault, "target": target},), load=busy(space.load), seed=seed)


def _losses(space: Space) -> Iterator[Table]:
    for cell in base_matrix(list(space.steps)):
        if cell.span and cell.action in space.kinds:
            yield {
                "kind": cell.action,
                "at": _AT,
                "step": cell.step,
                "for": GIVES_UP,
                "at_most": _GIVES_UP_WITHIN,
                "within": "8s",
            }


def _stops(space: Space) -> Iterator[Table]:
    for kind, sessions in _STOPS:
        if kind not in space.kinds:
            continue
        fault: Table = {"kind": kind, "at": _AT_WORK}
        if not KINDS[kind].momentary:
            fault["down"] = f"{round(space.session_s * sessions * 1000)}ms"
        if COMMIT in space.steps:
            fault["open_transaction"] = True
        yield fault
