"""How much the auditor's benchmark reads, and about how long that takes."""

from __future__ import annotations

from dataclasses import dataclass

_WRITE_S = 4.0e-6
"""A record by a transactional client, and by ready-made batches: seconds on 2 quiet cores."""
_WRITE_DENSE_S = 0.9e-6
_READ_S = {"floor": 0.15e-6, "audit": 0.3e-6, "java": 0.75e-6, "slow": 1.7e-6}
_KAFKA_PYTHON_S = 8e-6
_START_S = 1.8
"""Of a process, and its first reading of a small topic."""
_FINDING_S = 8e-3
"""The evidence of one."""


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Records of each topic. `growing`, and `wrong` (duplicates), are of the growth section."""

    records: int
    large_records: int
    few_records: int
    dense: int
    uuids: int
    growing: tuple[int, ...]
    wrong: tuple[int, ...]
    duplicates: int
    gaps: int
    rounds: int
    slow_rounds: int
    warm_up: bool = True


FULL = Sizes(
    records=5_000_000,
    large_records=2_000_000,
    few_records=500_000,
    dense=100_000_000,
    uuids=20_000_000,
    growing=(1_000_000, 2_000_000, 5_000_000, 10_000_000, 20_000_000),
    wrong=(0, 1_000, 100_000),
    duplicates=1_000,
    gaps=500,
    rounds=5,
    slow_rounds=3,
)
QUICK = Sizes(
    records=20_000,
    large_records=5_000,
    few_records=5_000,
    dense=100_000,
    uuids=50_000,
    growing=(5_000, 20_000),
    wrong=(0, 1_000),
    duplicates=20,
    gaps=10,
    rounds=1,
    slow_rounds=1,
    warm_up=False,
)


def forecast_s(sizes: Sizes, section: str) -> float:
    """About, on 2 quiet cores."""
    read, records, slow = _READ_S, sizes.records, sizes.slow_rounds + sizes.warm_up
    match section:
        case "speed":
            once = 4 * _START_S + records * (read["floor"] + 2 * read["audit"] + read["java"])
            slowly = 3 * _START_S + records * (read["audit"] + 2 * read["slow"])
            few = 2 * _START_S + sizes.few_records * _KAFKA_PYTHON_S
            written = (records + sizes.few_records) * _WRITE_S
            written += 2 * 100 * _FINDING_S * (slow + 1)
            return written + (sizes.rounds + sizes.warm_up) * once + slow * (slowly + few)
        case "formats":
            every = 2 * records + sizes.large_records
            each = read["floor"] + read["audit"] + read["java"]
            return every * _WRITE_S + slow * (3 * 3 * _START_S + every * each)
        case "memory":
            every = sizes.dense + sizes.uuids
            return every * (_WRITE_DENSE_S + read["audit"]) + 2 * _START_S
        case _:
            grown = sum(sizes.growing) + len(sizes.wrong) * records
            readings = len(sizes.growing) + len(sizes.wrong)
            audits = sizes.slow_rounds * (readings * _START_S + grown * read["audit"])
            return (grown - records) * _WRITE_S + audits
