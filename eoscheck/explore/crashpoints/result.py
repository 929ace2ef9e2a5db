"""What a crash point matrix comes to: plain data, and one word for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec

from eoscheck.audit.findings import Code, Finding, Guarantee, Verdict
from eoscheck.explore.crashpoints.cells import Cell
from eoscheck.explore.crashpoints.learn import LearnedStep

MATRIX_FILE = "matrix.json"
"""In a matrix's folder, above its runs' folders: its MatrixResult as JSON."""


class Colour(StrEnum):
    """`unknown`: it was reached and could not be judged; `unreached`: the step did not come."""

    GREEN = "green"
    RED = "red"
    UNKNOWN = "unknown"
    UNREACHED = "unreached"


class CellResult(msgspec.Struct, frozen=True, kw_only=True):
    """One cell. `reason` says in words why it is what it is; empty where it is plainly green.

    `instance` and `nth` are what the seed chose; `request` is what the wire met there.
    `rolled_back`: the app ended a transaction by an abort, or its producer began anew.
    `took_over_s`: from the crash to another instance's commits for all that the victim had;
    `back_s`: from the victim's next start, or the fault, to its own commit.
    A red one: `codes` counts its anomalies, `findings` holds the first; `confirmed` where it was
    red alone again, on fresh topics; `culprits` are the cells that it takes; `records` is the
    whole input of that run, the smallest that was red; `known` names the hazard of the protocol
    that it is, which no app can help. `repeat` runs it alone, a red one with that load.
    """

    cell: Cell
    colour: Colour
    repeat: str
    reason: str = ""
    instance: int | None = None
    nth: int | None = None
    request: dict[str, Any] = {}
    rolled_back: bool = False
    took_over_s: float | None = None
    back_s: float | None = None
    seconds: float = 0.0
    codes: dict[Code, int] = {}
    findings: list[Finding] = []
    confirmed: bool = False
    culprits: list[str] = []
    records: int = 0
    known: str = ""

    @property
    def name(self) -> str:
        return self.cell.name

    @property
    def reached(self) -> bool:
        return self.colour is not Colour.UNREACHED


class MatrixResult(msgspec.Struct, frozen=True, kw_only=True):
    """A matrix from the first cell to the last. `before` counts what was found when nothing had
    been broken: one instance had stopped in order and come back. `allowed` counts what the
    guarantee permits; `audits` how often was looked; `runs` are the folders of its runs; `left` the
    cells that were not tried.
    """

    matrix_id: str
    scenario: str
    title: str
    guarantee: Guarantee
    seed: int
    started_at: str
    verdict: Verdict
    reasons: list[str]
    steps: list[LearnedStep]
    cells: list[CellResult]
    left: list[Cell]
    before: dict[Code, int]
    before_findings: list[Finding]
    allowed: dict[Code, int]
    audits: int
    duration_s: float
    environment: dict[str, str]
    repeat: str
    folder: str
    runs: list[str]

    @property
    def reached(self) -> int:
        return sum(each.reached for each in self.cells)

    @property
    def planned(self) -> int:
        return len(self.cells) + len(self.left)

    @property
    def red(self) -> list[CellResult]:
        return [each for each in self.cells if each.colour is Colour.RED]

    def counts(self) -> Counter[Colour]:
        return Counter(each.colour for each in self.cells)


def judge_matrix(
    cells: Sequence[CellResult],
    *,
    doubts: Sequence[str] = (),
    before: str = "",
    learn_only: bool = False,
) -> tuple[Verdict, list[str]]:
    """The verdict and why. `doubts`: what could not be judged of the whole; `before`: what was
    found when nothing had been broken yet, in words; `learn_only`: there were to be no cells.

    A red cell fails it, but for a hazard of the protocol that is known: no app can help that, so it
    is only told. A cell that was reached and not judged makes it unknown. One whose step did not
    come changes nothing by itself: how many were reached stands beside the verdict; but where none
    was, nothing was shown.
    """
    red = [each for each in cells if each.colour is Colour.RED and not each.known]
    hazards = [each for each in cells if each.colour is Colour.RED and each.known]
    unknown = [each for each in cells if each.colour is Colour.UNKNOWN]
    reasons = [f"{each.name}: {each.reason}" for each in red]
    notes = [f"{each.name}: {each.reason}; {each.known}" for each in hazards]
    open_questions = [f"{each.name}: {each.reason}" for each in unknown] + list(doubts)
    if before:
        reasons.insert(0, f"without any fault: {before}")
    if reasons:
        return Verdict.FAIL, reasons + open_questions + notes
    if not learn_only and not any(each.reached for each in cells):
        return Verdict.UNKNOWN, ["no cell was reached: nothing was shown", *open_questions]
    if open_questions:
        return Verdict.UNKNOWN, open_questions + notes
    return Verdict.PASS, notes
