"""The app's front door: help, description, the zoo's list, and bad input in one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from reference_app.payments.__main__ import main


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_help_shows_an_example_and_the_exit_codes() -> None:
    text = run("--help").output
    assert "python -m reference_app.payments --bootstrap-server localhost:9092" in text
    assert "Exit codes: 0 stopped" in text


def test_describe_needs_no_broker() -> None:
    result = run("--describe", "--input", "in", "--output", "out")
    assert result.exit_code == 0
    assert "Source: in" in result.output
    assert "Sink: out" in result.output


def test_describe_shows_the_whole_topology_where_it_is_asked_for() -> None:
    text = run("--describe", "--ledger", "books", "--fraud-alerts", "alerts").output
    assert "Source: payments\n    --> settle, post, watch" in text
    assert "Processor: post (stores: [none])\n    --> books" in text
    assert "stores: [payment-counts (windows of 60000 ms every 60000 ms, grace 10000 ms" in text
    assert "Sink: alerts\n    <-- watch" in text


def test_without_their_topics_ledger_and_alerts_are_not_there() -> None:
    text = run("--describe").output
    assert "    --> settle\n" in text
    assert "payment-counts" not in text


def test_the_zoo_can_be_listed_without_a_broker() -> None:
    result = run("--bug", "list")
    assert result.exit_code == 0
    assert "offsets-before-outputs" in result.output
    assert "KAFKA-10167" in result.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Error: --bootstrap-server is missing"),
        (("--bootstrap-server", "x:1", "--bug", "autocommit"), "did you mean 'auto-commit'"),
        (("--bootstrap-server", "x:1", "--client-property", "a"), "expected name=value"),
        (
            ("--bootstrap-server", "x:1", "--commit-interval-ms", "99999"),
            "--transaction-timeout-ms",
        ),
        (("--fraud-window-ms", "10", "--fraud-advance-ms", "20"), "advance_ms must be above 0"),
    ],
)
def test_bad_options_are_one_line_and_code_2(arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_a_broker_that_is_not_there_is_waited_for_only_so_long(tmp_path: Path) -> None:
    result = run(
        *("--bootstrap-server", "127.0.0.1:1", "--state-dir", str(tmp_path)),
        *("--default-api-timeout-ms", "300", "--log-level", "error"),
    )
    assert result.exit_code == 2
    assert "within 0.3 s: is --bootstrap-server right" in (tmp_path / "metrics.json").read_text()
