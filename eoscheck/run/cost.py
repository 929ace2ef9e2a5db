"""What exactly-once costs: a subject drains the same preloaded backlog in two settings,
interleaved A B B A ..., so that a machine that slows down slows both."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from eoscheck.audit.identity import parse
from eoscheck.cluster.provider import Cluster
from eoscheck.cluster.topics import NewTopic, create_topics
from eoscheck.cluster.view import ClusterView
from eoscheck.errors import EoscheckError, InfrastructureError, UsageError
from eoscheck.history import Event, InstanceStarted, Recorder
from eoscheck.history.progress import Progress
from eoscheck.load import preload
from eoscheck.measure import cost_from_drains
from eoscheck.measure.figures import CostFigure, Drain
from eoscheck.process import Supervisor
from eoscheck.run.scenario import Scenario, load_scenario
from eoscheck.subject import Subject

_POLL_S = 0.02
_WARM_UP_SHARE = 0.1
_DRAIN_TIMEOUT_S = 120.0
_ORDER = (0, 1, 1, 0)


def measure_cost(
    *,
    measured: str,
    baseline: str,
    cluster: Cluster,
    supervisor: Supervisor,
    folder: Path,
    run_id: str,
    seed: int = 1,
    records: int = 200_000,
    pairs: int = 4,
    progress: Callable[[str], None] = lambda _line: None,
) -> CostFigure:
    """`pairs` interleaved pairs of drains of `records` records, by the scenarios `measured` and
    `baseline` (names or paths), which read the same input topic, alone on the cluster.

    The input is preloaded once; each drain is a fresh application (its own run id), timed from its
    first commit past a tenth of the backlog to its last one, so that start-up is left out.
    Raises UsageError where the two do not fit together, InfrastructureError where one is not done
    in time.
    """
    settings = [load_scenario(name, run_id=run_id) for name in (measured, baseline)]
    _require_comparable(*settings)
    backlog = _preload(settings[0], cluster, folder, run_id=run_id, seed=seed, records=records)
    drains = []
    for number in range(2 * pairs):
        side = _ORDER[number % len(_ORDER)]
        progress(f"drain {number + 1} of {2 * pairs}: {settings[side].audit.expect}")
        name = f"{run_id}-drain-{number + 1}"
        drains.append(
            _drain(
                load_scenario((measured, baseline)[side], run_id=name),
                cluster=cluster,
                supervisor=supervisor,
                folder=folder / name,
                run_id=name,
                due=backlog,
            )
        )
    return cost_from_drains(
        drains, measured=settings[0].audit.expect, baseline=settings[1].audit.expect
    )


def _require_comparable(measured: Scenario, baseline: Scenario) -> None:
    names = f"{measured.name} and {baseline.name}"
    if measured.load.topic != baseline.load.topic:
        raise UsageError(f"{names} read different topics: a comparison needs the same input")
    if measured.audit.expect == baseline.audit.expect:
        raise UsageError(f"{names} are both {measured.audit.expect}: there is nothing to compare")


def _preload(
    scenario: Scenario,
    cluster: Cluster,
    folder: Path,
    *,
    run_id: str,
    seed: int,
    records: int,
) -> dict[int, int]:
    """Fills the input topic; returns one past the last record's offset for each partition."""
    topic = scenario.topics[scenario.load.topic]
    create_topics(
        cluster.client_config,
        [NewTopic(name=scenario.load.topic, partitions=topic.partitions, config=topic.config)],
    )
    filled = Progress()
    with Recorder(folder / f"{run_id}-backlog") as recorder:
        recorder.subscribe(filled)
        preload(
            scenario.load,
            count=records,
            seed=seed,
            run_id=run_id,
            client_config=cluster.client_config,
            recorder=recorder,
            identify=parse(scenario.audit.input_id or scenario.audit.id),
        )
    return filled.due


def _drain(
    scenario: Scenario,
    *,
    cluster: Cluster,
    supervisor: Supervisor,
    folder: Path,
    run_id: str,
    due: Mapping[int, int],
) -> Drain:
    group = scenario.subject.group
    if group is None:
        raise UsageError(f"{scenario.name} needs subject.group: its commits are what is timed")
    create_topics(
        cluster.client_config,
        [
            NewTopic(name=name, partitions=topic.partitions, config=topic.config)
            for name, topic in scenario.topics.items()
            if name != scenario.load.topic
        ],
    )
    processes: list[psutil.Process] = []

    def note_process(event: Event) -> None:
        if isinstance(event, InstanceStarted):
            processes.append(psutil.Process(event.pid))

    with Recorder(folder) as recorder, ClusterView(cluster.client_config) as view:
        recorder.subscribe(note_process)
        subject = Subject(
            scenario.subject,
            supervisor=supervisor,
            recorder=recorder,
            folder=folder,
            run_id=run_id,
            bootstrap_for=cluster.bootstrap_for,
        )
        try:
            subject.start_all()
            return _time_commits(
                label=scenario.audit.expect,
                due=due,
                committed=lambda: _committed(view, group, scenario.load.topic),
                cpu_s=lambda: sum(_cpu_seconds(process) for process in processes),
                check=subject.raise_if_exited,
            )
        finally:
            subject.stop_all()


def _time_commits(
    *,
    label: str,
    due: Mapping[int, int],
    committed: Callable[[], Mapping[int, int]],
    cpu_s: Callable[[], float],
    check: Callable[[], None],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Drain:
    """Follows the group's commits from a tenth of the backlog to its end."""
    total = sum(due.values())
    deadline = clock() + _DRAIN_TIMEOUT_S
    first: tuple[float, int, float] | None = None
    while (now := clock()) < deadline:
        done = sum(min(offset, due.get(part, 0)) for part, offset in committed().items())
        if first is None and done >= total * _WARM_UP_SHARE:
            first = (now, done, cpu_s())
        if done >= total and first is not None:
            if done == first[1]:
                raise InfrastructureError(
                    f"{label} drained {total} records between two looks: give it more records"
                )
            return Drain(
                label=label,
                seconds=now - first[0],
                records=done - first[1],
                cpu_s=cpu_s() - first[2],
            )
        check()
        sleep(_POLL_S)
    raise InfrastructureError(
        f"{label} did not drain {total} records within {_DRAIN_TIMEOUT_S:g} s"
    )


def _committed(view: ClusterView, group: str, topic: str) -> dict[int, int]:
    try:
        return view.committed(group, topic, require_stable=False)
    except EoscheckError:
        return {}  # the group does not exist before its first commit


def _cpu_seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)
