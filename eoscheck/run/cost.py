"""What exactly-once costs: a subject drains the same preloaded backlog in two settings,
interleaved A B B A ..., so that a machine that slows down slows both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from eoscheck.errors import UsageError
from eoscheck.measure import cost_from_drains
from eoscheck.measure.figures import CostFigure
from eoscheck.run.backlog import Backlog
from eoscheck.run.commits import Window
from eoscheck.run.opened import Opened
from eoscheck.run.setting import Setting
from eoscheck.run.timed_drain import timed_drain

_WARM_UP_SHARE = 0.1
_ORDER = (0, 1, 1, 0)


def measure_cost(
    *,
    measured: Setting,
    baseline: Setting,
    ground: Opened,
    backlog: Backlog,
    folder: Path,
    run_id: str,
    records: int = 200_000,
    pairs: int = 4,
    progress: Callable[[str], None] = lambda _line: None,
) -> CostFigure:
    """`pairs` interleaved pairs of drains of `records` records, by `measured` and `baseline`, which
    read the same input topic, alone on the cluster.

    Each drain is a fresh application (its own run id), timed from its first commit past a tenth of
    the backlog to the last one before its end, so that start-up is left out.
    Raises UsageError where the two do not fit together, InfrastructureError where one is not done
    in time.
    """
    labels = require_comparable(measured, baseline)
    drains = []
    for number in range(2 * pairs):
        side = interleaved(number)
        progress(f"drain {number + 1} of {2 * pairs}: {labels[side]}")
        name = f"{run_id}-drain-{number + 1}"
        scenario = (measured, baseline)[side].load(run_id=name)
        drains.append(
            timed_drain(
                scenario,
                label=labels[side],
                ground=ground,
                folder=folder / name,
                run_id=name,
                due=backlog.fill(scenario, run_id=name, records=records),
                window=Window(warm_up=records * _WARM_UP_SHARE),
            )
        )
    return cost_from_drains(drains, measured=labels[0], baseline=labels[1])


def interleaved(number: int) -> int:
    """Which of two sides is the next one, from number 0: 0 1 1 0, 0 1 1 0, ..."""
    return _ORDER[number % len(_ORDER)]


def require_comparable(measured: Setting, baseline: Setting) -> tuple[str, str]:
    """What the two are called, by their guarantees. Raises UsageError where they do not fit."""
    over, under = measured.load(), baseline.load()
    names = f"{over.name} and {under.name}"
    if over.load.topic != under.load.topic:
        raise UsageError(f"{names} read different topics: a comparison needs the same input")
    if over.audit.expect == under.audit.expect:
        raise UsageError(f"{names} are both {over.audit.expect}: there is nothing to compare")
    if over.subject == under.subject:
        raise UsageError(
            f"{names} run the same command: say how the guarantee is switched, with {{guarantee}} "
            "in subject.command, args or env, or as two scenarios"
        )
    return over.audit.expect, under.audit.expect
