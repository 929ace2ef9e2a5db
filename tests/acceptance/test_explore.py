"""A search that knows nothing of a bug finds it, where random kills for as long do not."""

from __future__ import annotations

import json
import math
import shlex
from pathlib import Path

import pytest

from reference_app.bugs.zoo import find
from tests.acceptance.conftest import Accepted, Eoscheck

BUDGET = "10m"
SEED = "1"
TIMES = 10
FEWEST_KILL_RUNS = 5
AT_LEAST_ONCE = ("--processing-guarantee", "at_least_once")
APPS = {
    # A commit is given up before the group gives its member up.
    "commit-retried-as-new": ("--max-poll-interval-ms", "60000"),
    "delivery-errors-ignored": AT_LEAST_ONCE,
    # As its proof has it; librdkafka wants a delivery time-out above the linger.
    "flush-skipped-at-close": (
        *find("flush-skipped-at-close").options,
        *("--client-property", "producer.message.timeout.ms=8000"),
    ),
}
"""Each bug with the options of the app that has it; nothing of its proof's faults and times."""


def with_bug(name: str) -> tuple[str, ...]:
    """The app with it, judged by what it promises."""
    judged = ("--set", "audit.expect=at-least-once") if "at_least_once" in APPS[name] else ()
    return (*judged, *with_args(*APPS[name], "--bug", name))


def with_args(*options: str) -> tuple[str, str]:
    return "--set", f"subject.args={json.dumps(options)}"


def as_typed(*words: str) -> str:
    return shlex.join(["eoscheck", *words])


@pytest.mark.accept
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("name", APPS)
def test_a_bug_that_random_kills_miss_is_found_shrunk_and_repeated(
    eoscheck: Eoscheck, accepted: Accepted, name: str, tmp_path: Path
) -> None:
    search = ("explore", "--for", BUDGET, "--seed", SEED, *with_bug(name))
    found = eoscheck(*search, timeout_s=900)
    assert found.exit_code == 1, found.stderr[-3000:]
    told = found.shown
    assert set(told["codes"]) & set(find(name).anomalies)
    assert 1 <= told["faults"] <= 2

    again = [eoscheck("run", told["scenario"]).exit_code for _ in range(TIMES)]
    assert again == [1] * TIMES, told["schedule"]
    healthy = eoscheck("run", told["scenario"], *with_args(*APPS[name]))
    assert healthy.exit_code == 0, healthy.shown

    length = f"{math.ceil(told['used_s'])}s"
    only_kills = ("explore", "--only", "kill", "--for", length, "--seed", SEED, *with_bug(name))
    kills = eoscheck(*only_kills, "--database", tmp_path / "of-kills", timeout_s=900)
    assert kills.exit_code == 0, kills.shown
    assert kills.shown["runs"]["pass"] >= FEWEST_KILL_RUNS

    accepted(
        f"Search finds {name}, random kills for as long do not",
        f"{as_typed(*search)}; {as_typed(*only_kills)}",
        f"after {told['found_after_s']:.0f} s, in all {told['used_s']:.0f} s and "
        f"{sum(told['runs'].values())} runs: {', '.join(told['codes'])}; shrunk to "
        f"{'; '.join(told['schedule'])}; its file red {again.count(1)} of {TIMES}, "
        f"green without the bug; kills: {kills.shown['runs']}",
    )


@pytest.mark.accept
@pytest.mark.timeout(600)
def test_the_app_itself_is_explored_and_nothing_is_found(
    eoscheck: Eoscheck, accepted: Accepted
) -> None:
    outcome = eoscheck("explore", "--for", "5m", "--seed", SEED, timeout_s=500)
    assert outcome.exit_code == 0, outcome.shown
    told = outcome.shown
    accepted(
        "Search finds nothing in the app itself",
        f"eoscheck explore --for 5m --seed {SEED}",
        f"{told['runs']}, {len(told['states'])} states, {len(told['cells'])} cells",
    )
