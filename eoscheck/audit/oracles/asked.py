"""What oracles ask of the output, and whether they make sense at all."""

from __future__ import annotations

from dataclasses import replace

from eoscheck.audit.identity import parse
from eoscheck.audit.oracles.folding import load_fold
from eoscheck.audit.oracles.windows import window_expression
from eoscheck.audit.rows.block import ColumnSpec, Wanted
from eoscheck.audit.spec import AuditSpec
from eoscheck.errors import UsageError

PREFIX = "oracle_"
"""Of the columns that no other check looks at."""


def oracle_columns(spec: AuditSpec) -> dict[str, ColumnSpec]:
    """Further columns of the output, for the oracles alone. None of them is kept by identity."""
    columns: dict[str, ColumnSpec] = {}
    if spec.golden and spec.golden_by == "multiset":
        columns["content"] = ColumnSpec(kind="content")
    if spec.sum_is_zero:
        columns["amount"] = ColumnSpec(kind="number", expression=spec.sum_is_zero)
        if spec.atomic:
            columns["atomic"] = ColumnSpec(kind="identity", expression=spec.atomic)
    if spec.monotonic:
        columns["rising"] = ColumnSpec(kind="number", expression=spec.monotonic)
    if spec.monotonic or spec.fold or (spec.golden and spec.golden_by == "last"):
        columns["key"] = ColumnSpec(kind="identity", expression="key")
    if spec.fold or (spec.golden and spec.golden_by == "last"):
        columns["value"] = ColumnSpec(kind="value")
    if spec.fold:
        found = load_fold(spec.fold).found
        if found is not None:
            columns["found"] = ColumnSpec(kind="identity", expression=found, optional=True)
    return {PREFIX + name: column for name, column in columns.items()}


def with_oracles(wanted: Wanted, spec: AuditSpec) -> Wanted:
    return replace(wanted, columns={**wanted.columns, **oracle_columns(spec)})


def check_oracles(spec: AuditSpec, *, in_a_run: bool) -> None:
    """Raises UsageError for what can be told without a cluster. In a run, a changelog may stand
    there for its restores alone."""
    for expression in (spec.sum_is_zero, spec.monotonic, spec.atomic):
        if expression is not None:
            parse(expression)
    for fold in (spec.fold, *(each.fold for each in spec.changelogs)):
        if fold is not None:
            load_fold(fold)
            if spec.input is None:
                raise UsageError(f"{fold} is a fold of the input: give --input")
    if spec.golden in (spec.output, spec.input) and spec.golden is not None:
        raise UsageError(f"{spec.golden} cannot be its own golden run")
    for log in spec.changelogs:
        if not (log.topic or log.dump or log.fold or in_a_run):
            raise UsageError(
                f"changelog {log.name} is compared with nothing: give a second topic, a dump or a "
                "fold"
            )
        if log.window is not None:
            parse(window_expression(log.window))
        if (log.window is None) != (log.retention_ms is None):
            raise UsageError(
                f"changelog {log.name}: windows are compared by their retention: give both or none"
            )
