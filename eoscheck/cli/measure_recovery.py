"""`eoscheck measure recovery`: how long a failure takes, by its kind, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from eoscheck.audit.findings import Verdict
from eoscheck.cli.dashes import BeforeDashes
from eoscheck.cli.measured import as_table, show_measured
from eoscheck.cli.session import open_session, run_options, setting_options
from eoscheck.errors import UsageError
from eoscheck.explore.measures.folder import measure_folder
from eoscheck.explore.measures.kinds import DOWN, TITLES, Kinds
from eoscheck.explore.measures.recovery import KindMeasured, Recoveries, verdict_notes
from eoscheck.explore.measures.recovery_told import headline
from eoscheck.measure.figures import Distribution
from eoscheck.measure.measured import KindFigure, Measured, RecoveryMeasure
from eoscheck.measure.objective import parse_objective
from eoscheck.report import numbers
from eoscheck.run.needs import cluster_needs
from eoscheck.run.result import RunResult
from eoscheck.run.setting import Setting

DEFAULT = "measure-recovery"
_LATE_S = 2.0
_EXAMPLES = """\b
Examples:
  eoscheck measure recovery --kinds kill,pause --repetitions 20
  eoscheck measure recovery my-app.toml --kinds kill --repetitions 299 --objective p99=5s
"""


@click.command("recovery", cls=BeforeDashes, epilog=_EXAMPLES)
@click.argument("scenario", metavar="[SCENARIO]", default=DEFAULT)
@click.option(
    "--kinds",
    default=",".join(TITLES),
    show_default=True,
    help="The kinds of faults. broker-kill needs cluster.brokers = 3.",
)
@click.option("--repetitions", type=int, default=10, show_default=True, help="Faults of each kind.")
@click.option(
    "--down",
    "downs",
    multiple=True,
    metavar="KIND=DURATION",
    help="How long until a fault is healed. May be repeated.  [default: "
    + ", ".join(f"{kind}={down}" for kind, down in DOWN.items() if kind != "restart")
    + "]",
)
@click.option(
    "--objective",
    metavar="pNN=DURATION",
    help="What a recovery may take, as in p99=5s: met, not met, or not yet known.",
)
@setting_options
@run_options
def command(
    *,
    setting: Setting,
    kinds: str,
    repetitions: int,
    downs: tuple[str, ...],
    objective: str | None,
    seed: int | None,
    report: Path,
    output_format: str,
) -> int:
    """Repeat faults of each kind on the app of SCENARIO, whose own faults are put aside, and tell
    how long its recoveries take: quantiles with 95 % bounds, phases, reprocessed records. Each
    kind is a run of its own on one live cluster, audited like any other.

    After `--`, COMMAND replaces the scenario's subject, as in `eoscheck run`.

    Exit code: 0 measured (and the objective met), 1 an anomaly or the objective not met, 2 not yet
    known, or it could not be measured.
    """
    chosen = Kinds(
        names=[name.strip() for name in kinds.split(",") if name.strip()],
        repetitions=repetitions,
        down=dict(_down(each) for each in downs),
    )
    wanted = None if objective is None else parse_objective(objective)
    loaded = setting.load()
    names, notes = chosen.possible(loaded)
    loaded = msgspec.structs.replace(loaded, faults=[chosen.table(each, loaded) for each in names])
    seed = loaded.seed if seed is None else seed
    words: list[object] = [
        "measure",
        "recovery",
        *([] if setting.source == DEFAULT else [setting.source]),
    ]
    words += ["--kinds", ",".join(chosen.names), "--repetitions", repetitions, "--seed", seed]
    words += [word for down in downs for word in ("--down", down)]
    words += [] if objective is None else ["--objective", objective]
    repeat = setting.repeat(words)
    folder = measure_folder(report, what="recovery", scenario=loaded.name)
    done: list[KindMeasured] = []
    with open_session(loaded.cluster, cluster_needs(loaded)) as session:
        recoveries = Recoveries(
            load=lambda run_id: setting.load(run_id=run_id),
            kinds=chosen,
            objective=wanted,
            seed=seed,
            repeat=repeat,
            ground=session,
            folder=folder,
            watch=session.watch,
            tell=session.progress,
        )
        for name in names:
            session.progress(f"{name}: {repetitions} times")
            done.append(recoveries.measure(name))
    runs = [each.run for each in done]
    figures = [each.figure for each in done]
    measured = Measured(
        what="recovery",
        measure_id=folder.measure_id,
        title=f"Recovery: {loaded.title}",
        headline=headline(figures, red=sum(run.verdict is not Verdict.PASS for run in runs)),
        scenario=loaded.name,
        seed=seed,
        started_at=folder.started_at,
        environment=runs[0].environment,
        repeat=repeat,
        folder=str(folder.path),
        notes=[*verdict_notes(runs), *_late(done), *notes, *_left_out(figures)],
        runs=[run.folder for run in runs],
        recovery=RecoveryMeasure(kinds=figures),
    )
    show_measured(measured, folder=folder, output_format=output_format, table=_table(figures))
    return exit_code(runs, figures)


def exit_code(runs: Sequence[RunResult], kinds: Sequence[KindFigure]) -> int:
    verdicts = {run.verdict for run in runs}
    outcomes = {kind.judgement.outcome for kind in kinds if kind.judgement is not None}
    if Verdict.FAIL in verdicts or "not met" in outcomes:
        return 1
    return 2 if Verdict.UNKNOWN in verdicts or "not yet known" in outcomes else 0


def _down(text: str) -> tuple[str, str]:
    kind, equals, down = text.partition("=")
    if not equals:
        raise UsageError(f"--down takes KIND=DURATION, as in kill=2s, not {text!r}")
    return kind, down


def _late(done: Sequence[KindMeasured]) -> list[str]:
    return [
        f"{each.figure.kind}: the load was {each.late_s:.0f} s late at its end, and its recoveries "
        "are longer by that: this machine does not hold load.rate"
        for each in done
        if each.late_s > _LATE_S
    ]


def _left_out(figures: Sequence[KindFigure]) -> list[str]:
    return [
        f"{kind.kind}: {numbers.plural(count, 'repetition')} left out: {reason}"
        for kind in figures
        for reason, count in kind.left_out.items()
    ]


def _table(figures: Sequence[KindFigure]) -> str:
    heads = ["", "n", "p50", "(p50 ≤)", "p90 ≤", "p99 ≤", "longest", "caught up p50"]
    heads += ["reprocessed p50", "longest phases (p50)"]
    judged = any(kind.judgement for kind in figures)
    rows = [_row(kind, judged=judged) for kind in figures]
    return as_table([*heads, *(["objective"] if judged else [])], rows)


def _row(kind: KindFigure, *, judged: bool) -> list[str]:
    found, caught, again = kind.recovered, kind.caught_up, kind.reprocessed
    cells = [kind.title, str(found.n if found else 0), *_quantiles(found)]
    cells.append(numbers.duration(caught.p50.value if caught else None))
    cells.append(numbers.count(again.p50.value if again else None))
    cells.append(_phases(kind))
    if judged:
        cells.append(kind.judgement.outcome if kind.judgement else numbers.NONE)
    return cells


def _quantiles(found: Distribution | None) -> list[str]:
    if found is None:
        return [numbers.NONE] * 5
    bounds = [found.p50.value, found.p50.upper]
    bounds += [each.upper if each else None for each in (found.p90, found.p99)]
    return [numbers.duration(bound) for bound in (*bounds, found.max)]


def _phases(kind: KindFigure) -> str:
    medians = [
        (each.durations.p50.value, each.phase)
        for each in kind.phases
        if each.durations is not None and each.durations.p50.value and each.phase != "caught up"
    ]
    longest = sorted(medians, reverse=True)[:2]
    return ", ".join(f"{phase} {numbers.duration(seconds)}" for seconds, phase in longest)
