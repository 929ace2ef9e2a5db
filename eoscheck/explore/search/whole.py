"""A search from start to end: what may be drawn, the search on a live cluster, what is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from eoscheck.explore.search.budget import Budget
from eoscheck.explore.search.running import Runs
from eoscheck.explore.search.saved import Source, read_source, save
from eoscheck.explore.search.search import Exploration, Search
from eoscheck.explore.search.shelf import Shelf, open_database
from eoscheck.explore.search.space import Space, example, find_space
from eoscheck.explore.search.told import Told, tell
from eoscheck.run.needs import ClusterNeeds, cluster_needs
from eoscheck.run.opened import Opened

REPORT_FILE = "report.html"


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """`left_out`: kinds of faults that are not explored, and why."""

    source: Source
    space: Space
    left_out: Mapping[str, str]

    @property
    def needs(self) -> ClusterNeeds:
        """What the cluster must have: whatever any schedule of the search may need."""
        examples = [example(kind) for kind in self.space.kinds]
        return cluster_needs(msgspec.structs.replace(self.source.scenario, faults=examples))


def prepare(
    scenario: str | Path,
    *,
    base: Path | None = None,
    guarantee: str | None = None,
    overrides: Sequence[str] = (),
    command: Sequence[str] = (),
    only: Sequence[str] = (),
) -> Prepared:
    """As `load_scenario` and `find_space` take them. Raises UsageError before anything starts."""
    source = read_source(
        scenario, base=base, guarantee=guarantee, overrides=overrides, command=command
    )
    space, left_out = find_space(source.scenario, only=only)
    prepared = Prepared(source=source, space=space, left_out=left_out)
    return replace(prepared, source=source.traced()) if prepared.needs.wire else prepared


def explore(
    prepared: Prepared,
    *,
    on: Opened,
    budget: Budget,
    database: Path,
    folder: Path,
    seed: int | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Exploration:
    """Searches until `budget` is used up or something was found and shrunk, or Ctrl-C.

    `database` keeps failures for the next search, `folder` gets a folder for each run that did not
    pass. Raises InfrastructureError where runs cannot be made.
    """
    source = prepared.source
    return Search(
        space=prepared.space,
        run=Runs(
            source=source,
            on=on,
            folder=folder,
        ),
        budget=budget,
        shelf=Shelf(open_database(database), document=source.whole),
        seed=source.scenario.seed if seed is None else seed,
        home=database,
        progress=progress,
    ).explore()


def keep(exploration: Exploration, prepared: Prepared, *, folder: Path) -> Told:
    """Saves what was found in `folder`, and says what there is to say. The report's page is for
    whoever calls to draw."""
    path = report = None
    if (worst := exploration.worst) is not None:
        path = save(worst.schedule, codes=worst.codes, source=prepared.source, folder=folder)
        report = folder / REPORT_FILE
    return tell(exploration, scenario=path, report=report, left_out=prepared.left_out)
