"""What the instances are seen to do."""

from __future__ import annotations

import threading

import pytest

from eoscheck.explore.crashpoints.watch import Watch, commits, gives_up, rolls_back
from tests.unit.explore.crashpoints.matrices import exchange


def test_it_waits_for_what_has_not_come_yet() -> None:
    watch = Watch()
    threading.Timer(0.05, lambda: watch(exchange("EndTxn(commit)", sent=2.0))).start()
    found = watch.wait(commits, instance=0, since=1.0, timeout_s=5.0)
    assert found is not None
    assert found.sent == 2.0


def test_it_finds_what_came_before_it_was_asked_but_nothing_older_or_of_others() -> None:
    watch = Watch()
    watch(exchange("EndTxn(commit)", sent=1.0))
    watch(exchange("EndTxn(commit)", sent=3.0, instance=1))
    assert watch.wait(commits, instance=0, since=1.0, timeout_s=0.0) is not None
    assert watch.wait(commits, instance=0, since=1.5, timeout_s=0.0) is None
    assert watch.wait(commits, since=1.5, timeout_s=0.0) is not None


def test_it_ends_when_it_is_told_to() -> None:
    assert Watch().wait(commits, since=0.0, timeout_s=60.0, stop=lambda: True) is None


def test_what_was_forgotten_is_not_found() -> None:
    watch = Watch()
    watch(exchange("EndTxn(commit)"))
    watch.forget()
    assert watch.seen() == []


def test_reading_is_not_kept_unless_something_was_done_to_it() -> None:
    watch = Watch()
    watch(exchange("Fetch(input)"))
    watch(exchange("Fetch(input)", action="drop-response"))
    watch(exchange("Fetch(restore)"))
    assert [(each.steps, each.action) for each in watch.seen()] == [
        (("Fetch(input)",), "drop-response"),
        (("Fetch(restore)",), None),
    ]


@pytest.mark.parametrize(
    "broken",
    [
        {"action": "drop-response"},
        {"action": "crash-after"},
        {"outcome": "unanswered"},
        {"error": 47},
    ],
)
def test_a_commit_counts_where_the_app_heard_that_it_was_one(broken: dict[str, object]) -> None:
    assert commits(exchange("EndTxn(commit)"))
    assert commits(exchange("OffsetCommit", action="delay"))
    assert not commits(exchange("EndTxn(commit)", **broken))
    assert not commits(exchange("EndTxn(abort)"))


def test_an_abort_and_a_new_producer_are_roll_backs_joining_again_is_giving_up() -> None:
    assert rolls_back(exchange("EndTxn(abort)"))
    assert rolls_back(exchange("InitProducerId"))
    assert not rolls_back(exchange("JoinGroup"))
    assert gives_up(exchange("JoinGroup"))
    assert not gives_up(exchange("Produce(output)"))
