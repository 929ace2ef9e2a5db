"""What a run is called, and the command that does it again."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime


def new_run_id(name: str, *, now: datetime | None = None) -> str:
    """Fresh, sortable, and legal in a topic's name."""
    now = now or datetime.now(UTC)
    return f"{name}-{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03d}"


def repeat_command(words: Sequence[object], *, subject: Sequence[str] = ()) -> str:
    """A line to paste into a shell."""
    line = shlex.join(["eoscheck", *map(str, words)])
    return f"{line} -- {shlex.join(subject)}" if subject else line


def repeat_run(
    scenario: str,
    *,
    seed: int,
    base: object = None,
    guarantee: str | None = None,
    overrides: Sequence[str] = (),
    subject: Sequence[str] = (),
) -> str:
    """The `eoscheck run` that repeats one run."""
    options = scenario_words(base=base, guarantee=guarantee, overrides=overrides)
    return repeat_command(["run", scenario, "--seed", seed, *options], subject=subject)


def scenario_words(
    *, base: object = None, guarantee: str | None = None, overrides: Sequence[str] = ()
) -> list[object]:
    """The options that say what a scenario is run with, as they are typed."""
    words: list[object] = [] if base is None else ["--base", base]
    words += [] if guarantee is None else ["--guarantee", guarantee]
    words += [word for override in overrides for word in ("--set", override)]
    return words
