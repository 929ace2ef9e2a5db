"""What exactly-once and a commit interval cost the payments app, as a user measures it."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from eoscheck.run.scenario import find_scenario
from tests.acceptance.conftest import Accepted, Eoscheck

SMALL = ("--pairs", "2", "--records", "300000", "--latency-pairs", "2", "--seconds", "3")


def told(ratio: dict[str, Any]) -> str:
    return f"{ratio['value']:.2f} [{ratio['low']:.2f} to {ratio['high']:.2f}]"


@pytest.mark.accept
@pytest.mark.timeout(900)
@pytest.mark.parametrize("interval", ["100ms", "500ms"])
def test_the_cost_of_exactly_once(eoscheck: Eoscheck, accepted: Accepted, interval: str) -> None:
    words = ("measure", "cost", "--commit-interval", interval, *SMALL)
    done = eoscheck(*words, timeout_s=840)
    assert done.exit_code == 0, done.stderr[-3000:]
    cost = done.shown["cost"]
    ratio = cost["throughput"]["ratio"]
    assert ratio["low"] < ratio["value"] < ratio["high"]
    assert [each["what"] for each in cost["broker"]] == ["CPU", "bytes"]
    shares = [each["share"] for each in cost["latency"]]
    said = "; ".join(done.shown["notes"])
    assert shares == [0.25, 0.5, 0.75] or "are left out" in said
    for each in cost["latency"]:
        # A reader of exactly-once waits for the end of the transaction.
        assert each["measured"]["p50"] > each["baseline"]["p50"]
    ratios = ", ".join(f"{e['share']:.0%} load: {told(e['p99_ratio'])}" for e in cost["latency"])
    accepted(
        f"The cost of exactly-once, commit interval {interval}",
        "eoscheck " + " ".join(words),
        f"throughput {told(ratio)} of at-least-once; p99 latency "
        + (ratios or "left out: the machine did not hold the load"),
    )


@pytest.mark.accept
@pytest.mark.timeout(600)
def test_the_cost_of_a_command_and_of_two_scenarios(eoscheck: Eoscheck, accepted: Accepted) -> None:
    """The same app in both ways of saying how its guarantee is switched."""
    scenario = tomllib.loads(find_scenario("drain-exactly-once").read_text(encoding="utf-8"))
    small = ("--pairs", "1", "--records", "100000", "--latency-pairs", "0")
    sides = ("drain-exactly-once", "drain-at-least-once")
    command = scenario["subject"]["command"]
    for words, after in ((small, ["--", *command]), ((*sides, *small), [])):
        done = eoscheck("measure", "cost", *words, after=after, timeout_s=280)
        assert done.exit_code == 0, done.stderr[-3000:]
        cost = done.shown["cost"]["throughput"]
        assert (cost["measured"]["label"], cost["baseline"]["label"]) == (
            "exactly-once",
            "at-least-once",
        )
    accepted(
        "A cost by {guarantee} in a command, and by two scenarios",
        "eoscheck measure cost -- COMMAND",
        "both measured",
    )


@pytest.mark.accept
@pytest.mark.timeout(900)
def test_a_sweep_of_commit_intervals_with_kills(eoscheck: Eoscheck, accepted: Accepted) -> None:
    words = ("measure", "commit-interval", "--intervals", "30ms,300ms,2s", "--kills", "3")
    words += ("--objective", "p99=1s", "--recovery-point", "10s")
    done = eoscheck(*words, timeout_s=840)
    assert done.exit_code == 0, done.stderr[-3000:]
    sweep = done.shown["commit_interval"]
    points = sweep["points"]
    assert [point["interval_s"] for point in points] == [0.03, 0.3, 2.0]
    assert [len(point["drains"]) for point in points] == [3, 3, 3]
    medians = [point["latency"]["p50"] for point in points if point["latency"]]
    assert medians == sorted(medians)
    assert len(medians) == len(points) or "has no latency" in "; ".join(done.shown["notes"])
    assert [point["recovered"]["n"] for point in points] == [3, 3, 3]
    assert [point["reprocessed"]["n"] for point in points] == [3, 3, 3]
    accepted(
        "Commit intervals: throughput, latency, kills, the knee, the advice",
        "eoscheck " + " ".join(words),
        f"knee: {sweep['knee_s']}; {sweep['advice']}",
    )
