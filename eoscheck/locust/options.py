"""What may be asked for on Locust's command line and start page."""

from __future__ import annotations

import shlex
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from locust.argument_parser import LocustArgumentParser

from eoscheck.errors import UsageError
from eoscheck.run.remote import Begin

SCENARIO = "kill-exactly-once"


def add_options(parser: LocustArgumentParser) -> None:
    # Not in a group of their own: only what the parser itself was given is on the start page.
    parser.add_argument(
        "--eos-scenario",
        default=SCENARIO,
        metavar="SCENARIO",
        env_var="EOS_SCENARIO",
        help="A TOML file, or the name of a shipped scenario: cluster, app, faults, audit.",
    )
    parser.add_argument(
        "--eos-seed",
        default="",
        metavar="N",
        help="Replaces the scenario's seed: the same seed, the same faults.",
    )
    parser.add_argument(
        "--eos-set",
        default="",
        metavar="KEY=VALUE ...",
        help="Replaces values of the scenario, as a shell would split them: "
        "'timing.faults=10s load.rate=500'.",
    )
    parser.add_argument(
        "--eos-base",
        default="",
        metavar="FILE",
        help="A file with your app instead of the one that the scenario extends.",
    )
    parser.add_argument(
        "--eos-guarantee", default="", metavar="NAME", help="Run and judge it under this one."
    )
    parser.add_argument(
        "--eos-rate",
        default="",
        metavar="N",
        help="Records a second of each user; else its class says it, or the scenario's load.rate.",
    )
    parser.add_argument(
        "--eos-report",
        default="reports",
        metavar="FOLDER",
        help="The folder that the run's folder and its report are written into.",
    )


def begin_of(options: Namespace) -> Begin:
    """Raises UsageError with the option that cannot be."""
    try:
        overrides = shlex.split(options.eos_set or "")
    except ValueError as error:
        raise UsageError(f"--eos-set {options.eos_set!r}: {error}") from error
    seed = str(options.eos_seed or "").strip()
    if seed and not seed.lstrip("-").isdigit():
        raise UsageError(f"--eos-seed takes a whole number, not {seed!r}")
    rate_of(options)
    base = str(options.eos_base or "").strip()
    if base and not Path(base).is_file():
        raise UsageError(f"--eos-base {base}: there is no such file")
    return Begin(
        scenario=str(options.eos_scenario or SCENARIO),
        seed=int(seed) if seed else None,
        base=base or None,
        guarantee=str(options.eos_guarantee or "").strip() or None,
        overrides=overrides,
        reports=str(options.eos_report or "reports"),
        repeat=repeat_command(sys.argv),
    )


def rate_of(options: Namespace) -> float | None:
    text = str(options.eos_rate or "").strip()
    if not text:
        return None
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate < float("inf"):
        raise UsageError(f"--eos-rate takes records a second above 0, not {text!r}")
    return rate


def repeat_command(arguments: Sequence[str]) -> str:
    """Locust's own command line: its start page may have said more."""
    return shlex.join(["locust", *arguments[1:]])
