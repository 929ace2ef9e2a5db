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


class Changelog(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A changelog to fold (the last committed value of each key, a tombstone deletes) and compare.

    Against `topic`, a second changelog; `dump`, a file with a store's contents (NDJSON, see
    docs/state.md); `fold`, `python:module:function` over the input. At least one of them. `window`
    says where keys hold the start of their window: `suffix` (Kafka Streams: 8 bytes of
    milliseconds, then 4 of a sequence number), `prefix` (8 bytes) or `python:module:function`; then
    windows beyond `retention_ms` are not compared.
    """

    name: str
    topic: str | None = None
    dump: str | None = None
    fold: str | None = None
    window: str | None = None
    retention_ms: int | None = None


class AuditSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One audit. Topics and group are names on the cluster; expressions: `docs/expressions.md`.

    `order` says within what two outputs must keep the order of their inputs: the source partition,
    the record key, or not at all. `patience_s` bounds every wait for an open transaction.

    What is expected of one input: `per_input` outputs ("1", "2", "0..3", or
    `python:module:function` of its key, value and headers); none where `input_filter` ("EXPR=VALUE"
    or a function) does not hold. `offsets`: whether the group's offsets say what is done (`due`),
    or only inform (Flink keeps its truth in checkpoints).

    Oracles beside the sums: `golden` (a fault-free run's output, as a multiset of key and value or
    by the last value of each key), `sum_is_zero`, `monotonic` (an expression that must rise for
    each key, within an output partition), `fold` (`python:module:function`, see docs/oracles.md),
    `changelogs`. `atomic` is an expression that outputs of one transaction share; `partitioner`
    what the keys of the output must agree with.

    Ranges: `start` and `stop` ("earliest", an offset, ISO time, `committed:GROUP`; stop also
    "latest"), `partitions` ("0,3-5"), `sample` ("1/64", by a hash of the identity).
    """

    output: str
    input: str | None = None
    group: str | None = None
    id: str = "key"
    input_id: str | None = None
    expect: Guarantee = Guarantee.EXACTLY_ONCE
    order: Literal["partition", "key", "none"] = "partition"
    per_input: str = "1"
    input_filter: str | None = None
    offsets: Literal["due", "informational"] = "due"
    running_sum: RunningSum | None = None
    final_state: FinalState | None = None
    golden: str | None = None
    golden_by: Literal["multiset", "last"] = "multiset"
    sum_is_zero: str | None = None
    monotonic: str | None = None
    fold: str | None = None
    changelogs: list[Changelog] = []
    atomic: str | None = None
    partitioner: Literal["murmur2", "crc32"] | None = None
    start: str | None = None
    stop: str | None = None
    partitions: str | None = None
    sample: str | None = None
    reader: Literal["auto", "fast", "client"] = "auto"
    strict: bool = False
    recovery_objective_s: float | None = None
    patience_s: float = 30.0
    max_findings: int = 100
    memory_mb: int = 512
