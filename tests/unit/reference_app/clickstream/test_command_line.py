"""The front doors of both apps: what they are made of, without a broker."""

from __future__ import annotations

from click.testing import CliRunner

from reference_app.clickstream.__main__ import main as upstream
from reference_app.clickstream.downstream import main as downstream


def test_the_upstream_counts_and_hands_on() -> None:
    text = CliRunner().invoke(upstream, ["--describe", "--output", "between"]).output
    assert "Processor: count (stores: [views])\n    --> between" in text


def test_the_downstream_remembers_events_for_the_bound_that_is_asked_for() -> None:
    options = ["--describe", "--input", "between", "--dedup-bound-ms", "5000"]
    text = CliRunner().invoke(downstream, options).output
    assert "Source: between" in text
    assert "seen (windows of 1000 ms every 1000 ms, grace 5000 ms, kept 6000 ms), latest" in text
    assert "    --> unique-views, latest-views" in text


def test_the_downstream_is_exactly_once_unless_told_otherwise() -> None:
    text = CliRunner().invoke(downstream, ["--help"]).output
    guarantee = text.partition("--processing-guarantee")[2].partition("--commit-interval-ms")[0]
    assert "[default: exactly_once_v2]" in guarantee
