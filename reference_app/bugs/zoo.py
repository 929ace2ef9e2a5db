"""All bugs, by name."""

from __future__ import annotations

import json
from difflib import get_close_matches
from textwrap import fill, indent

from reference_app.bugs.bug import Bug
from reference_app.bugs.delivery import (
    DELIVERY_ERRORS_IGNORED,
    FLUSH_SKIPPED_AT_CLOSE,
    NON_IDEMPOTENT_PRODUCER,
)
from reference_app.bugs.inputs import READ_UNCOMMITTED_INPUT
from reference_app.bugs.offsets import (
    AUTO_COMMIT,
    CONSUMER_POSITION_COMMITTED,
    LAST_OFFSET_COMMITTED,
    OFFSETS_AFTER_OUTPUTS,
    OFFSETS_BEFORE_OUTPUTS,
)
from reference_app.bugs.outputs import CRC32_PARTITIONER
from reference_app.bugs.rebalances import (
    CACHED_GROUP_METADATA,
    NO_COMMIT_ON_REVOKE,
    OFFSETS_WITHOUT_MEMBER,
)
from reference_app.bugs.restores import (
    CHANGELOG_BY_KEY,
    INTERRUPTED_RESTORE_CLAIMED_DONE,
    LOCAL_STATE_TRUSTED,
    RESTORE_READS_UNCOMMITTED,
    RESTORE_TO_LSO,
    STANDBY_READS_UNCOMMITTED,
)
from reference_app.bugs.rollback import (
    ABORT_WITHOUT_SEEK,
    ABORT_WITHOUT_STORE_ROLLBACK,
    BUFFER_KEPT_AFTER_ABORT,
)
from reference_app.bugs.state import (
    CHECKPOINT_KEPT_AFTER_CRASH,
    POSITION_DURABLE_BEFORE_DATA,
    STORE_WRITTEN_BEFORE_COMMIT,
)
from reference_app.bugs.transactions import (
    CHANGELOG_OUTSIDE_TRANSACTION,
    COMMIT_RETRIED_AS_NEW,
    OUTPUT_OUTSIDE_TRANSACTION,
    RANDOM_TRANSACTIONAL_ID,
    SHARED_TRANSACTIONAL_ID,
)
from reference_app.bugs.windows import STREAM_TIME_LOST, WINDOW_RETENTION_IGNORED
from reference_app.streams.errors import ConfigurationError

_PAGE = """# The bug zoo

Written by `python -m reference_app.bugs > docs/bugs.md`; a test compares it with the code.

Each bug takes one rule of exactly-once away from the reference app, and is switched on with
`--bug NAME`; none ever emits or drops a record itself. Each is proven red: its proof below exits
with code 1 and finds one of its codes, and the same run without `--bug` passes
(`tests/acceptance/test_zoo.py`). An audit that knows nothing of the run finds it in the topics as
well, unless it is `STALLED`. What else finds each, and how soon: [power.md](power.md).

| Bug | The rule, and what is done instead | Like | Can cause | Brought out by |
|---|---|---|---|---|"""

BUGS: tuple[Bug, ...] = (
    OFFSETS_BEFORE_OUTPUTS,
    OFFSETS_AFTER_OUTPUTS,
    AUTO_COMMIT,
    CONSUMER_POSITION_COMMITTED,
    LAST_OFFSET_COMMITTED,
    OUTPUT_OUTSIDE_TRANSACTION,
    CHANGELOG_OUTSIDE_TRANSACTION,
    RANDOM_TRANSACTIONAL_ID,
    SHARED_TRANSACTIONAL_ID,
    COMMIT_RETRIED_AS_NEW,
    ABORT_WITHOUT_SEEK,
    ABORT_WITHOUT_STORE_ROLLBACK,
    BUFFER_KEPT_AFTER_ABORT,
    NO_COMMIT_ON_REVOKE,
    CACHED_GROUP_METADATA,
    OFFSETS_WITHOUT_MEMBER,
    STORE_WRITTEN_BEFORE_COMMIT,
    CHECKPOINT_KEPT_AFTER_CRASH,
    POSITION_DURABLE_BEFORE_DATA,
    RESTORE_TO_LSO,
    RESTORE_READS_UNCOMMITTED,
    STANDBY_READS_UNCOMMITTED,
    LOCAL_STATE_TRUSTED,
    INTERRUPTED_RESTORE_CLAIMED_DONE,
    CHANGELOG_BY_KEY,
    STREAM_TIME_LOST,
    WINDOW_RETENTION_IGNORED,
    READ_UNCOMMITTED_INPUT,
    CRC32_PARTITIONER,
    DELIVERY_ERRORS_IGNORED,
    FLUSH_SKIPPED_AT_CLOSE,
    NON_IDEMPOTENT_PRODUCER,
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
    """Every bug with its rule, its like, its anomaly codes, its fault and its proof."""
    return "\n\n".join(_entry(bug) for bug in BUGS)


def as_json() -> str:
    """The same for programs (`eoscheck certify`): a list of objects."""
    told = [
        {
            "name": bug.name,
            "breaks": bug.breaks,
            "codes": list(bug.anomalies),
            "fault": bug.fault,
            "guarantee": "at-least-once" if "at_least_once" in bug.options else "exactly-once",
            "scenario": bug.scenario,
            "settings": list(bug.settings),
            "args": [*bug.options, "--bug", bug.name],
            "switch": ["--bug", bug.name],
            "crashpoints": {
                "scenario": bug.matrix,
                "args": list(bug.matrix_options),
                "settings": list(bug.matrix_settings),
            },
        }
        for bug in BUGS
    ]
    return json.dumps(told, indent=1)


def markdown() -> str:
    """The same as a page of the documentation: docs/bugs.md."""
    rows = [
        f"| `{bug.name}` | {bug.breaks} | {bug.like} | {_codes(bug)} | {bug.fault} |"
        for bug in BUGS
    ]
    proofs = [f"**{bug.name}**: `{bug.proof}`" for bug in BUGS]
    return "\n".join([_PAGE, *rows, "", "## Proofs", "", "\n\n".join(proofs), ""])


def _entry(bug: Bug) -> str:
    lines = [
        bug.breaks,
        f"Like: {bug.like}",
        f"Can cause: {', '.join(bug.anomalies)}",
        f"Brought out by: {bug.fault}",
    ]
    body = "\n".join(fill(line, width=92, subsequent_indent="  ") for line in lines)
    # One line, however long: it is there to be copied.
    return f"{bug.name}\n{indent(body, '    ')}\n    Proof: {bug.proof}"


def _codes(bug: Bug) -> str:
    return ", ".join(f"`{code}`" for code in bug.anomalies)
