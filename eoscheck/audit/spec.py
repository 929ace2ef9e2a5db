"""What to audit: plain data, filled in by the command line or a scenario's `[audit]` table."""

from __future__ import annotations

from typing import Literal

import msgspec

from eoscheck.audit.findings import Guarantee


class RunningSum(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Oracle for an output that carries a running total: for each key, in the order of the input
    partition, output `result` must be the sum of the input `amount`s up to that record.

    All three are identity expressions, `key` and `amount` on the input, `result` on the output.
    """

    amount: str
    result: str
    key: str = "key"


class FinalState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Oracle for a table (a changelog or any compacted topic): the last committed value of each key
    must be the sum of the input's `amount`s of that key. Keys are compared as UTF-8 text.
    """

    topic: str
    amount: str
    result: str
    key: str = "key"


class AuditSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One audit. Topics and group are names on the cluster; expressions: `docs/expressions.md`.

    `order` says within what two outputs must keep the order of their inputs: the source partition,
    the record key, or not at all. `patience_s` bounds every wait for an open transaction.
    """

    output: str
    input: str | None = None
    group: str | None = None
    id: str = "key"
    input_id: str | None = None
    expect: Guarantee = Guarantee.EXACTLY_ONCE
    order: Literal["partition", "key", "none"] = "partition"
    running_sum: RunningSum | None = None
    final_state: FinalState | None = None
    patience_s: float = 30.0
    max_findings: int = 100
