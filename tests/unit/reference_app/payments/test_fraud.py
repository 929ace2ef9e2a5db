"""Fraud alerts: one for each account and window, the same as a batch finds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_app.payments.fraud import FraudRule
from reference_app.payments.topology import payments_topology
from reference_app.streams.errors import ConfigurationError
from reference_app.streams.topology import TimeWindows
from tests.fraud_batch import Alert, Paid, Rule, alerts
from tests.unit.reference_app.driven import driven

TUMBLING = Rule(size_ms=100, advance_ms=100, grace_ms=50, threshold=3)
FIRST = Rule(size_ms=100, advance_ms=100, grace_ms=0, threshold=1)
HOPPING = Rule(size_ms=100, advance_ms=30, grace_ms=0, threshold=2)


def alerts_of(rule: Rule, payments: Sequence[tuple[str, int | None]]) -> Counter[Alert]:
    """What the app writes for payments of an account at a time, numbered from 0; without a time of
    their own their records' timestamps are 1000, 1001, ..."""
    topology = payments_topology(
        fraud_alerts="alerts",
        fraud_rule=FraudRule(
            windows=TimeWindows(rule.size_ms, rule.advance_ms, rule.grace_ms),
            threshold=rule.threshold,
        ),
    )
    with driven(topology) as task:
        for number, (account, time_ms) in enumerate(payments):
            payment = {"payment_id": number, "account": account, "amount": 1, "time_ms": time_ms}
            task.process(account, payment, timestamp=1000 + number)
        sent = task.to("alerts")
    assert all(each.key == each.value["account"] for each in sent)
    return Counter(tuple(each.value.values()) for each in sent)  # type: ignore[misc]


def of_alice(*times: int | None) -> list[tuple[str, int | None]]:
    return [("alice", time_ms) for time_ms in times]


def test_one_alert_by_the_payment_that_reaches_the_threshold() -> None:
    payments = of_alice(0, 10, 20, 30, 40, 50)
    assert alerts_of(TUMBLING, payments) == Counter({("alice", 0, 100, 3, 2): 1})


def test_accounts_are_counted_apart() -> None:
    assert not alerts_of(TUMBLING, [("alice", 0), ("bob", 1), ("alice", 2), ("bob", 3)])


def test_a_late_payment_counts_within_the_grace_and_not_after_it() -> None:
    within = alerts_of(TUMBLING, of_alice(0, 1, 149, 2))
    assert within == Counter({("alice", 0, 100, 3, 3): 1})
    assert not alerts_of(TUMBLING, of_alice(0, 1, 150, 2))


def test_without_a_time_of_its_own_a_payment_has_its_records() -> None:
    payments = of_alice(None, None, None)
    assert alerts_of(TUMBLING, payments) == Counter({("alice", 1000, 1100, 3, 2): 1})


@pytest.mark.thorough
@pytest.mark.parametrize("rule", [FIRST, TUMBLING, HOPPING])
def test_alerts_are_those_of_a_batch(rule: Rule) -> None:
    times = st.tuples(st.sampled_from("ab"), st.integers(0, 700))

    @settings(max_examples=60)
    @given(st.lists(times, max_size=60))
    def same(records: list[tuple[str, int]]) -> None:
        paid = (Paid(0, who, number, at) for number, (who, at) in enumerate(records))
        assert alerts_of(rule, records) == alerts(paid, rule)

    same()


def test_windows_that_leave_gaps_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="advance_ms must be above 0"):
        TimeWindows(100, 200)
    with pytest.raises(ConfigurationError, match="--fraud-threshold"):
        FraudRule(windows=TimeWindows(100), threshold=0)
