"""What payments and all that is made of them look like. Money is integer cents."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec


class Payment(msgspec.Struct, frozen=True, gc=False):
    """A record of the input; its key is the account. Further fields are ignored.

    `counterparty` is used by the ledger, `time_ms` (Unix time, None: the record's) by fraud alerts.
    """

    payment_id: int
    account: str
    amount: int
    counterparty: str = "clearing"
    time_ms: Annotated[int, msgspec.Meta(ge=0)] | None = None


class SourceOffset(msgspec.Struct, frozen=True, gc=False):
    """The input record a receipt was made from."""

    partition: int
    offset: int


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """A record of the receipts; its key is the account. `balance` includes this payment."""

    payment_id: int
    account: str
    amount: int
    balance: int
    source: SourceOffset


class Balance(msgspec.Struct, frozen=True, gc=False):
    """A value of the store `balances` and of its changelog; the key is the account."""

    balance: int


class Side(StrEnum):
    DEBIT = "debit"
    CREDIT = "credit"


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A record of the ledger; its key is the account. A payment is a debit and a credit."""

    payment_id: int
    account: str
    side: Side
    amount: int


class FraudAlert(msgspec.Struct, frozen=True, gc=False):
    """A record of the alerts; its key is the account. `payment_id` is the payment that brought the
    window's count to the threshold; `window_end` is not part of the window."""

    account: str
    window_start: int
    window_end: int
    count: int
    payment_id: int
