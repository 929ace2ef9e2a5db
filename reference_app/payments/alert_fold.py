"""Which fraud alert each account should have had last: a fold of the payments, for an audit.

Stream time is a partition's: `alert` is for topics of one, `alert_of_two` for topics of two. It
knows no restart, no store and no retention, only the rule (docs/oracles.md says how such a fold is
called).
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

ACCOUNTS = tuple(f"acct-{number:05d}" for number in range(4))
OF_TWO = tuple(
    tuple(f"acct-{number:05d}" for number in numbers) for numbers in ((0, 4, 5, 6), (1, 2, 3, 7))
)
"""Eight accounts, by where Java's partitioner (murmur2) puts them in a topic of two partitions."""
WINDOW_MS = 200
THRESHOLD = 3


@dataclass
class Account:
    """`last` is the payment that made its latest alert."""

    stream_time: int = -1
    counts: Counter[tuple[str, int]] = field(default_factory=Counter)
    last: dict[str, int] = field(default_factory=dict)


def alert_key(_key: bytes, _value: bytes, _headers: Any) -> list[str]:
    """Every payment moves the stream time of all accounts on."""
    return list(ACCOUNTS)


def alert(state: Account | None, _key: bytes, value: bytes, _headers: Any) -> Account:
    account = state or Account()
    payment = json.loads(value)
    name, time_ms = payment["account"], payment["time_ms"]
    account.stream_time = max(account.stream_time, time_ms)
    start = time_ms // WINDOW_MS * WINDOW_MS
    if start + WINDOW_MS > account.stream_time:
        account.counts[name, start] += 1
        if account.counts[name, start] == THRESHOLD:
            account.last[name] = payment["payment_id"]
    return account


def alert_finish(key: str, state: Account) -> int | None:
    return state.last.get(key)


def alert_found(_key: bytes, value: bytes, _headers: Any) -> int:
    found: int = json.loads(value)["payment_id"]
    return found


def alert_of_two_key(key: bytes, _value: bytes, _headers: Any) -> tuple[str, ...]:
    """Every payment moves on the stream time of the accounts in its partition."""
    account = key.decode()
    return next(accounts for accounts in OF_TWO if account in accounts)


alert_of_two, alert_of_two_finish, alert_of_two_found = alert, alert_finish, alert_found
