"""Less load for a red cell."""

from __future__ import annotations

from eoscheck.explore.crashpoints.smaller import halved, load_settings
from eoscheck.load import LoadSpec

LOAD = LoadSpec(topic="in", rate=300, transaction_size=50)


def test_half_the_records_come_in_as_many_transactions() -> None:
    less = halved(LOAD)
    assert less is not None
    assert (less.rate, less.transaction_size) == (150, 25)
    assert load_settings(less, instead_of=LOAD) == ["load.rate=150", "load.transaction_size=25"]
    plain = halved(LoadSpec(topic="in", rate=300))
    assert plain is not None
    assert plain.transaction_size is None


def test_a_load_that_would_leave_an_instance_without_work_is_not_halved() -> None:
    assert halved(LoadSpec(topic="in", rate=39)) is None
    assert halved(LoadSpec(topic="in", rate=40)) is not None


def test_the_load_as_it_is_needs_no_setting() -> None:
    assert load_settings(LOAD, instead_of=LOAD) == []
