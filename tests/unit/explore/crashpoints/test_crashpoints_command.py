"""`eoscheck crashpoints` refuses what cannot be before a broker is started for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from eoscheck.cli import crashpoints
from eoscheck.errors import EoscheckError, UsageError
from eoscheck.run import setting


@pytest.fixture(autouse=True)
def no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_: object) -> None:
        raise AssertionError("a broker is started")

    monkeypatch.setattr(crashpoints, "open_session", start)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "subject.instances=1"], "set subject.instances=2"),
        (["crash-points"], "did you mean 'crashpoints'"),
        (["--cell", "EndTxn(commit) x crash-afer"], "did you mean 'crash-after'"),
        (["--client-timeout", "soon"], "--client-timeout"),
        (["--guarantee", "at-most-once"], "does not say what must come out"),
    ],
)
def test_it_says_in_one_line_what_to_mend(words: list[str], said: str) -> None:
    with pytest.raises(UsageError) as refused:
        CliRunner().invoke(
            crashpoints.command, words, standalone_mode=False, catch_exceptions=False
        )
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_app_of_which_nobody_can_tell_who_took_over_is_refused(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(
        """
name = "mine"
title = "Mine"
[subject]
command = ["my-app"]
instances = 2
[load]
topic = "in"
[audit]
output = "out"
""",
        encoding="utf-8",
    )
    with pytest.raises(EoscheckError, match=r"subject\.group and subject\.client_id"):
        CliRunner().invoke(
            crashpoints.command, [str(mine)], standalone_mode=False, catch_exceptions=False
        )


@pytest.mark.parametrize("scenario", [[], ["crashpoints"]])
def test_what_stands_after_the_dashes_is_the_command_with_a_scenario_or_without(
    scenario: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def load(source: str, **options: Any) -> None:
        asked.append((source, options["command"]))
        raise UsageError("enough")

    monkeypatch.setattr(setting, "load_scenario", load)
    words = ["--seed", "3", *scenario, "--", "my-app", "--seed", "9"]
    with pytest.raises(UsageError, match="enough"):
        CliRunner().invoke(
            crashpoints.command, words, standalone_mode=False, catch_exceptions=False
        )
    assert asked == [("crashpoints", ("my-app", "--seed", "9"))]
