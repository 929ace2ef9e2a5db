"""The fold that an audit holds the fraud alerts against, over topics of two partitions."""

from __future__ import annotations

import json

from eoscheck.audit.checks.partitioning import partition_of
from reference_app.payments import alert_fold


def test_a_payment_moves_the_stream_time_of_its_own_partition_alone() -> None:
    for number, accounts in enumerate(alert_fold.OF_TWO):
        for account in accounts:
            key = account.encode()
            assert partition_of(key, 2, "murmur2") == number, "where the load's client puts it"
            assert alert_fold.alert_of_two_key(key, b"", None) == accounts


def test_a_payment_whose_window_has_closed_makes_no_alert() -> None:
    def after(*times_ms: int) -> int | None:
        state = None
        for number, time_ms in enumerate(times_ms, start=1):
            payment = {"account": "acct-00000", "payment_id": number, "time_ms": time_ms}
            state = alert_fold.alert_of_two(state, b"", json.dumps(payment).encode(), None)
        assert state is not None
        return alert_fold.alert_of_two_finish("acct-00000", state)

    assert after(10, 20, 30) == 3
    assert after(10, 20, 5000, 30) is None
