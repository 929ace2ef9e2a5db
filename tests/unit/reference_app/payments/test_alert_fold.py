"""The fold that an audit holds the fraud alerts against, over topics of two partitions."""

from __future__ import annotations

import json
from zlib import crc32

from reference_app.payments import alert_fold


def test_a_payment_moves_the_stream_time_of_its_own_partition_alone() -> None:
    of_first = [each for each in alert_fold.ACCOUNTS_OF_TWO if crc32(each.encode()) % 2 == 0]
    of_second = [each for each in alert_fold.ACCOUNTS_OF_TWO if each not in of_first]
    assert of_first
    assert of_second
    for account in of_first:
        assert alert_fold.alert_of_two_key(account.encode(), b"", None) == of_first
    for account in of_second:
        assert alert_fold.alert_of_two_key(account.encode(), b"", None) == of_second


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
