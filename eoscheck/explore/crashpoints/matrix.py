"""The crash point matrix of one app: cell by cell on a live cluster, each judged, each red one
tried alone."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from eoscheck.audit.findings import AuditReport, Code, Finding, Verdict
from eoscheck.explore.crashpoints.agenda import Agenda
from eoscheck.explore.crashpoints.attribution import cleared, suspects
from eoscheck.explore.crashpoints.block import Block, Site, run_block
from eoscheck.explore.crashpoints.cells import Cell
from eoscheck.explore.crashpoints.course import Orders, request_of
from eoscheck.explore.crashpoints.hazards import known_hazard
from eoscheck.explore.crashpoints.options import Listener, Options, Repeat
from eoscheck.explore.crashpoints.outcome import Outcome
from eoscheck.explore.crashpoints.perform import Bounds
from eoscheck.explore.crashpoints.result import (
    MATRIX_FILE,
    CellResult,
    Colour,
    MatrixResult,
    judge_matrix,
)
from eoscheck.explore.crashpoints.smaller import halved, load_settings
from eoscheck.load import LoadSpec
from eoscheck.run.naming import new_run_id
from eoscheck.run.scenario import Scenario

_FINDINGS = 5
"""Kept of each red cell."""


def run_matrix(
    load: Callable[[str], Scenario],
    *,
    site: Site,
    folder: Path,
    repeat: Repeat,
    options: Options | None = None,
    listener: Listener | None = None,
) -> MatrixResult:
    """Runs the matrix of the scenario that `load(run_id)` gives, with fresh topics for each run id;
    leaves `matrix.json`, and a folder for each of its runs, in `folder`.

    The cluster of `site` was
    started with its wire before the scenario's instances. Raises UsageError or InfrastructureError
    where it cannot be run.
    """
    return _Matrix(
        load,
        site=site,
        folder=folder,
        repeat=repeat,
        options=options or Options(),
        listener=listener or Listener(),
    ).run()


@dataclass
class _Tally:
    results: dict[Cell, CellResult] = field(default_factory=dict)
    doubts: list[str] = field(default_factory=list)
    before: dict[Code, int] = field(default_factory=dict)
    before_findings: list[Finding] = field(default_factory=list)
    allowed: Counter[Code] = field(default_factory=Counter)
    folders: list[str] = field(default_factory=list)
    audits: int = 0
    environment: dict[str, str] = field(default_factory=dict)


class _Matrix:
    def __init__(
        self,
        load: Callable[[str], Scenario],
        *,
        site: Site,
        folder: Path,
        repeat: Repeat,
        options: Options,
        listener: Listener,
    ) -> None:
        self._load = load
        self._scenario = load("{run_id}")
        self._site = site
        self._folder = folder
        self._repeat = repeat
        self._options = options
        self._listener = listener
        self._seed = self._scenario.seed if options.seed is None else options.seed
        self._agenda = Agenda(
            cells=options.cells,
            full=options.full,
            learn_only=options.learn_only,
            seed=self._seed,
        )
        self._bounds = Bounds(
            give_up_s=options.client_timeout_s,
            recover_s=self._scenario.timing.seconds("liveness"),
        )
        self._tally = _Tally()

    def run(self) -> MatrixResult:
        began, started_at = time.monotonic(), datetime.now(UTC)
        while self._agenda.needs_learning or (self._agenda.left and not self._enough()):
            known, unlearned = len(self._tally.results), self._agenda.needs_learning
            self._take(self._run(self._agenda))
            if self._agenda.needs_learning or (len(self._tally.results) == known and not unlearned):
                break  # not one cell further: the reason has been noted
        tally, scenario = self._tally, self._scenario
        cells = list(tally.results.values())
        verdict, reasons = judge_matrix(
            cells,
            doubts=tally.doubts,
            before=_said(tally.before),
            learn_only=self._options.learn_only,
        )
        result = MatrixResult(
            matrix_id=self._folder.name,
            scenario=scenario.name,
            title=scenario.title,
            guarantee=scenario.audit.expect,
            seed=self._seed,
            started_at=started_at.isoformat(timespec="seconds"),
            verdict=verdict,
            reasons=reasons,
            steps=self._agenda.steps,
            cells=cells,
            left=self._agenda.left,
            before=tally.before,
            before_findings=tally.before_findings,
            allowed=dict(tally.allowed),
            audits=tally.audits,
            duration_s=time.monotonic() - began,
            environment=tally.environment,
            repeat=self._repeat([], []),
            folder=str(self._folder),
            runs=tally.folders,
        )
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / MATRIX_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(result)))
        return result

    def _enough(self) -> bool:
        red = sum(each.colour is Colour.RED for each in self._tally.results.values())
        return self._options.red_enough is not None and red >= self._options.red_enough

    def _run(
        self, agenda: Agenda, cells: Sequence[Cell] = (), load: LoadSpec | None = None
    ) -> Block:
        """One block; `cells`: of these alone, with another `load`."""
        run_id = new_run_id(self._scenario.name)
        folder = self._folder / run_id
        scenario, settings = self._load(run_id), []
        if load is not None:
            settings = load_settings(load, instead_of=scenario.load)
            load = msgspec.structs.replace(load, topic=scenario.load.topic)
            scenario = msgspec.structs.replace(scenario, load=load)

        def tell(outcome: Outcome) -> None:
            self._listener.tried(outcome, len(agenda.left))

        block = run_block(
            scenario,
            orders=Orders(
                agenda=agenda,
                bounds=self._bounds,
                seed=self._seed,
                most_cells=self._options.cells_a_run,
                learned=lambda steps: self._listener.learned(steps, len(agenda.left)),
                tell=(lambda _outcome: None) if cells else tell,
            ),
            site=self._site,
            folder=folder,
            run_id=run_id,
            repeat=self._repeat(cells, settings),
        )
        tally = self._tally
        tally.folders.append(str(folder))
        tally.allowed.update(block.result.audit.allowed)
        tally.environment = block.result.environment
        tally.audits += block.audits + 1  # and the last one
        return block

    def _take(self, block: Block) -> None:
        """Sorts out a block: what is known, what is tried alone, what is tried again."""
        struck = any(each.firing is not None for each in block.outcomes)
        if block.before is not None or block.stalled or (block.red is not None and not struck):
            self._take_before(block)
            return
        known = cleared(block)
        doubted = block.result.verdict is Verdict.UNKNOWN and block.red is None
        for outcome in known:
            self._tally.results[outcome.cell] = self._plain(outcome)
        if doubted and not suspects(block):
            self._tally.doubts += block.result.reasons
        blamed = suspects(block)
        if blamed:
            self._blame(block, blamed)
        rest = [each.cell for each in block.outcomes if each.cell not in self._tally.results]
        self._agenda.again(rest)

    def _take_before(self, block: Block) -> None:
        """Something is wrong with the app before anything is broken."""
        tally = self._tally
        report = block.before if block.red is None else block.red[1]
        tally.before, tally.before_findings = _found(report)
        if block.stalled:
            tally.before |= {Code.STALLED: 1}
            tally.doubts.append(block.stalled)
        self._listener.note(f"without any fault: {_said(tally.before)}")

    def _blame(self, block: Block, blamed: Sequence[Outcome]) -> None:
        """The first that is red alone is the culprit; else all of them together, or none."""
        if not self._options.confirm:
            self._red(blamed[0], block, culprits=[blamed[0].cell.name])
            return
        if len(block.outcomes) == 1:
            self._red(blamed[0], block, culprits=[blamed[0].cell.name], confirmed=True)
            return
        for outcome in blamed:
            self._listener.note(f"{outcome.cell.name} is tried alone, on fresh topics")
            alone = self._alone([outcome.cell])
            if suspects(alone):
                self._confirmed([outcome.cell], alone)
                return
        cells, together = self._narrowed([outcome.cell for outcome in reversed(blamed)])
        if together is not None:
            self._confirmed(cells, together)
        else:
            self._red(blamed[0], block, culprits=[])

    def _confirmed(self, cells: Sequence[Cell], block: Block) -> None:
        """They were red in `block`, without any others: with less load as well?"""
        load = self._scenario.load
        for _ in range(self._options.halvings):
            less = halved(load)
            if less is None:
                break
            self._listener.note(f"the same again with {less.rate:g} records a second")
            again = self._alone(cells, load=less)
            if not _red_with(again) & _red_with(block):
                break
            block, load = again, less
        self._red(
            suspects(block)[0],
            block,
            culprits=[cell.name for cell in cells],
            confirmed=True,
            repeat=self._repeat(cells, load_settings(load, instead_of=self._scenario.load)),
        )

    def _narrowed(self, cells: Sequence[Cell]) -> tuple[Sequence[Cell], Block | None]:
        """The fewest of them that are red together, and the run that showed it; None where they are
        not."""
        found = self._alone(cells) if len(cells) > 1 else None
        if found is None or not suspects(found):
            return [], None
        left = list(cells)
        for cell in cells:
            fewer = [each for each in left if each != cell]
            if len(fewer) < 2:
                break
            again = self._alone(fewer)
            if suspects(again):
                left, found = fewer, again
        return left, found

    def _alone(self, cells: Sequence[Cell], load: LoadSpec | None = None) -> Block:
        agenda = Agenda(cells=cells, seed=self._seed)
        agenda.steps = list(self._agenda.steps)
        return self._run(agenda, cells, load)

    def _plain(self, outcome: Outcome) -> CellResult:
        if outcome.firing is None:
            return self._of(outcome, colour=Colour.UNREACHED, reason=outcome.reason)
        if outcome.unsure:
            return self._of(outcome, colour=Colour.UNKNOWN, reason=outcome.unsure)
        return self._of(outcome, colour=Colour.GREEN)

    def _red(
        self,
        outcome: Outcome,
        block: Block,
        *,
        culprits: list[str],
        confirmed: bool = False,
        repeat: str = "",
    ) -> None:
        report = block.red[1] if block.red is not None else None
        codes, findings = _found(report)
        if outcome.stalled and not codes:
            codes = {Code.STALLED: 1}
        parts = [_said(codes), outcome.stalled]
        if self._options.confirm and not confirmed:
            parts.append("seen once: it did not come out red again alone")
        elif len(culprits) > 1:
            parts.append(f"it takes {len(culprits)} cells: {', '.join(culprits)}")
        records = block.result.audit.counts.get("input_records", 0)
        if confirmed and records:
            parts.append(f"in a run of {records} records")
        result = self._of(
            outcome,
            colour=Colour.RED,
            reason="; ".join(part for part in parts if part),
            codes=codes,
            findings=findings,
            confirmed=confirmed,
            culprits=culprits,
            known=known_hazard(outcome.cell),
            records=records,
            repeat=repeat,
        )
        self._tally.results[outcome.cell] = result
        self._listener.judged(result)

    def _of(
        self,
        outcome: Outcome,
        *,
        colour: Colour,
        reason: str = "",
        codes: dict[Code, int] | None = None,
        findings: Sequence[Finding] = (),
        confirmed: bool = False,
        culprits: Sequence[str] = (),
        known: str = "",
        records: int = 0,
        repeat: str = "",
    ) -> CellResult:
        return CellResult(
            cell=outcome.cell,
            colour=colour,
            repeat=repeat or self._repeat([outcome.cell], []),
            reason=reason,
            instance=outcome.instance,
            nth=outcome.nth,
            request=request_of(outcome),
            rolled_back=outcome.rolled_back,
            took_over_s=outcome.took_over_s,
            back_s=outcome.back_s,
            seconds=outcome.ended - outcome.began,
            codes=codes or {},
            findings=list(findings),
            confirmed=confirmed,
            culprits=list(culprits),
            known=known,
            records=records,
        )


def _red_with(block: Block) -> set[Code]:
    """What was found in a run; nothing where no cell is to blame for it."""
    if not suspects(block):
        return set()
    found = set() if block.red is None else set(_found(block.red[1])[0])
    return found or {Code.STALLED}


def _said(codes: Mapping[Code, int]) -> str:
    return ", ".join(f"{count} × {code.value}" for code, count in codes.items())


def _found(report: AuditReport | None) -> tuple[dict[Code, int], list[Finding]]:
    if report is None:
        return {}, []
    codes = {code: count for code, count in report.anomalies.items() if count}
    return codes, [each for each in report.findings if not each.allowed][:_FINDINGS]
