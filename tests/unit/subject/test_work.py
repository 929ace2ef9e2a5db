"""A process is seen to work by what is committed, not by what it owns."""

from __future__ import annotations

from eoscheck.subject.readiness import Work


def test_owning_partitions_is_not_yet_working() -> None:
    work = Work()
    assert not work.seen([0, 1], {0: 5, 1: 7})
    assert not work.seen([0, 1], {0: 5, 1: 7})
    assert work.seen([0, 1], {0: 5, 1: 8})


def test_commits_of_a_partition_before_it_was_owned_are_another_ones_work() -> None:
    work = Work()
    assert not work.seen([0], {0: 5, 1: 7})
    assert not work.seen([0, 1], {0: 5, 1: 9})
    assert work.seen([0, 1], {0: 5, 1: 10})


def test_the_first_commit_of_a_new_group_is_work() -> None:
    work = Work()
    assert not work.seen([0], {})
    assert work.seen([0], {0: 1})
