"""What the tool's own exam does to each bug of a zoo, as commands; pure.

A zoo is told by a program (`python -m reference_app.bugs --json`): a list of objects with the keys
of `Bug`. The bugs are applications that are wrong on purpose, each in one way, and nothing else is
known of them than how they are started.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import StrEnum

import msgspec

from eoscheck.audit.findings import Guarantee
from eoscheck.errors import UsageError, did_you_mean
from eoscheck.run.naming import repeat_command

KILLS_SCENARIO = "zoo-kills"
"""Where a bug has no scenario of its own: the app as it is, under random kills."""
MATRIX_SCENARIO = "crashpoints"
"""In which the steps of an app are broken that has no other for that."""
ARGS = "subject.args="
NO_FAULT = "none: a stop in order and a restart"
"""By which a matrix learns the app's steps."""
_ROUND_S = 20
_KILLS = 5
"""Of a round, at moments and to instances that the seed alone chooses; as many as fit where the app
has one instance."""
_CATALOGUE_SEEDS = 2
"""A fault may miss the moment that it is meant for: a scenario has two chances."""


class Means(StrEnum):
    """How a bug is brought out: by chance, by the scenario that is meant for it, or at the steps of
    the protocol, one by one."""

    KILLS = "kills"
    CATALOGUE = "catalogue"
    CRASHPOINTS = "crashpoints"


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    """Where an app's crash points are tried: `scenario`, with `args` and `settings` after those of
    the bug."""

    scenario: str = MATRIX_SCENARIO
    args: list[str] = []
    settings: list[str] = []


class Bug(msgspec.Struct, frozen=True, kw_only=True):
    """One subject. `codes` are the anomalies that it can cause; `scenario` with `settings` brings
    it out, as `eoscheck run SCENARIO --set SETTING ...` (`fault` says how in words), and `args` are
    added to the app's command. `switch` are those of `args` that turn the bug on: without them it
    is the app as it should be. `guarantee` is what the app promises: its scenario may judge it more
    strictly, where that does nothing which the guarantee leaves open, but a crash does."""

    name: str
    breaks: str
    codes: list[str]
    args: list[str]
    fault: str = ""
    guarantee: Guarantee = Guarantee.EXACTLY_ONCE
    scenario: str = ""
    settings: list[str] = []
    switch: list[str] = []
    crashpoints: Matrix = Matrix()


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One command, and what came of it. `caught`: it came out red, with one of the bug's codes.

    `codes` counts what was found, `fault` says what brought it out; `seconds` is the whole command,
    with the start of its broker and the audit; `problem` is why it said nothing; `load` is the
    machine's load average when it ended, where it was kept."""

    bug: str
    means: Means
    seed: int
    caught: bool
    codes: dict[str, int]
    fault: str
    seconds: float
    repeat: str
    at: str
    problem: str = ""
    load: float | None = None


def read_zoo(document: bytes) -> list[Bug]:
    """Raises UsageError where it is not a list of bugs."""
    try:
        return msgspec.json.decode(document, type=list[Bug])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise UsageError(f"--zoo does not print a list of bugs: {error}") from error


def choose(zoo: Sequence[Bug], names: Sequence[str]) -> list[Bug]:
    """Those, in the zoo's order; all where none is named. Raises UsageError with the nearest."""
    known = {bug.name: bug for bug in zoo}
    for name in names:
        if name not in known:
            raise UsageError(f"no bug is called {name!r}{did_you_mean(name, known)}")
    return [bug for bug in zoo if not names or bug.name in names]


def next_seed(
    bug: Bug, means: Means, done: Sequence[Attempt], *, seed: int, budget_s: float
) -> int | None:
    """Of the next attempt, None where it is decided: it was caught, there was time enough, or the
    last one could not be made.

    `done` are the attempts on this bug by these means. Random kills go on, round after round, for
    `budget_s`; a matrix is run once, to its first red cell.
    """
    if any(each.caught for each in done) or (done and done[-1].problem):
        return None
    match means:
        case Means.KILLS:
            over = sum(each.seconds for each in done) >= budget_s
        case Means.CATALOGUE:
            over = not bug.scenario or len(done) >= _CATALOGUE_SEEDS
        case Means.CRASHPOINTS:
            over = len(done) >= 1
    return None if over else seed + len(done)


def words(bug: Bug, means: Means, *, seed: int) -> list[str]:
    """The command, after `eoscheck`. The app and the load are those of the bug's own scenario, by
    whatever means: only the faults are others."""
    theirs = ("faults", "timing.", "audit.expect")
    app = [each for each in bug.settings if not each.startswith(theirs)]
    app.append(f"audit.expect={bug.guarantee.value}")
    args = bug.args
    match means:
        case Means.KILLS:
            kill = f'{{kind="kill", count={_KILLS}, down=["100ms", "2500ms"]}}'
            settings = [*app, f"timing.faults={_ROUND_S}s", f"faults=[{kill}]"]
            command = ["run", bug.scenario or KILLS_SCENARIO]
        case Means.CATALOGUE:
            settings = bug.settings
            command = ["run", bug.scenario]
        case Means.CRASHPOINTS:
            # Another instance has to be there to take over.
            settings = [each for each in app if not each.startswith("subject.instances")]
            # Nothing is wrong with an app that waits for an orphan as long as it told the broker.
            settings += [f"timing.liveness={_orphan_s(bug) + 20:g}s", *bug.crashpoints.settings]
            gives_up = f"{_orphan_s(bug) + 15:g}s"
            scenario = bug.crashpoints.scenario
            command = ["crashpoints", *([] if scenario == MATRIX_SCENARIO else [scenario])]
            # The time to find it is measured: not that of making it small.
            command += ["--stop-after", "1", "--halvings", "0", "--client-timeout", gives_up]
            args = [*bug.args, *bug.crashpoints.args]
    settings = [*settings, f"{ARGS}{json.dumps(args)}"]
    sets = [word for setting in settings for word in ("--set", setting)]
    return [*command, "--seed", str(seed), *sets]


def _orphan_s(bug: Bug) -> float:
    """How long a transaction of this app may stay open: so long others wait for it, and as long its
    client asks for a commit. 0 where that is the scenario's own 2.5 s."""
    option, args = "--transaction-timeout-ms", bug.args
    return float(args[args.index(option) + 1]) / 1000 if option in args else 0.0


def repeat(bug: Bug, means: Means, *, seed: int) -> str:
    return repeat_command(words(bug, means, seed=seed))
