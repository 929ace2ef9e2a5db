"""A search that knows nothing of a bug finds it, where random kills of the same length do not."""

from __future__ import annotations

import json
import shlex

import pytest

from reference_app.bugs.zoo import find
from tests.acceptance.conftest import Accepted, Eoscheck

BUDGET = "10m"
TIMES = 10
STEADY = ("abort-without-seek", "commit-retried-as-new")
"""A step of the protocol brings them out, which comes again each time."""
FOUND = (*STEADY, "abort-without-store-rollback", "flush-skipped-at-close")
KILLS_MISS = ("commit-retried-as-new", "flush-skipped-at-close")
"""A rebalance alone brings out the others now and then: kills find them, too."""
PATIENT = ("--max-poll-interval-ms", "60000")
"""For a commit that is given up before the group gives its member up."""
LINGERS = ("--client-property", "producer.message.timeout.ms=8000")
"""Above the linger of its proof, as librdkafka wants it."""


def with_bug(name: str) -> tuple[str, ...]:
    """The app with it, as its proof has the app, and judged as there; nothing of the proof's faults
    and times."""
    bug = find(name)
    judged = [
        word for each in bug.settings if each.startswith("audit.") for word in ("--set", each)
    ]
    options = {
        "commit-retried-as-new": PATIENT,
        "flush-skipped-at-close": (*bug.options, *LINGERS),
    }.get(name, bug.options)
    return (*judged, "--set", f"subject.args={json.dumps([*options, '--bug', name])}")


def as_typed(*words: str) -> str:
    return shlex.join(["eoscheck", *words])


@pytest.mark.accept
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", FOUND)
def test_a_bug_is_found_unhinted_and_shrunk(
    eoscheck: Eoscheck, accepted: Accepted, name: str
) -> None:
    outcome = eoscheck("explore", "--for", BUDGET, *with_bug(name), timeout_s=900)
    assert outcome.exit_code == 1, outcome.stderr[-3000:]
    told = outcome.shown
    assert set(told["codes"]) & set(find(name).anomalies)
    assert told["faults"] <= 2
    again = [eoscheck("run", told["scenario"]).exit_code for _ in range(TIMES)]
    assert set(again) <= {0, 1}
    assert again.count(1) >= (TIMES if name in STEADY else TIMES // 2)
    schedule = "; ".join(told["schedule"])
    accepted(
        f"Search finds {name}",
        as_typed("explore", "--for", BUDGET, *with_bug(name)),
        f"after {told['found_after_s']:.0f} s and {sum(told['runs'].values())} runs: "
        f"{', '.join(told['codes'])}; shrunk to {schedule}; red again {again.count(1)} of {TIMES}",
    )


@pytest.mark.accept
@pytest.mark.timeout(1000)
@pytest.mark.parametrize("name", KILLS_MISS)
def test_random_kills_of_the_same_length_do_not_find_it(
    eoscheck: Eoscheck, accepted: Accepted, name: str
) -> None:
    words = ("explore", "--only", "kill", "--for", BUDGET)
    outcome = eoscheck(*words, *with_bug(name), timeout_s=900)
    assert outcome.exit_code == 0, outcome.shown
    runs = outcome.shown["runs"]
    assert runs["pass"] >= 10
    accepted(
        f"Random kills miss {name}",
        as_typed(*words, *with_bug(name)),
        f"nothing found in {runs}",
    )


@pytest.mark.accept
@pytest.mark.timeout(600)
def test_the_app_itself_is_explored_and_nothing_is_found(
    eoscheck: Eoscheck, accepted: Accepted
) -> None:
    outcome = eoscheck("explore", "--for", "5m", timeout_s=500)
    assert outcome.exit_code == 0, outcome.shown
    told = outcome.shown
    accepted(
        "Search finds nothing in the app itself",
        "eoscheck explore --for 5m",
        f"{told['runs']}, {len(told['states'])} states, {len(told['cells'])} cells",
    )
