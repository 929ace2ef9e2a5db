"""What is varied, what is refused, and what restores come to."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import pytest
from click.testing import CliRunner

from eoscheck.cli.main import cli
from eoscheck.errors import UsageError
from eoscheck.explore.measures.restore import (
    Restored,
    Variant,
    check_sizes,
    holds,
    parse_size,
    restore_measure,
)
from eoscheck.explore.measures.restore_told import headline, notes
from eoscheck.explore.measures.restoring import PATIENCE_S
from eoscheck.measure.measured import Bend, Objective, RestorePoint
from eoscheck.run.scenario import load_scenario
from tests.unit.report import samples

NAME = "as the scenario has it"


def point(megabytes: float, seconds: float) -> RestorePoint:
    return RestorePoint(
        megabytes=megabytes, records=1, keys=1, value_bytes=1000, standby=False, seconds=seconds
    )


def restored(at_check: float, *, sizes: Sequence[float] = (10.0, 20.0, 40.0)) -> Restored:
    """75 MB/s after half a second, give or take 2 %; the size 160 takes `at_check` seconds."""
    points = [
        (size, point(size, (0.5 + size / 75) * (1 + wobble)))
        for size in sizes
        for wobble in (-0.02, 0.0, 0.02)
    ]
    points.append((160.0, point(160.0, at_check)))
    return Restored(
        variant=Variant(name=NAME), points=points, by="somehow", waits=[1.5], run=samples.passing()
    )


@pytest.mark.parametrize(("text", "megabytes"), [("20MB", 20.0), ("1.5 GB", 1500.0)])
def test_sizes_are_typed_as_people_say_them(text: str, megabytes: float) -> None:
    assert parse_size(text) == megabytes


@pytest.mark.parametrize("text", ["20", "0MB", "MB", "many"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_size(text)


def test_sizes_that_give_no_line_are_refused() -> None:
    check_sizes([10, 20], check=80, repetitions=2)
    with pytest.raises(UsageError, match="two sizes"):
        check_sizes([10, 10], check=None, repetitions=9)
    with pytest.raises(UsageError, match="three restores"):
        check_sizes([10, 20], check=None, repetitions=1)
    with pytest.raises(UsageError, match="beyond"):
        check_sizes([10, 20], check=20, repetitions=2)


def test_a_variant_changes_the_load_and_gives_a_standby() -> None:
    scenario = load_scenario("measure-restore")
    plain = Variant(name="x").of(scenario)
    assert (plain.subject.instances, plain.load.noise) == (1, scenario.load.noise)
    varied = Variant(name="x", keys=7, noise=50, standby_args=["--num-standby-replicas", "1"])
    changed = varied.of(scenario)
    assert (changed.load.keys, changed.load.noise, changed.subject.instances) == (7, 50, 2)
    assert changed.subject.args[-1] == "1"


def test_a_restore_may_take_as_long_as_it_is_waited_for_and_is_no_standstill() -> None:
    """One of 1.6 GB took 18 s, three times in a row: the audit called that STALLED."""
    measured = Variant(name="x").of(load_scenario("measure-restore"))
    assert measured.timing.seconds("liveness") == PATIENCE_S


def test_the_size_of_a_value_needs_a_load_that_has_it() -> None:
    with pytest.raises(UsageError, match=r"\{noise\}"):
        Variant(name="x", noise=50).of(load_scenario("measure-recovery"))


def test_the_line_is_held_against_a_size_that_it_does_not_know() -> None:
    good, bad = (
        restore_measure([restored(seconds)], check=160.0, predict=[20_000.0], objective=None)
        for seconds in (0.5 + 160 / 75, 9.0)
    )
    assert math.isclose(good.megabytes_per_s.value, 75, rel_tol=0.02)
    assert holds(good.extrapolations[0])
    assert not holds(bad.extrapolations[0])
    assert good.megabytes_per_s == bad.megabytes_per_s  # the check is no part of the fit
    assert "do not trust" in headline(bad, red=0)
    assert "do not trust" not in headline(good, red=0)
    assert any("within the rule of thumb" in note for note in notes([restored(2.6)], good))


def test_a_line_that_is_bent_is_said_to_be_worth_little() -> None:
    straight = restore_measure([restored(2.6)], check=160.0, predict=[], objective=None)
    bent = msgspec.structs.replace(straight, bend=Bend(megabytes=160.0, factor=1.6))
    (told,) = [note for note in notes([restored(2.6)], bent) if "one line" in note]
    assert "160 MB took 1.6 times as long" in told
    assert not any("one line" in note for note in notes([restored(2.6)], straight))


def test_an_objective_gives_the_largest_state() -> None:
    measure = restore_measure(
        [restored(2.6)],
        check=160.0,
        predict=[],
        objective=Objective(quantile=0.95, seconds=10.0),
    )
    assert measure.largest_megabytes is not None
    assert 500 < measure.largest_megabytes < 0.5 * 75 + 9.5 * 75


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sizes", "10MB"], "two sizes"),
        (["--keys", "many"], "--keys takes numbers"),
        (["--check", "1MB"], "beyond"),
    ],
)
def test_bad_options_are_refused_before_a_broker_starts(words: list[str], said: str) -> None:
    outcome = CliRunner().invoke(cli, ["measure", "restore", *words])
    assert isinstance(outcome.exception, UsageError)
    assert said in str(outcome.exception)
