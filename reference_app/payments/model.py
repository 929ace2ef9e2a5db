"""What payments, receipts and balances look like. Money is integer cents."""

from __future__ import annotations

import msgspec


class Payment(msgspec.Struct, frozen=True, gc=False):
    """A record of the input; its key is the account. Further fields are ignored."""

    payment_id: int
    account: str
    amount: int


class SourceOffset(msgspec.Struct, frozen=True, gc=False):
    """The input record a receipt was made from."""

    partition: int
    offset: int


class Receipt(msgspec.Struct, frozen=True, gc=False):
    """A record of the output; its key is the account. `balance` includes this payment."""

    payment_id: int
    account: str
    amount: int
    balance: int
    source: SourceOffset


class Balance(msgspec.Struct, frozen=True, gc=False):
    """A value of the store `balances` and of its changelog; the key is the account."""

    balance: int
