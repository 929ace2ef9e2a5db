"""The records that a seed gives."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import Any

import msgspec
import pytest

from eoscheck.errors import UsageError
from eoscheck.load import LoadSpec
from eoscheck.load.records import LARGEST_AMOUNT, abort_decisions, generate


def records(count: int, *, seed: int = 1, **spec: Any) -> list[tuple[bytes, bytes]]:
    load = LoadSpec(topic="payments", **spec)
    return list(islice(generate(load, seed=seed, run_id="r1"), count))


def test_the_default_record_is_a_payment() -> None:
    key, value = records(3, keys=10)[2]
    payment = msgspec.json.decode(value)
    assert payment["payment_id"] == 2
    assert payment["account"] == key.decode()
    assert key.startswith(b"acct-0000")
    assert list(payment) == ["payment_id", "account", "amount"]


def test_the_same_seed_gives_the_same_records_and_another_seed_others() -> None:
    assert records(3000, seed=5, zipf=1.1) == records(3000, seed=5, zipf=1.1)
    assert records(3000, seed=5) != records(3000, seed=6)


def test_a_longer_run_begins_like_a_shorter_one() -> None:
    assert records(5000)[:1500] == records(1500)


def test_amounts_are_whole_cents_from_one_to_the_largest() -> None:
    amounts = [msgspec.json.decode(value)["amount"] for _, value in records(20_000)]
    assert all(isinstance(amount, int) for amount in amounts)
    assert min(amounts) >= 1
    assert max(amounts) <= LARGEST_AMOUNT
    assert max(amounts) > 0.99 * LARGEST_AMOUNT


def test_without_skew_accounts_are_alike_and_with_zipf_the_first_is_the_busiest() -> None:
    even = Counter(key for key, _ in records(20_000, keys=20))
    skewed = Counter(key for key, _ in records(20_000, keys=20, zipf=1.0))
    assert max(even.values()) < 1.3 * min(even.values())
    assert skewed.most_common(1)[0][0] == b"acct-00000"
    # The n-th gets 1/n of the first one's.
    assert skewed[b"acct-00000"] / skewed[b"acct-00009"] == pytest.approx(10, rel=0.25)


def test_key_and_value_templates_replace_the_payment() -> None:
    load = LoadSpec(topic="t", key="{run_id}-{seq}", value="{seq};{amount}")
    key, value = next(generate(load, seed=1, run_id="r9"))
    assert key == b"r9-0"
    assert value.startswith(b"0;")


def test_time_is_the_wall_clock_at_the_send_in_milliseconds() -> None:
    load = LoadSpec(topic="t", value={"at": "{time_ms}"})
    _, value = next(generate(load, seed=1, run_id="r", wall_clock=lambda: 12.3456))
    assert msgspec.json.decode(value) == {"at": 12345}


def test_the_share_of_aborting_transactions_is_the_one_asked_for_and_seeded() -> None:
    load = LoadSpec(topic="t", transaction_size=10, abort_ratio=0.2)
    decisions = list(islice(abort_decisions(load, seed=3), 5000))
    assert sum(decisions) / len(decisions) == pytest.approx(0.2, abs=0.02)
    assert decisions == list(islice(abort_decisions(load, seed=3), 5000))
    assert decisions != list(islice(abort_decisions(load, seed=4), 5000))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rate": 0}, "load.rate must be above 0"),
        ({"keys": 0}, "load.keys must be at least 1"),
        ({"zipf": -1}, "load.zipf must be 0 or more"),
        ({"transaction_size": 0}, "load.transaction_size must be at least 1"),
        ({"abort_ratio": 0.1}, "load.abort_ratio needs load.transaction_size"),
        ({"transaction_size": 5, "abort_ratio": 1.0}, "below 1"),
        ({"rate": 1, "transaction_size": 100}, "make it smaller"),
        ({"transaction_size": 5, "acks": 1}, 'needs load.acks "all"'),
        ({"key": "{kye}"}, "did you mean 'key'"),
        ({"value": {"a": "{sequence}"}}, r"load\.value\.a: unknown placeholder"),
    ],
)
def test_a_load_that_cannot_be_is_refused_with_the_fix(wrong: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        LoadSpec(topic="t", **wrong)


def test_a_wrong_value_in_a_scenario_file_is_a_usage_error_too() -> None:
    with pytest.raises(UsageError, match=r"load\.rate"):
        msgspec.convert({"topic": "t", "rate": -5}, LoadSpec)
