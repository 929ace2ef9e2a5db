"""The control of a catch: the very command that caught a bug, less the bug. A catch says something
only where its control is green."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import ClassVar

import msgspec

from eoscheck.audit.findings import Verdict
from eoscheck.explore.own_exam.plan import ARGS, NO_FAULT, Attempt, Bug, Means
from eoscheck.run.naming import repeat_command


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """One command without a bug, and what came of it; one of several catches where they differ by
    their bugs alone. `verdict` is None where it gave none; `problem` says why it is not green.

    `codes` counts what was found; `load` is the machine's load average when it ended."""

    KIND: ClassVar[str] = "control"

    repeat: str
    means: Means
    verdict: Verdict | None
    codes: dict[str, int]
    seconds: float
    at: str
    load: float
    problem: str = ""
    kind: str = KIND


class Shown(StrEnum):
    """What the control says of a catch. `missing`: it was not run yet, or the zoo does not tell
    what turns the bug on."""

    GREEN = "green"
    NOT_GREEN = "not green"
    MISSING = "missing"


def control_words(attempt: Attempt, bug: Bug) -> list[str] | None:
    """The command after `eoscheck`; None for an attempt that caught nothing, and where the zoo does
    not tell what turns the bug on.

    Of a matrix only the cells that were red are run, or only its learning where that was.
    """
    if not (attempt.caught and bug.switch):
        return None
    words = [_less(word, bug.switch) for word in shlex.split(attempt.repeat)[1:]]
    if attempt.means is not Means.CRASHPOINTS:
        return words
    at = words.index("--stop-after")
    words = [*words[:at], *words[at + 2 :]]
    if attempt.fault == NO_FAULT:
        return [*words, "--learn-only"]
    return [*words, *(word for cell in attempt.fault.split(", ") for word in ("--cell", cell))]


def control_of(attempt: Attempt, bug: Bug) -> str:
    """The command as it is kept; nothing where there is none."""
    words = control_words(attempt, bug)
    return "" if words is None else repeat_command(words)


def shown(attempt: Attempt, bug: Bug, controls: Iterable[Control]) -> Shown:
    """By the last of its controls."""
    command = control_of(attempt, bug)
    found = [each for each in controls if command and each.repeat == command]
    if not found:
        return Shown.MISSING
    return Shown.GREEN if found[-1].verdict is Verdict.PASS else Shown.NOT_GREEN


def _less(word: str, switch: Sequence[str]) -> str:
    """A setting of the app's options without those that turn the bug on; any other as it is."""
    if not word.startswith(ARGS):
        return word
    args = json.loads(word.removeprefix(ARGS))
    size = len(switch)
    at = next(at for at in range(len(args)) if args[at : at + size] == list(switch))
    return f"{ARGS}{json.dumps(args[:at] + args[at + size :])}"
