"""Which scenarios are meant, on how many clusters they run, and what the series comes to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from eoscheck.audit.findings import Verdict
from eoscheck.cli.main import cli
from eoscheck.cluster.spec import ClusterSpec
from eoscheck.errors import EoscheckError, InfrastructureError, UsageError
from eoscheck.run.catalogue import Entry, Series, catalogue, run_series, select
from eoscheck.run.needs import ClusterNeeds
from eoscheck.run.result import RunResult
from tests.unit.report import samples

SCENARIO = """
name = "{name}"
title = "Title of {name}"
{cluster}
[subject]
command = ["app"]
[load]
topic = "in"
[audit]
output = "out"
{rest}
"""
FAULT = '[[faults]]\nkind = "kill"\ncount = 1\n'
OTHER = '[cluster]\nsettings = { "log.roll.ms" = "5000" }\n'


@pytest.fixture
def ship(tmp_path: Path) -> Callable[..., Entry]:
    def write(group: str, name: str, *, cluster: str = "", rest: str = FAULT) -> Entry:
        path = tmp_path / group / f"{name}.toml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(SCENARIO.format(name=name, cluster=cluster, rest=rest), encoding="utf-8")
        return Entry(path)

    return write


@pytest.fixture
def shelf(ship: Callable[..., Entry]) -> list[Entry]:
    return [
        ship("broker", "lost-leader", cluster=OTHER),
        ship("cost", "drain", rest=""),
        ship("process", "kill"),
        ship("process", "pause"),
    ]


@pytest.mark.parametrize(
    ("words", "chosen"),
    [
        ([], ["lost-leader", "kill", "pause"]),  # without faults there is nothing to see
        (["process"], ["kill", "pause"]),
        (["drain", "process/kill", "kill"], ["drain", "kill"]),
        (["pause", "broker"], ["lost-leader", "pause"]),
    ],
)
def test_a_word_is_a_name_a_group_or_both(
    shelf: list[Entry], words: list[str], chosen: list[str]
) -> None:
    assert [entry.name for entry in select(words, among=shelf)] == chosen


def test_what_needs_docker_has_to_be_named(ship: Callable[..., Entry]) -> None:
    shelf = [
        ship("broker", "apart", cluster='[cluster]\nprovider = "docker"\n'),
        ship("broker", "lost-leader"),
    ]
    assert [entry.name for entry in select([], among=shelf)] == ["lost-leader"]
    assert [entry.name for entry in select(["broker"], among=shelf)] == ["apart", "lost-leader"]


def test_the_image_of_brokers_is_short_for_two_values(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[ClusterSpec] = []

    def no_cluster(spec: ClusterSpec, needs: ClusterNeeds) -> Any:
        opened.append(spec)
        raise InfrastructureError("no cluster")

    monkeypatch.setattr("eoscheck.cli.scenarios.open_session", no_cluster)
    words = ["scenarios", "run", "leader-lost", "--kafka-image", "registry:5000/kafka:1"]
    ran = CliRunner().invoke(cli, [*words, "--set", "cluster.brokers=1"])
    assert "leader-lost could not be run: no cluster" in ran.output
    assert opened == [ClusterSpec(provider="docker", image="registry:5000/kafka:1", brokers=1)]


def test_its_values_are_replaced_where_that_is_asked_for(shelf: list[Entry]) -> None:
    longer = replace(shelf[2], overrides=("timing.faults=90s",))
    assert (shelf[2].scenario.timing.faults, longer.scenario.timing.faults) == ("20s", "90s")


def test_an_unknown_word_names_the_nearest(shelf: list[Entry]) -> None:
    with pytest.raises(UsageError, match="did you mean 'process'"):
        select(["proces"], among=shelf)


class Clusters:
    """Counts what is opened; `broken` names cannot be run, and `missing` says why there is none."""

    def __init__(
        self, *broken: str, error: EoscheckError | None = None, missing: str | None = None
    ) -> None:
        self.broken = broken
        self.error = error or InfrastructureError("the broker is gone")
        self.missing = missing
        self.ran: list[list[str]] = []
        self.open = 0

    @contextmanager
    def opened(self, spec: ClusterSpec, needs: ClusterNeeds) -> Iterator[list[str]]:
        if self.missing is not None and spec.settings:
            raise InfrastructureError(self.missing)
        assert not self.open
        self.open += 1
        self.ran.append([])
        yield self.ran[-1]
        self.open -= 1

    def run(self, session: list[str], entry: Entry) -> RunResult:
        session.append(entry.name)
        if entry.name in self.broken:
            raise self.error
        return samples.changed(samples.passing(), scenario=entry.name)


def test_scenarios_of_one_cluster_share_it(shelf: list[Entry]) -> None:
    clusters = Clusters()
    order = [shelf[2], shelf[0], shelf[3]]
    series = run_series(order, opened=clusters.opened, run=clusters.run)
    assert clusters.ran == [["kill", "pause"], ["lost-leader"]]
    assert [run.scenario for run in series.runs] == ["kill", "pause", "lost-leader"]
    assert series.exit_code == 0


def test_one_that_cannot_be_run_leaves_the_others_a_new_cluster(shelf: list[Entry]) -> None:
    clusters = Clusters("kill")
    series = run_series(shelf[1:], opened=clusters.opened, run=clusters.run)
    assert clusters.ran == [["drain", "kill"], ["pause"]]
    assert series.failed == [(shelf[2], "the broker is gone")]
    assert series.exit_code == 2
    assert not clusters.open


def test_one_that_is_refused_has_broken_no_cluster(shelf: list[Entry]) -> None:
    clusters = Clusters("kill", error=UsageError("no proxy here"))
    series = run_series(shelf[1:], opened=clusters.opened, run=clusters.run)
    assert clusters.ran == [["drain", "kill", "pause"]]
    assert series.failed == [(shelf[2], "no proxy here")]


def test_without_their_cluster_the_others_are_run(shelf: list[Entry]) -> None:
    clusters = Clusters(missing="Kafka did not start")
    series = run_series(shelf, opened=clusters.opened, run=clusters.run)
    assert clusters.ran == [["drain", "kill", "pause"]]
    assert series.failed == [(shelf[0], "Kafka did not start")]


@pytest.mark.parametrize(
    ("runs", "code"),
    [
        ([(Verdict.PASS, True), (Verdict.FAIL, True)], 0),
        ([(Verdict.UNKNOWN, False), (Verdict.PASS, True)], 2),
        ([(Verdict.UNKNOWN, False), (Verdict.FAIL, False)], 1),
        ([(Verdict.PASS, False)], 1),  # a bug that was not found
    ],
)
def test_the_exit_code_is_the_worst_of_what_did_not_come_out_as_it_must(
    runs: list[tuple[Verdict, bool]], code: int
) -> None:
    made = [
        samples.changed(samples.passing(), verdict=verdict, as_expected=expected)
        for verdict, expected in runs
    ]
    assert Series(runs=made).exit_code == code


@pytest.mark.thorough
def test_all_that_is_shipped_is_listed_with_what_must_come_out() -> None:
    listed = CliRunner().invoke(cli, ["scenarios"])
    assert listed.exit_code == 0, listed.output
    for entry in catalogue():
        assert f"  {entry.name} " in listed.output
    groups = {line for line in listed.output.splitlines() if line and not line.startswith(" ")}
    assert groups == {entry.group for entry in catalogue()}
    assert "fail with LOST" in listed.output


def test_one_is_explained_with_its_file() -> None:
    shown = CliRunner().invoke(cli, ["scenarios", "show", "kill-exactly-once"])
    assert shown.exit_code == 0, shown.output
    assert shown.output.startswith("process/kill-exactly-once: Kills under exactly-once\n")
    assert "expects: exactly-once: pass" in shown.output
    assert "[[faults]]                 # hand-over" in shown.output


def test_what_must_come_out_is_told_for_each_guarantee() -> None:
    shown = CliRunner().invoke(cli, ["scenarios", "show", "process/pause-short"])
    assert "expects: exactly-once: pass; at-least-once: pass" in shown.output


def test_another_guarantee_is_refused_where_nobody_knows_what_must_come_out() -> None:
    words = ["scenarios", "run", "zoo-kills", "--guarantee", "at-most-once"]
    refused = CliRunner().invoke(cli, words)
    assert isinstance(refused.exception, UsageError)
    assert "does not say what must come out under 'at-most-once'" in str(refused.exception)


def test_a_name_that_is_not_there_is_refused_before_anything_starts() -> None:
    refused = CliRunner().invoke(cli, ["scenarios", "run", "kill-exacty-once"])
    assert isinstance(refused.exception, UsageError)
    assert "did you mean 'kill-exactly-once'" in str(refused.exception)
