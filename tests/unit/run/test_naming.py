"""A repeat command is one that a shell takes as it stands."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime

from eoscheck.run.naming import new_run_id, repeat_run


def test_the_repeat_command_survives_the_shell() -> None:
    line = repeat_run(
        "my scenario.toml",
        seed=7,
        overrides=["load.rate=5", "title=a b"],
        subject=["app", "--x=y z"],
    )
    assert shlex.split(line) == [
        "eoscheck", "run", "my scenario.toml", "--seed", "7",
        "--set", "load.rate=5", "--set", "title=a b", "--", "app", "--x=y z",
    ]  # fmt: skip


def test_a_run_id_is_fresh_and_legal_in_a_topic_name() -> None:
    first = new_run_id("kill", now=datetime(2026, 1, 2, 3, 4, 5, 6000, tzinfo=UTC))
    later = new_run_id("kill", now=datetime(2026, 1, 2, 3, 4, 5, 7000, tzinfo=UTC))
    assert first == "kill-20260102-030405-006"
    assert first < later
    assert re.fullmatch(r"[a-zA-Z0-9._-]{1,200}", first)
