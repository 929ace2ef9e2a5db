"""The shipped scenarios by group and name, and many of them run one after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

from eoscheck.audit.findings import Verdict
from eoscheck.cluster.spec import ClusterSpec
from eoscheck.errors import EoscheckError, InfrastructureError, UsageError, did_you_mean
from eoscheck.run.needs import ClusterNeeds, cluster_needs
from eoscheck.run.result import RunResult
from eoscheck.run.scenario import Scenario, load_scenario, shipped_scenarios

_Session = TypeVar("_Session")


@dataclass(frozen=True)
class Entry:
    """One shipped scenario. Its group is the folder that it stands in; the rest is as
    `load_scenario` takes it."""

    path: Path
    base: Path | None = None
    guarantee: str | None = None
    overrides: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def group(self) -> str:
        return self.path.parent.name

    @cached_property
    def scenario(self) -> Scenario:
        """Its run id is not filled in yet. Raises UsageError where it is not valid."""
        return self.load()

    def load(self, *, run_id: str = "{run_id}") -> Scenario:
        return load_scenario(
            self.path,
            run_id=run_id,
            base=self.base,
            guarantee=self.guarantee,
            overrides=self.overrides,
        )

    @property
    def needs_docker(self) -> bool:
        return self.scenario.cluster.provider == "docker"

    @property
    def kinds(self) -> list[str]:
        """Of its faults, each once, in the order of the file."""
        return list(dict.fromkeys(fault.kind for fault in self.scenario.faults))


def catalogue() -> list[Entry]:
    """By group, then by name."""
    return sorted(map(Entry, shipped_scenarios()), key=lambda entry: (entry.group, entry.name))


def select(words: Sequence[str], *, among: Sequence[Entry] | None = None) -> list[Entry]:
    """The entries that `words` name, each once, in the catalogue's order; without words those that
    have faults, and do not need Docker. A word is a name, a group, or `group/name`. Raises
    UsageError with the nearest."""
    entries = catalogue() if among is None else among
    if not words:
        return [entry for entry in entries if entry.scenario.faults and not entry.needs_docker]
    known = {word for e in entries for word in (e.name, e.group, f"{e.group}/{e.name}")}
    for word in words:
        if word not in known:
            raise UsageError(f"no scenario and no group {word!r}{did_you_mean(word, known)}")
    wanted = set(words)
    return [e for e in entries if wanted & {e.name, e.group, f"{e.group}/{e.name}"}]


@dataclass(frozen=True, kw_only=True)
class Series:
    """What came of several scenarios. `failed`: those that could not be run, and why."""

    runs: list[RunResult] = field(default_factory=list)
    failed: list[tuple[Entry, str]] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0 where each came out as it must, 1 where one did not, 2 where one is unknown or could
        not be run, and none of the others is worse."""
        surprises = {run.verdict for run in self.runs if not run.as_expected}
        if surprises - {Verdict.UNKNOWN}:
            return 1
        return 2 if surprises or self.failed else 0


def run_series(
    entries: Sequence[Entry],
    *,
    opened: Callable[[ClusterSpec, ClusterNeeds], AbstractContextManager[_Session]],
    run: Callable[[_Session, Entry], RunResult],
) -> Series:
    """Runs `entries`, those that want the same of their cluster on one that lives as long.

    One that cannot be run does not keep the others from it: they get a new cluster, because the
    old one may be what is broken. Without a cluster all that want it cannot be run.
    """
    series = Series()
    for (spec, needs), sharing in _by_cluster(entries):
        waiting = list(sharing)
        while waiting:
            try:
                with opened(spec, needs) as session:
                    _run_until_broken(waiting, series, partial(run, session))
            except EoscheckError as error:
                series.failed.extend((entry, str(error)) for entry in waiting)
                waiting.clear()
    return series


def _run_until_broken(
    waiting: list[Entry], series: Series, run: Callable[[Entry], RunResult]
) -> None:
    """Takes from `waiting` what it runs, to its end or to the first that the cluster may have
    kept from running."""
    while waiting:
        entry = waiting.pop(0)
        try:
            series.runs.append(run(entry))
        except EoscheckError as error:
            series.failed.append((entry, str(error)))
            if isinstance(error, InfrastructureError):
                return


def _by_cluster(
    entries: Sequence[Entry],
) -> list[tuple[tuple[ClusterSpec, ClusterNeeds], list[Entry]]]:
    """In the order of the first of each."""
    sharing: list[tuple[tuple[ClusterSpec, ClusterNeeds], list[Entry]]] = []
    for entry in entries:
        wanted = (entry.scenario.cluster, cluster_needs(entry.scenario))
        for cluster, others in sharing:
            if cluster == wanted:
                others.append(entry)
                break
        else:
            sharing.append((wanted, [entry]))
    return sharing
