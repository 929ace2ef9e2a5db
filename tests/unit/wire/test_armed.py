"""Which requests a rule meets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from eoscheck.errors import UsageError
from eoscheck.wire import Armed, Behind, Firing, Rule
from eoscheck.wire.rules import require_rule
from tests.unit.wire.test_steps import request

END = request("EndTxn", committed=True)


def armed(check: Callable[[], None] = lambda: None, **rule: Any) -> Armed:
    given = {"step": "EndTxn(commit)", "action": "close", **rule}
    return Armed(Rule(**given), in_loop=lambda function: function(), check=check)


def meets(rule: Armed, *, at: float = 0.0, instance: int = 0, broker: int = 1) -> bool:
    """As the wire does: the rule acts at once."""
    met = rule.meets(END, ["EndTxn(commit)"], instance=instance, broker=broker, now=at)
    if met:
        rule.met(at)
        rule.done(fired(rule, at))
    return met


def fired(rule: Armed, at: float) -> Firing:
    return Firing(t=at, rule=rule.rule, step="EndTxn(commit)", instance=0, broker=1, request=END)


def test_it_meets_the_nth_and_no_other() -> None:
    rule = armed(nth=3)
    assert [meets(rule) for _ in range(5)] == [False, False, True, False, False]


def test_with_a_span_it_meets_all_from_the_nth_on_for_so_long() -> None:
    rule = armed(nth=2, span_s=10.0)
    assert [meets(rule, at=at) for at in (0.0, 5.0, 6.0, 14.9, 15.0, 99.0)] == [
        *(False, True, True, True, False, False)
    ]
    assert [firing.t for firing in rule.firings] == [5.0, 6.0, 14.9]


def test_only_its_step_instance_and_broker_count() -> None:
    rule = armed(instance=1, broker=2)
    assert not meets(rule, instance=0, broker=2)
    assert not meets(rule, instance=1, broker=1)
    other = rule.meets(END, ["EndTxn(abort)"], instance=1, broker=2, now=0.0)
    assert not other
    assert meets(rule, instance=1, broker=2)


def test_of_any_instance_among_those_that_are_named() -> None:
    rule = armed(among=frozenset({1, 2}), nth=2)
    assert [meets(rule, instance=number) for number in (0, 1, 0, 2)] == [False, False, False, True]


def test_of_any_instance_where_none_is_named() -> None:
    rule = armed(nth=2)
    assert [meets(rule, instance=number) for number in (0, 1)] == [False, True]


def test_a_firing_that_came_to_nothing_leaves_the_next_request_to_it() -> None:
    rule = armed(action="drop-response")
    assert rule.meets(END, ["EndTxn(commit)"], instance=0, broker=1, now=0.0)
    rule.met(0.0)
    rule.missed()
    assert meets(rule)
    assert len(rule.firings) == 1
    assert not meets(rule)


def test_disarmed_it_meets_nothing() -> None:
    rule = armed()
    rule.disarm()
    rule.disarm()
    assert not meets(rule)


def test_wait_returns_the_first_firing_or_nothing_in_time() -> None:
    rule = armed(span_s=1.0)
    assert rule.wait(timeout_s=0.01) is None
    assert rule.wait(timeout_s=60.0, stop=lambda: True) is None
    meets(rule, at=0.5)
    meets(rule, at=0.6)
    firing = rule.wait(timeout_s=60.0)
    assert firing is not None
    assert firing.t == 0.5


def test_wait_says_what_went_wrong_in_the_proxy() -> None:
    def check() -> None:
        raise UsageError("instance 0 speaks TLS")

    with pytest.raises(UsageError, match="TLS"):
        armed(check).wait(timeout_s=60.0)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"action": "crash"}, "no action 'crash'"),
        ({"step": "EndTx"}, "no API 'EndTx'"),
        ({"nth": 0}, "nth counts from 1, and is 0"),
        ({"span_s": 0.0}, "longer than 0 s"),
        ({"action": "delay"}, "delay needs a delay_s"),
        ({"delay_s": 1.0}, "the other actions none"),
        (
            {"release": Behind(step="Produce")},
            "only what is held is released, and this is to close",
        ),
        ({"action": "hold", "release": Behind(step="Produc")}, "no API 'Produc'"),
        (
            {"action": "hold", "release": Behind(step="EndTxn", nth=0)},
            "nth counts from 1, and is 0",
        ),
    ],
)
def test_a_rule_that_could_never_act_is_refused(rule: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        require_rule(Rule(**{"step": "EndTxn", "action": "close", **rule}))
