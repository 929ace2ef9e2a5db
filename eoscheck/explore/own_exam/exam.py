"""The tool's own exam: does it find what is wrong, with what, and how soon?

Each attempt is a command as a user gives it, in a process of its own, so that none disturbs the
next, and each that caught something is repeated once without the bug: its control. The outcomes
are lines of a file, from which an exam that was stopped goes on.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from eoscheck.audit.findings import Verdict
from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.explore.own_exam.control import Control, control_words
from eoscheck.explore.own_exam.outcome import Seen, seen
from eoscheck.explore.own_exam.plan import Attempt, Bug, Means, next_seed, read_zoo, repeat, words
from eoscheck.explore.own_exam.results import Entry, Results, append, read_results
from eoscheck.process import Supervisor, tail
from eoscheck.run.naming import repeat_command

EOSCHECK = (sys.executable, "-c", "from eoscheck.cli.main import main; main()")
LIMITS_S: Mapping[Means, float] = {
    Means.KILLS: 240.0,
    Means.CATALOGUE: 300.0,
    Means.CRASHPOINTS: 900.0,
}
"""No command of them takes as long: it hangs, and is ended."""
_STOP_S = 60.0
_ZOO_S = 60.0


def ask_zoo(command: Sequence[str], *, supervisor: Supervisor) -> list[Bug]:
    """The bugs that `command` prints. Raises UsageError where it does not."""
    with TemporaryDirectory(prefix="eoscheck-certify-") as folder:
        output = Path(folder) / "zoo.json"
        child = supervisor.start(command, output=output)
        code = child.wait(timeout_s=_ZOO_S)
        if code != 0:
            child.stop(timeout_s=_STOP_S)
            said = " ".join(tail(output, 1)) or f"exit code {code}"
            raise UsageError(f"--zoo {' '.join(command)!r} does not tell its bugs: {said}")
        return read_zoo(output.read_bytes())


def run_exam(
    bugs: Sequence[Bug],
    *,
    means: Sequence[Means],
    results: Path,
    seed: int,
    budget_s: float,
    supervisor: Supervisor,
    tell: Callable[[Entry], None],
    program: Sequence[str] = EOSCHECK,
    limits_s: Mapping[Means, float] = LIMITS_S,
) -> Results:
    """All attempts and controls, those that `results` has from before included; each new one is
    added to it at once. `budget_s`: so long random kills may go on for one bug; `program` is what
    takes the commands, none of them for longer than `limits_s`."""
    found = read_results(results)
    attempts, controls = list(found.attempts), list(found.controls)
    # One that could not be judged is tried again, once by each exam.
    settled = {each.repeat for each in controls if each.verdict in (Verdict.PASS, Verdict.FAIL)}
    results.parent.mkdir(parents=True, exist_ok=True)

    def command(words: Sequence[str], means: Means, *, fault: str) -> _Ran:
        return _run(
            [*program, *words],
            means,
            fault=fault,
            supervisor=supervisor,
            limit_s=limits_s[means],
        )

    def add(entry: Entry) -> None:
        append(results, entry)
        tell(entry)

    for bug in bugs:
        for way in means:
            done = [each for each in attempts if (each.bug, each.means) == (bug.name, way)]
            while (chosen := next_seed(bug, way, done, seed=seed, budget_s=budget_s)) is not None:
                ran = command(words(bug, way, seed=chosen), way, fault=bug.fault)
                attempt = _attempt(bug, way, seed=chosen, ran=ran)
                add(attempt)
                done.append(attempt)
                attempts.append(attempt)
            for attempt in done:
                without = control_words(attempt, bug)
                if without is None or repeat_command(without) in settled:
                    continue
                control = _control(without, way, command(without, way, fault=bug.fault))
                add(control)
                controls.append(control)
                settled.add(control.repeat)
    return Results(attempts=attempts, controls=controls)


@dataclass(frozen=True, kw_only=True)
class _Ran:
    """A command that has ended. `seen` is None where it left nothing, and `problem` says why."""

    seen: Seen | None
    problem: str
    at: str
    seconds: float
    load: float


def _run(
    command: Sequence[str],
    means: Means,
    *,
    fault: str,
    supervisor: Supervisor,
    limit_s: float,
) -> _Ran:
    at = datetime.now(UTC).isoformat(timespec="seconds")
    started = time.monotonic()
    found, problem = None, ""
    with TemporaryDirectory(prefix="eoscheck-certify-") as folder:
        output = Path(folder) / "output.log"
        reports = Path(folder) / "reports"
        supervisor.remove_at_exit(Path(folder))  # should we be killed
        child = supervisor.start([*command, "--report", str(reports)], output=output)
        try:
            ended = child.wait(timeout_s=limit_s) is not None
        finally:
            child.stop(timeout_s=_STOP_S)
        try:
            found = seen(reports, means, fault=fault)
        except InfrastructureError as error:
            problem = " ".join(tail(output, 1)) or str(error)
        if not ended:
            problem = f"did not end within {limit_s:.0f} s: {' '.join(tail(output, 1))}"
    return _Ran(
        seen=found,
        problem=problem,
        at=at,
        seconds=round(time.monotonic() - started, 1),
        load=round(os.getloadavg()[0], 1),
    )


def _attempt(bug: Bug, means: Means, *, seed: int, ran: _Ran) -> Attempt:
    codes = {} if ran.seen is None else ran.seen.codes
    red = ran.seen is not None and ran.seen.verdict is Verdict.FAIL
    return Attempt(
        bug=bug.name,
        means=means,
        seed=seed,
        caught=red and bool(codes.keys() & set(bug.codes)),
        codes=codes,
        fault="" if ran.seen is None else ran.seen.fault,
        seconds=ran.seconds,
        repeat=repeat(bug, means, seed=seed),
        at=ran.at,
        problem=ran.problem,
        load=ran.load,
    )


def _control(words: Sequence[str], means: Means, ran: _Ran) -> Control:
    reasons = [] if ran.seen is None or ran.seen.verdict is Verdict.PASS else ran.seen.reasons
    return Control(
        repeat=repeat_command(words),
        means=means,
        verdict=None if ran.seen is None else ran.seen.verdict,
        codes={} if ran.seen is None else ran.seen.codes,
        seconds=ran.seconds,
        at=ran.at,
        load=ran.load,
        problem="; ".join([*reasons, ran.problem] if ran.problem else reasons),
    )
