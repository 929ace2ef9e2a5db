"""What the load is: plain data, filled in by a scenario's `[load]` table."""

from __future__ import annotations

import math
from typing import Any, Literal

import msgspec

from eoscheck.errors import UsageError
from eoscheck.load.template import compile_template

TRANSACTION_TIMEOUT_S = 30.0
"""The load's own `transaction.timeout.ms`."""

PAYMENT = {"payment_id": "{seq}", "account": "{key}", "amount": "{amount}"}


class LoadSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`rate` records a second into `topic`, over `keys` accounts, skewed by the exponent `zipf`
    (0: all alike; 1: the n-th account gets 1/n of the first one's records).

    With `transaction_size`, that many records go into each transaction, of which the share
    `abort_ratio` aborts. They come one after the other, so small ones limit the rate that can be
    held (`LoadSummary.most_late_s` tells). `acks` 1 takes the word of a partition's leader alone,
    by a producer that is not idempotent: what is acknowledged so may be lost with the leader. `key`
    and `value` are templates: see `eoscheck.load.template`. `noise`: how many characters `{noise}`
    has in them, other ones in each record.

    With `input_file` (NDJSON, CSV or Parquet, by its ending) its rows are the records: `keys`,
    `zipf`, `key` and `value` say nothing then. `key_column` names what becomes the key; without it
    records have none. They leave at `rate`, or when `time_column` says, `speed` times as fast.
    """

    topic: str
    rate: float = 1000.0
    keys: int = 1000
    zipf: float = 0.0
    transaction_size: int | None = None
    abort_ratio: float = 0.0
    acks: Literal["all", 1] = "all"
    key: str = "{key}"
    value: dict[str, Any] | str = msgspec.field(default_factory=PAYMENT.copy)
    noise: int = 0
    input_file: str | None = None
    key_column: str | None = None
    time_column: str | None = None
    speed: float = 1.0

    def __post_init__(self) -> None:
        _require(self.rate > 0, f"load.rate must be above 0, not {self.rate}")
        _require(self.keys >= 1, f"load.keys must be at least 1, not {self.keys}")
        _require(self.zipf >= 0, f"load.zipf must be 0 or more, not {self.zipf}")
        _require(
            0 <= self.abort_ratio < 1,
            f"load.abort_ratio must be 0 or more and below 1, not {self.abort_ratio}",
        )
        _require(self.noise >= 0, f"load.noise must be 0 or more, not {self.noise}")
        if self.transaction_size is None:
            _require(
                self.abort_ratio == 0,
                "load.abort_ratio needs load.transaction_size: only a transaction can abort",
            )
        else:
            _require(self.acks == "all", 'load.transaction_size needs load.acks "all"')
            _require(
                self.transaction_size >= 1,
                f"load.transaction_size must be at least 1, not {self.transaction_size}",
            )
            longest = TRANSACTION_TIMEOUT_S / 3
            _require(
                self.transaction_size / self.rate <= longest,
                f"load.transaction_size {self.transaction_size} at {self.rate:g} records/s stays "
                f"open for longer than {longest:g} s: make it smaller",
            )
        _require(0 < self.speed < math.inf, f"load.speed must be above 0, not {self.speed}")
        if self.input_file is None:
            for name in ("key_column", "time_column"):
                _require(getattr(self, name) is None, f"load.{name} needs load.input_file")
        compile_template(self.key, what="load.key")
        compile_template(self.value, what="load.value")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise UsageError(message)
