"""What Locust is told: statistics in bulk, bands of faults, clocks, options, a user's records."""

from __future__ import annotations

import itertools
import random
from argparse import Namespace
from typing import Any

import msgspec
import numpy as np
import pytest

pytest.importorskip("locust")
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.stats import RequestStats, StatsEntry

from eoscheck.errors import UsageError
from eoscheck.history import FaultHealed, FaultInjected, FaultMissed
from eoscheck.load import LoadSpec
from eoscheck.locust import EosUser
from eoscheck.locust.bands import Bands, label
from eoscheck.locust.clock import Offset, run_clock
from eoscheck.locust.options import add_options, begin_of, rate_of
from eoscheck.locust.stats import METHOD, log_event, log_failures, log_many


def columns(entry: StatsEntry) -> dict[str, Any]:
    left_out = ("start_time", "last_request_timestamp", "num_reqs_per_sec", "num_fail_per_sec")
    return {key: value for key, value in entry.serialize().items() if key not in left_out}


def test_many_at_once_come_out_as_if_each_had_been_logged() -> None:
    rng = random.Random(1)
    waited = [rng.lognormvariate(4, 2) for _ in range(5000)]
    single, bulk = RequestStats(), RequestStats()
    for milliseconds in waited:
        single.log_request(METHOD, "acknowledged", round(milliseconds), 0)
    whole = np.rint(np.array(waited))
    log_many(bulk, "acknowledged", whole[:3000], at=1000.0, total=True)
    log_many(bulk, "acknowledged", whole[3000:], at=1001.0, total=True)
    for one, other in (
        (single.get("acknowledged", METHOD), bulk.get("acknowledged", METHOD)),
        (single.total, bulk.total),
    ):
        assert columns(one) == columns(other)
    assert bulk.total.num_reqs_per_sec == {1000: 3000, 1001: 2000}
    assert bulk.total.get_response_time_percentile(0.99) > 0


def test_what_is_no_acknowledgement_counts_in_no_total() -> None:
    stats = RequestStats()
    log_many(stats, "committed receipt", np.array([5.0]), at=1000.0, total=False)
    log_event(stats, "FAULT", "kill", 300.0, error=None, at=1000.0)
    log_event(stats, "AUDIT", "exactly-once", 9.0, error="fail: 3 × LOST", at=1000.0)
    log_many(stats, "acknowledged", np.array([]), at=1000.0, total=True)
    assert stats.num_requests == 0
    assert stats.get("exactly-once", "AUDIT").num_failures == 1
    [error] = stats.errors.values()
    assert (error.method, error.error, error.occurrences) == ("AUDIT", "fail: 3 × LOST", 1)


def test_failures_are_counted_and_time_nothing() -> None:
    stats = RequestStats()
    for _ in range(2):
        log_failures(stats, "acknowledged", "indeterminate: timed out", 40, at=1000.0)
    entry = stats.get("acknowledged", METHOD)
    assert (entry.num_requests, entry.num_failures, entry.avg_response_time) == (80, 80, 0.0)
    [error] = stats.errors.values()
    assert error.occurrences == 80
    assert stats.num_failures == 80


def injected(number: int, kind: str, t: float) -> FaultInjected:
    return FaultInjected(
        t=t,
        fault_id=f"{kind}-{number}",
        kind=kind,
        instance=0,
        down_s=1,
        outlasts_session=False,
        wiped=False,
        evidence={},
    )


def healed(number: int, kind: str, t: float) -> FaultHealed:
    return FaultHealed(t=t, fault_id=f"{kind}-{number}", kind=kind, instance=0)


def test_records_fall_into_the_band_that_they_were_sent_in() -> None:
    bands = Bands()
    bands.struck(FaultMissed(t=0.5, fault_id="pause-9", kind="pause", reason="no"))
    bands.struck(injected(1, "pause", 1.0))
    bands.struck(injected(1, "kill", 2.0))
    bands.struck(healed(1, "pause", 3.0))
    times = np.array([0.5, 1.5, 2.5, 3.5])
    split = {name: times[mask].tolist() for name, mask in bands.split(times).items()}
    assert split == {"": [0.5], "pause": [1.5], "kill + pause": [2.5], "kill": [3.5]}
    assert label("acknowledged", "kill + pause") == "acknowledged, during kill + pause"
    assert label("acknowledged", "") == "acknowledged"


def test_without_faults_all_records_are_in_one_band() -> None:
    assert [mask.sum() for mask in Bands().split(np.array([1.0, 2.0])).values()] == [2]


def test_the_quickest_answer_tells_another_machines_clock_best() -> None:
    offset = Offset()
    offset.answered(sent=0.0, theirs=100.9, received=1.0)
    offset.answered(sent=2.0, theirs=102.01, received=2.02)
    offset.answered(sent=3.0, theirs=103.9, received=4.0)
    assert offset.error == pytest.approx(0.01)
    assert offset.certain == pytest.approx(100.0)
    clock = run_clock(102.0, offset, lambda: 5.0)
    assert clock() == pytest.approx(3.0)


def test_clocks_that_may_be_the_same_one_are_taken_for_that() -> None:
    offset = Offset()
    offset.answered(sent=1.0, theirs=1.007, received=1.01)
    assert offset.certain == 0.0
    assert run_clock(0.5, offset, lambda: 2.0)() == 1.5


def asked(*words: str) -> Namespace:
    parser = LocustArgumentParser()
    add_options(parser)
    options: Namespace = parser.parse_args(list(words))
    return options


def test_options_say_what_eoscheck_run_would_be_told() -> None:
    begin = begin_of(
        asked("--eos-scenario", "x.toml", "--eos-seed", "7", "--eos-set", "a.b=1 'c=[\"d e\"]'")
    )
    assert (begin.scenario, begin.seed, begin.overrides) == ("x.toml", 7, ["a.b=1", 'c=["d e"]'])
    assert begin_of(asked()).seed is None
    assert rate_of(asked("--eos-rate", "20e3")) == 20_000
    assert rate_of(asked()) is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--eos-seed", "x"], "--eos-seed takes a whole number"),
        (["--eos-rate", "-1"], "--eos-rate takes records a second above 0"),
        (["--eos-rate", "nan"], "--eos-rate takes"),
        (["--eos-set", "a='b"], "--eos-set"),
        (["--eos-base", "/not/there.toml"], "no such file"),
    ],
)
def test_options_that_cannot_be_are_refused(words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        begin_of(asked(*words))


class Orders(EosUser):
    key = "{seq}"
    value = {"order": "{seq}", "at": "{run_id}"}  # noqa: RUF012 - as a user writes it
    rate = 50


def test_a_subclass_says_its_own_records_and_rate() -> None:
    user = Orders(Environment())
    spec = user.spec(LoadSpec(topic="in", rate=10, keys=3, acks=1))
    assert (spec.topic, spec.rate, spec.keys, spec.acks) == ("in", 50, 3, 1)
    assert user.spec(spec, rate=7).rate == 7
    made = user.records(spec, numbers=itertools.count(5), seed="s", run_id="r")
    key, value = next(made)
    assert (key, msgspec.json.decode(value)) == (b"5", {"order": 5, "at": "r"})


def test_a_subclass_with_a_wrong_template_is_told_the_right_one() -> None:
    class Wrong(EosUser):
        key = "{sequ}"

    with pytest.raises(UsageError, match="did you mean 'seq'"):
        Wrong(Environment()).spec(LoadSpec(topic="in"))
