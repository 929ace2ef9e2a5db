"""All bugs, by name."""

from __future__ import annotations

from difflib import get_close_matches
from textwrap import fill, indent

from reference_app.bugs.bug import Bug
from reference_app.bugs.inputs import READ_UNCOMMITTED_INPUT
from reference_app.bugs.offsets import AUTO_COMMIT, OFFSETS_AFTER_OUTPUTS, OFFSETS_BEFORE_OUTPUTS
from reference_app.bugs.state import RESTORE_TO_LSO, STORE_WRITTEN_BEFORE_COMMIT
from reference_app.bugs.transactions import (
    CHANGELOG_OUTSIDE_TRANSACTION,
    OUTPUT_OUTSIDE_TRANSACTION,
    RANDOM_TRANSACTIONAL_ID,
)
from reference_app.streams.errors import ConfigurationError

BUGS: tuple[Bug, ...] = (
    OFFSETS_BEFORE_OUTPUTS,
    OFFSETS_AFTER_OUTPUTS,
    AUTO_COMMIT,
    OUTPUT_OUTSIDE_TRANSACTION,
    CHANGELOG_OUTSIDE_TRANSACTION,
    RANDOM_TRANSACTIONAL_ID,
    STORE_WRITTEN_BEFORE_COMMIT,
    RESTORE_TO_LSO,
    READ_UNCOMMITTED_INPUT,
)


def find(name: str) -> Bug:
    """Raises ConfigurationError for a name that is not in the zoo."""
    known = {bug.name: bug for bug in BUGS}
    if name in known:
        return known[name]
    near = get_close_matches(name, known, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    raise ConfigurationError(f"no bug is called {name!r}{hint}: --bug list prints them")


def listing() -> str:
    """Every bug with its rule, its like, its anomaly codes and its fault."""
    return "\n\n".join(_entry(bug) for bug in BUGS)


def _entry(bug: Bug) -> str:
    lines = [
        bug.breaks,
        f"Like: {bug.like}",
        f"Can cause: {', '.join(bug.anomalies)}",
        f"Brought out by: {bug.fault}",
    ]
    body = "\n".join(fill(line, width=92, subsequent_indent="  ") for line in lines)
    return f"{bug.name}\n{indent(body, '    ')}"
