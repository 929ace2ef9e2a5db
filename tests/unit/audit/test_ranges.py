"""What `--from`, `--to`, `--partitions` and `--sample` mean, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eoscheck.audit.ranges import (
    Committed,
    Offset,
    Position,
    Ranges,
    Time,
    output_starts,
    parse_partitions,
    parse_position,
    parse_sample,
    read_ranges,
    resolve,
    sampled,
)
from eoscheck.audit.rows.columns import Digests, encode
from eoscheck.audit.spec import AuditSpec
from eoscheck.cluster.view import ClusterView
from eoscheck.errors import UsageError


@dataclass
class Log:
    """A topic of three partitions: 10 to 100, 0 to 50, and an empty one."""

    starts: Mapping[int, int] = field(default_factory=lambda: {0: 10, 1: 0, 2: 0})
    ends: Mapping[int, int] = field(default_factory=lambda: {0: 100, 1: 50, 2: 0})
    times: Mapping[int, Mapping[int, int]] = field(default_factory=dict)
    groups: Mapping[str, Mapping[int, int]] = field(default_factory=dict)

    def log_starts(self, _: str) -> dict[int, int]:
        return dict(self.starts)

    def high_watermarks(self, _: str) -> dict[int, int]:
        return dict(self.ends)

    def offsets_at(self, _: str, time_ms: int) -> dict[int, int]:
        return dict(self.times[time_ms])

    def committed(self, group: str, _: str) -> dict[int, int]:
        return dict(self.groups[group])


def resolved(log: Log, **asked: Any) -> tuple[dict[int, int], dict[int, int], dict[int, int]]:
    found = resolve(Ranges(**asked), "t", cast(ClusterView, log))
    return dict(found.start), dict(found.stop), dict(found.removed)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("0", {0}), ("0,3-5", {0, 3, 4, 5}), (" 7 , 2 - 3 ", {2, 3, 7}), ("4-4,4", {4})],
)
def test_partitions_are_numbers_and_ranges(text: str, numbers: set[int]) -> None:
    assert parse_partitions(text) == numbers


@pytest.mark.parametrize("text", ["", "a", "1,", "-1", "1-", "1-2-3", "0.5", "5-3", "0-9999999"])
def test_other_partitions_are_refused_with_the_right_form(text: str) -> None:
    with pytest.raises(UsageError, match=r"--partitions .*(0,3-5|3-5\?|so many)"):
        parse_partitions(text)


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("earliest", "earliest"),
        ("latest", "latest"),
        ("0", Offset(0)),
        (" 42 ", Offset(42)),
        ("committed:my:group 1", Committed("my:group 1")),
        ("1970-01-01T00:00:01Z", Time(1000)),
        ("2026-11-24T23:00:00.250+01:00", Time(1_795_557_600_250)),
        ("2026-11-24 22:00:00+00:00", Time(1_795_557_600_000)),
    ],
)
def test_positions_are_words_offsets_times_and_groups(text: str, position: Position) -> None:
    assert parse_position(text) == position


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("first", "'first' is no position: give earliest, latest, an offset"),
        ("-5", "is no position"),
        ("1e6", "is no position"),
        ("committed:", "committed:GROUP"),
        (str(2**63), "is no position"),
        ("2026-11-24T22:00:00", "has no zone: write 2026-11-24T22:00:00Z"),
        ("2026-11-24", "has no zone"),
        ("1969-12-31T23:59:59Z", "before 1970"),
    ],
)
def test_other_positions_are_refused_with_the_right_form(text: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=re.escape(complaint)):
        parse_position(text)


@pytest.mark.parametrize(("text", "one_in"), [("1/64", 64), ("1/1", 1), (" 1 / 3 ", 3)])
def test_a_sample_is_one_in_any_number(text: str, one_in: int) -> None:
    assert parse_sample(text) == one_in


@pytest.mark.parametrize("text", ["", "64", "2/64", "1/0", "1/-2", "1/x", "1.0/2", "5%"])
def test_another_sample_is_refused_with_the_right_form(text: str) -> None:
    with pytest.raises(UsageError, match=r"--sample .* is not of the form 1/64"):
        parse_sample(text)


def test_a_specification_without_ranges_is_everything() -> None:
    assert read_ranges(AuditSpec(output="t")) == Ranges()
    assert read_ranges(AuditSpec(output="t")).whole
    asked = AuditSpec(output="t", start="5", stop="committed:g", partitions="1", sample="1/8")
    assert read_ranges(asked) == Ranges(
        start=Offset(5), stop=Committed("g"), partitions=frozenset({1}), one_in=8
    )
    assert not read_ranges(asked).whole


@pytest.mark.parametrize(
    ("start", "stop", "complaint"),
    [
        ("latest", None, "--from latest leaves nothing"),
        (None, "earliest", "--to earliest leaves nothing"),
        ("5", "5", "--to 5 is not after --from 5"),
        ("2026-11-24T22:00:00Z", "2026-11-24T22:00:00+01:00", "is not after"),
    ],
)
def test_an_empty_range_is_refused(start: str | None, stop: str | None, complaint: str) -> None:
    with pytest.raises(UsageError, match=re.escape(complaint)):
        read_ranges(AuditSpec(output="t", start=start, stop=stop))


def test_everything_is_from_the_logs_starts_to_their_ends() -> None:
    assert resolved(Log()) == ({0: 10, 1: 0, 2: 0}, {0: 100, 1: 50, 2: 0}, {0: 10})


def test_offsets_are_the_same_in_each_partition_and_stay_within_its_log() -> None:
    start, stop, removed = resolved(Log(), start=Offset(5), stop=Offset(60))
    assert (start, stop) == ({0: 10, 1: 5, 2: 0}, {0: 60, 1: 50, 2: 0})
    assert removed == {0: 10}, "offsets 5 to 9 were asked for and are gone"
    assert resolved(Log(), start=Offset(10))[2] == {}
    start, stop, _ = resolved(Log(), start=Offset(70), stop=Offset(80))
    assert (start, stop) == ({0: 70, 1: 50, 2: 0}, {0: 80, 1: 50, 2: 0}), "empty, not negative"
    start, stop, removed = resolved(Log(), start=Offset(2), stop=Offset(6))
    assert (start[0], stop[0], removed) == (10, 10, {0: 10}), "all of it is gone"


def test_an_offset_beyond_every_end_is_refused() -> None:
    assert resolved(Log(), start=Offset(100))[0] == {0: 100, 1: 50, 2: 0}
    with pytest.raises(UsageError, match=r"--from 101 is beyond the end of t \(100\)"):
        resolved(Log(), start=Offset(101))


def test_a_time_beyond_the_last_record_is_the_end() -> None:
    log = Log(times={1: {0: 40, 1: 20}, 2: {0: 90}})
    start, stop, removed = resolved(log, start=Time(1), stop=Time(2))
    assert (start, stop, removed) == ({0: 40, 1: 20, 2: 0}, {0: 90, 1: 50, 2: 0}, {})


def test_a_time_that_leads_to_where_the_log_was_cut_may_have_lost_records() -> None:
    assert resolved(Log(times={1: {0: 10, 1: 0}}), start=Time(1))[2] == {0: 10}


def test_a_groups_offsets_are_by_partition() -> None:
    log = Log(groups={"a": {0: 30}, "b": {0: 80, 1: 45, 2: 0}, "old": {0: 4}})
    start, stop, removed = resolved(log, start=Committed("a"), stop=Committed("b"))
    assert (start, stop, removed) == ({0: 30, 1: 0, 2: 0}, {0: 80, 1: 45, 2: 0}, {})
    assert resolved(log, start=Committed("old"))[2] == {0: 10}


def test_a_group_that_committed_nothing_for_a_partition_gives_it_no_end() -> None:
    log = Log(groups={"a": {0: 30, 2: 0}})
    with pytest.raises(UsageError, match=r"committed:a: .* nothing for t-1: .*--partitions"):
        resolved(log, stop=Committed("a"))
    assert resolved(log, stop=Committed("a"), partitions=frozenset({0}))[1] == {0: 30}


def test_chosen_partitions_alone_are_read_and_must_be_there() -> None:
    assert resolved(Log(), partitions=frozenset({1})) == ({1: 0}, {1: 50}, {})
    with pytest.raises(UsageError, match="t has no partition 3: it has 3, from 0"):
        resolved(Log(), partitions=frozenset({0, 3}))


def test_outputs_are_read_from_the_same_time_or_in_full() -> None:
    view = cast(ClusterView, Log(times={1: {0: 40}}))
    assert output_starts(Ranges(start=Time(1)), "t", view) == {0: 40, 1: 50, 2: 0}
    assert output_starts(Ranges(start=Offset(1)), "t", view) == {0: 10, 1: 0, 2: 0}
    assert output_starts(Ranges(), "t", view) == {0: 10, 1: 0, 2: 0}


@given(
    st.lists(st.one_of(st.integers(-(2**70), 2**70), st.text()), unique_by=str, max_size=50),
    st.integers(1, 100),
    st.randoms(),
)
def test_the_same_identities_are_sampled_wherever_they_stand(
    identities: list[int | str], one_in: int, random: Any
) -> None:
    shuffled = random.sample(identities, len(identities))

    def chosen(every: list[int | str]) -> set[str]:
        if not every:
            return set()
        flags = sampled(encode(every)[0], one_in=one_in)
        return {str(each) for each, kept in zip(every, flags, strict=True) if kept}

    assert chosen(identities) == chosen(shuffled)
    if one_in == 1:
        assert chosen(identities) == set(map(str, identities))


@pytest.mark.parametrize("step", [1, 64, 1000, 2**32])
@pytest.mark.parametrize("one_in", [2, 10, 64])
def test_regular_identities_are_sampled_evenly(step: int, one_in: int) -> None:
    low = np.arange(200_000, dtype=np.int64) * step
    for columns in (Digests(low, np.zeros_like(low)), Digests(np.zeros_like(low), low)):
        kept = int(sampled(columns, one_in=one_in).sum())
        expected = len(low) / one_in
        assert abs(kept - expected) < 5 * expected**0.5, "five standard deviations"
