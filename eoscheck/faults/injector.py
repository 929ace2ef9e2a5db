"""Fires the planned faults when they are due, proves that each bit, and heals everything."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from eoscheck.errors import EoscheckError, UsageError
from eoscheck.faults.conductor import Conductor
from eoscheck.faults.kinds import action_for
from eoscheck.faults.scene import Scene
from eoscheck.faults.spec import PlannedFault, role_of
from eoscheck.faults.striker import Pace, Striker
from eoscheck.history import Recorder
from eoscheck.history.progress import Progress

TRIGGER_TIMEOUT_S = 15.0
"""How long a fault waits for its instance to be up, to work, and for a transaction to be open."""

_LOOK_S = 0.02
_MOST_AT_ONCE = 32


def run_faults(
    plan: Sequence[PlannedFault],
    *,
    scene: Scene,
    recorder: Recorder,
    progress: Progress | None = None,
    gap_s: float | None = None,
    stop: threading.Event | None = None,
    trigger_timeout_s: float = TRIGGER_TIMEOUT_S,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Blocks until every fault was fired and healed, or `stop` is set. Every instance runs when it
    returns, and whatever else was hit is as before, also where it raises.

    Each fault becomes FaultInjected (with its evidence, as soon as that is complete: at the latest
    just before the heal) and FaultHealed, or FaultMissed with the reason; also after a heal that
    found that nothing had met the fault. With `working`, a fault waits, bounded, until its target's
    partitions are seen to be committed; with `open_transaction`, until as many transactions on the
    output topics are open as instances are up, and counts afterwards what it left open. `gap_s`: no
    two faults overlap, and so long lies between them. `progress` has followed the history from the
    run's begin.
    """
    _refuse_blind(plan, scene)
    if progress is None:
        progress = Progress()
        recorder.subscribe(progress)
    pace = Pace(stop=stop or threading.Event(), clock=clock, sleep=sleep)
    striker = Striker(
        scene=scene,
        recorder=recorder,
        progress=progress,
        pace=pace,
        trigger_timeout_s=trigger_timeout_s,
    )
    actions = {fault.fault_id: action_for(fault, scene) for fault in plan}
    conductor = Conductor(plan, began=clock(), gap_s=gap_s)
    running: dict[Future[None], PlannedFault] = {}
    try:
        with ThreadPoolExecutor(_MOST_AT_ONCE, thread_name_prefix="fault") as pool:
            try:
                while (conductor.pending or running) and not (pace.over() and not running):
                    for fault in () if pace.over() else conductor.due(clock()):
                        action = actions[fault.fault_id]
                        running[pool.submit(striker.run, fault, action, conductor.struck)] = fault
                    _wait_a_little(running, conductor, pace)
            finally:
                pace.cancelled.set()
    finally:
        _heal_all(scene)
    for fault in conductor.pending:
        striker.missed(fault, "the run was stopped before it was due")


def _heal_all(scene: Scene) -> None:
    """The last word, whatever became of the single faults: brokers first, for instances need them.
    Each is tried, then the first that failed is told of."""
    heals = [scene.wire.heal_all] if scene.wire else []
    heals += [scene.network.heal_all] if scene.network else []
    heals += [scene.brokers.heal_all] if scene.brokers else []
    errors = []
    for heal in (*heals, scene.subject.heal_all):
        try:
            heal()
        except EoscheckError as error:
            errors.append(error)
    if errors:
        raise errors[0]


def _wait_a_little(
    running: dict[Future[None], PlannedFault], conductor: Conductor, pace: Pace
) -> None:
    """In slices, so that Ctrl-C gets through. Raises what a fault that ended has raised."""
    if not running:
        pace.pause(_LOOK_S)
        return
    done, _ = wait(running, timeout=_LOOK_S, return_when=FIRST_COMPLETED)
    for each in done:
        conductor.ended(running.pop(each), pace.clock())
        each.result()


def _refuse_blind(plan: Sequence[PlannedFault], scene: Scene) -> None:
    """Raises UsageError where a fault waits for what nobody can see here."""
    conditions = {fault.table.condition.what for fault in plan if fault.table.condition is not None}
    if scene.transactions is None and (
        "open-transaction" in conditions or any(fault.open_transaction for fault in plan)
    ):
        raise UsageError("faults with open_transaction need a view of the cluster's transactions")
    working = {fault.instance for fault in plan if fault.working and fault.instance is not None}
    specs = [scene.subject.role_of(instance).spec for instance in working]
    if specs and not (scene.view and all(spec.group and spec.client_id for spec in specs)):
        raise UsageError(
            "faults.working needs subject.group and subject.client_id, to see the work"
        )
    for fault in plan:
        what = fault.table.condition.what if fault.table.condition is not None else ""
        grouped = any(app.spec.group for app in scene.apps(role_of(fault.table)))
        if what in ("rebalancing", "lag") and not (grouped and scene.view):
            raise UsageError(f"faults.when: '{what}' needs subject.group, to ask its coordinator")
