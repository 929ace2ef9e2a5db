"""What has to be evaluated for each record, and whether the specification makes sense at all."""

from __future__ import annotations

from eoscheck.audit.identity import parse
from eoscheck.audit.multiplicity import parse_multiplicity
from eoscheck.audit.ranges import read_ranges
from eoscheck.audit.rows.block import ColumnSpec, Wanted
from eoscheck.audit.spec import AuditSpec
from eoscheck.errors import UsageError


def wanted_of_output(spec: AuditSpec) -> Wanted:
    columns: dict[str, ColumnSpec] = {}
    if spec.input is None:
        columns["group"] = ColumnSpec(kind="source", expression=spec.id)
        columns["number"] = ColumnSpec(kind="sequence", expression=spec.id)
    if spec.running_sum:
        columns["number"] = ColumnSpec(kind="number", expression=spec.running_sum.result)
    if spec.atomic:
        columns["atomic"] = ColumnSpec(kind="identity", expression=spec.atomic)
    if spec.partitioner:
        columns["home"] = ColumnSpec(kind="home", expression=spec.partitioner)
    return Wanted(identity=spec.id, columns=columns)


def wanted_of_input(spec: AuditSpec, *, sealed: bool = False) -> Wanted:
    """`sealed`: the load of a run has written to it."""
    columns: dict[str, ColumnSpec] = {}
    outputs = parse_multiplicity(spec.per_input, spec.input_filter)
    if outputs.filter_by is not None and outputs.columnar:
        expression = outputs.filter_by[0]
        columns["filter"] = ColumnSpec(kind="identity", expression=expression, optional=True)
    elif not outputs.constant:
        columns["bounds"] = ColumnSpec(
            kind="bounds", expression=spec.per_input, condition=spec.input_filter
        )
    key = key_of_input(spec)
    if key is not None:
        columns["group"] = ColumnSpec(kind="identity", expression=key)
    for oracle in (spec.running_sum, spec.final_state):
        if oracle is not None:
            columns["number"] = ColumnSpec(kind="number", expression=oracle.amount)
    if sealed:
        columns["seal"] = ColumnSpec(kind="seal")
    return Wanted(identity=spec.input_id or spec.id, columns=columns)


def wanted_of_table(result: str) -> Wanted:
    """A table's records by key: `value` tells a tombstone."""
    return Wanted(
        identity="key",
        columns={
            "number": ColumnSpec(kind="number", expression=result, optional=True),
            "value": ColumnSpec(kind="value"),
        },
    )


def topics_of(spec: AuditSpec) -> list[str]:
    """All that are read."""
    state = spec.final_state.topic if spec.final_state is not None else None
    changelogs = [each for log in spec.changelogs for each in (log.name, log.topic)]
    named = [spec.output, spec.input, state, spec.golden, *changelogs]
    return list(dict.fromkeys(topic for topic in named if topic is not None))


def key_of_input(spec: AuditSpec) -> str | None:
    """By what the input is grouped, where it has to be."""
    for oracle in (spec.running_sum, spec.final_state):
        if oracle is not None:
            return oracle.key
    return "key" if spec.order == "key" and spec.input is not None else None


def check_spec(spec: AuditSpec) -> None:
    """Raises UsageError for what can be told without a cluster."""
    for expression in _expressions(spec):
        parse(expression)
    parse_multiplicity(spec.per_input, spec.input_filter)
    ranges = read_ranges(spec)
    _require(spec.patience_s >= 0, f"patience must be 0 or more, not {spec.patience_s:g}")
    _require(spec.max_findings >= 1, f"max-findings must be 1 or more, not {spec.max_findings}")
    oracles = spec.running_sum or spec.final_state or spec.golden or spec.fold or spec.changelogs
    _require(
        ranges.one_in == 1 or not (oracles or spec.sum_is_zero),
        "--sample leaves out what sums, folds and states are made of: use one or the other",
    )
    _require(
        ranges.whole or ranges.one_in > 1 or not oracles,
        "--from, --to and --partitions leave out what folds and states are made of",
    )
    if spec.input is None:
        _require(spec.group is None, "--group needs --input: its offsets are those of the input")
        _require(spec.input_id is None, "--input-id needs --input")
        _require(spec.input_filter is None, "--input-filter needs --input")
        _require(
            spec.running_sum is None and spec.final_state is None,
            "running_sum and final_state need the input topic to fold",
        )
        return
    _require(spec.input != spec.output, f"input and output are the same topic: {spec.input}")
    if spec.running_sum and spec.final_state:
        _require(
            (spec.running_sum.key, spec.running_sum.amount)
            == (spec.final_state.key, spec.final_state.amount),
            "running_sum and final_state must name the same key and amount",
        )
    if spec.order == "key" and key_of_input(spec) != "key":
        raise UsageError("order by key is by the record key: the oracle's key must be 'key' too")


def _expressions(spec: AuditSpec) -> list[str]:
    found = [spec.id, spec.input_id or spec.id]
    if spec.running_sum:
        found += [spec.running_sum.key, spec.running_sum.amount, spec.running_sum.result]
    if spec.final_state:
        found += [spec.final_state.key, spec.final_state.amount, spec.final_state.result]
    return found


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise UsageError(message)
