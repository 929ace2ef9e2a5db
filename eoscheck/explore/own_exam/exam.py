"""The tool's own exam: does it find what is wrong, with what, and how soon?

Each attempt is a command as a user gives it, in a process of its own, so that none disturbs the
next; its outcome is a line of a file, from which an exam that was stopped goes on.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from eoscheck.errors import InfrastructureError, UsageError
from eoscheck.explore.own_exam.outcome import Seen, seen
from eoscheck.explore.own_exam.plan import Attempt, Bug, Means, next_seed, read_zoo, repeat, words
from eoscheck.process import Supervisor, tail

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


def read_attempts(path: Path) -> list[Attempt]:
    """Of an exam that was begun; none where there is no such file. A last line that was not written
    to its end is taken away. Raises UsageError where it is another file."""
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    try:
        attempts = msgspec.json.Decoder(Attempt).decode_lines(whole)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise UsageError(f"{path} is no file of such an exam: {error}") from error
    if len(whole) < len(content):
        path.write_bytes(whole)
    return attempts


def run_exam(
    bugs: Sequence[Bug],
    *,
    means: Sequence[Means],
    results: Path,
    seed: int,
    budget_s: float,
    supervisor: Supervisor,
    tell: Callable[[Attempt], None],
    program: Sequence[str] = EOSCHECK,
    limits_s: Mapping[Means, float] = LIMITS_S,
) -> list[Attempt]:
    """All attempts, those that `results` has from before included; each new one is added to it at
    once. `budget_s`: so long random kills may go on for one bug; `program` is what takes the
    commands, none of them for longer than `limits_s`."""
    attempts = read_attempts(results)
    results.parent.mkdir(parents=True, exist_ok=True)
    for bug in bugs:
        for way in means:
            done = [each for each in attempts if (each.bug, each.means) == (bug.name, way)]
            while (chosen := next_seed(bug, way, done, seed=seed, budget_s=budget_s)) is not None:
                attempt = _attempt(
                    bug,
                    way,
                    seed=chosen,
                    supervisor=supervisor,
                    program=program,
                    limit_s=limits_s[way],
                )
                with results.open("ab") as file:
                    file.write(msgspec.json.encode(attempt) + b"\n")
                tell(attempt)
                done.append(attempt)
                attempts.append(attempt)
    return attempts


def _attempt(
    bug: Bug,
    means: Means,
    *,
    seed: int,
    supervisor: Supervisor,
    program: Sequence[str],
    limit_s: float,
) -> Attempt:
    at = datetime.now(UTC).isoformat(timespec="seconds")
    started = time.monotonic()
    problem = ""
    found = Seen(red=False, codes={}, fault="")
    with TemporaryDirectory(prefix="eoscheck-certify-") as folder:
        output = Path(folder) / "output.log"
        reports = Path(folder) / "reports"
        supervisor.remove_at_exit(Path(folder))  # should we be killed
        command = [*program, *words(bug, means, seed=seed), "--report", str(reports)]
        child = supervisor.start(command, output=output)
        try:
            ended = child.wait(timeout_s=limit_s) is not None
        finally:
            child.stop(timeout_s=_STOP_S)
        try:
            found = seen(reports, bug, means)
        except InfrastructureError as error:
            problem = " ".join(tail(output, 1)) or str(error)
        if not ended:
            problem = f"did not end within {limit_s:.0f} s: {' '.join(tail(output, 1))}"
    return Attempt(
        bug=bug.name,
        means=means,
        seed=seed,
        caught=found.red and bool(found.codes.keys() & set(bug.codes)),
        codes=found.codes,
        fault=found.fault,
        seconds=round(time.monotonic() - started, 1),
        repeat=repeat(bug, means, seed=seed),
        at=at,
        problem=problem,
    )
