"""One audit from specification to report: capture, checks, evidence."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace

from confluent_kafka import KafkaException

from eoscheck.audit.capture import Capture, Captured, Progress
from eoscheck.audit.checks.identities import (
    check_acknowledged,
    check_duplicates,
    check_losses,
    check_phantoms,
)
from eoscheck.audit.checks.joined import Acknowledged, Joined, join
from eoscheck.audit.checks.liveness import check_stalled
from eoscheck.audit.checks.order import check_order, check_sequence_order
from eoscheck.audit.checks.outcome import Anomaly, Checked
from eoscheck.audit.checks.results import check_final_state, check_running_sum
from eoscheck.audit.checks.sequence import check_gaps, find_sequences
from eoscheck.audit.evidence import Evidence
from eoscheck.audit.findings import AuditReport, Code, Finding, Guarantee, Hazard, Unknown
from eoscheck.audit.held import check_held
from eoscheck.audit.judge import allowed, guarded, matters, verdict
from eoscheck.audit.lookup import Lookup
from eoscheck.audit.plan import check_spec
from eoscheck.audit.records import Misfits
from eoscheck.audit.scan import committed_reader
from eoscheck.audit.spec import AuditSpec
from eoscheck.audit.timeline import FaultTimeline
from eoscheck.audit.writers import Writers
from eoscheck.cluster.configs import ConfigView
from eoscheck.cluster.connection import error_text
from eoscheck.cluster.view import ClusterView
from eoscheck.errors import InfrastructureError
from eoscheck.history.events import Event, SendsAcknowledged

_MOTION_S = 3.0
"""How long an idle-looking subject is watched before its missing tail is called lost."""


def run_audit(
    spec: AuditSpec,
    *,
    client_config: Mapping[str, str],
    history: Sequence[Event] = (),
    liveness_s: float = 30.0,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> AuditReport:
    """Audits one pipeline. Reads only: joins no group, commits and creates nothing.

    `client_config`: librdkafka properties, `bootstrap.servers` included. With the `history` of a
    run, what the load was told is held against the input, faults are named beside findings, and a
    subject silent for `liveness_s` is STALLED. `clock` counts seconds.
    Raises UsageError for a specification or a topic that cannot be, InfrastructureError where the
    cluster does not answer. Ends in bounded time: see `AuditSpec.patience_s`.
    """
    check_spec(spec)
    began = clock()
    try:
        with ExitStack() as stack:
            capture = Capture(
                spec=spec,
                view=stack.enter_context(ClusterView(client_config)),
                configs=ConfigView(client_config),
                consumer=stack.enter_context(committed_reader(client_config)),
                missing_group_is_unknown=bool(history),
                progress=progress,
                clock=clock,
            )
            captured = capture.take()
            checked = [
                check_held(
                    captured.held(), client_config=client_config, configs=capture.configs, spec=spec
                ),
                *_check(captured, capture=capture, history=history, liveness_s=liveness_s),
            ]
            lookup = stack.enter_context(Lookup(client_config, clock=clock))
            writers = stack.enter_context(Writers(client_config))
            evidence = Evidence(
                spec, lookup=lookup, writers=writers, timeline=FaultTimeline(history)
            )
            findings = _findings(checked, spec=spec, evidence=evidence, progress=progress)
            hazards = (
                writers.outside_transactions(captured.output)
                if spec.expect is Guarantee.EXACTLY_ONCE
                else []
            )
    except KafkaException as error:
        raise InfrastructureError(f"the cluster does not answer: {error_text(error)}") from error
    return _report(spec, captured, checked, findings, hazards=hazards, duration_s=clock() - began)


def _check(
    captured: Captured, *, capture: Capture, history: Sequence[Event], liveness_s: float
) -> Iterator[Checked]:
    spec, limit = capture.spec, capture.spec.max_findings
    joined = _join(captured, history=history, input_topic=spec.input)
    if spec.group is None:
        joined = replace(joined, settled=not capture.subject_moves(captured, within_s=0))
    losses = guarded(Code.LOST, lambda: check_losses(joined, limit=limit))
    if spec.group is None and losses.counts.get("missing_tail"):
        watch = min(_MOTION_S, spec.patience_s)
        joined = replace(joined, settled=not capture.subject_moves(captured, within_s=watch))
        losses = guarded(Code.LOST, lambda: check_losses(joined, limit=limit))
    yield losses
    yield guarded(Code.LOST, lambda: check_acknowledged(joined, limit=limit))
    yield guarded(Code.DUPLICATE, lambda: check_duplicates(joined, limit=limit))
    yield guarded(Code.PHANTOM, lambda: check_phantoms(joined, limit=limit))
    yield guarded(Code.REORDERED, lambda: check_order(joined, order=spec.order, limit=limit))
    if spec.input is None:
        yield guarded(Code.GAP, lambda: _check_sequences(joined, spec=spec))
    if spec.running_sum is not None:
        yield guarded(Code.WRONG_RESULT, lambda: check_running_sum(joined, limit=limit))
    if spec.final_state is not None:
        topic, read = spec.final_state.topic, captured.table_read
        yield guarded(
            Code.WRONG_RESULT,
            lambda: check_final_state(
                joined,
                topic=topic,
                table=captured.table,
                gaps=read.gaps if read else (),
                limit=limit,
            ),
        )
    yield guarded(
        Code.STALLED, lambda: check_stalled(history, topic=spec.output, liveness_s=liveness_s)
    )


def _check_sequences(joined: Joined, *, spec: AuditSpec) -> Checked:
    """Without the input: what the numbers in the identities themselves tell."""
    sequences = find_sequences(joined)
    gaps = check_gaps(joined, sequences=sequences, limit=spec.max_findings)
    if spec.order == "none":
        return gaps
    order = check_sequence_order(joined, judged=sequences.judged, limit=spec.max_findings)
    return replace(gaps, found=[*gaps.found, *order.found])


def _join(captured: Captured, *, history: Sequence[Event], input_topic: str | None) -> Joined:
    if captured.input is None or captured.input_read is None or input_topic is None:
        return join(captured.output, output_gaps=captured.output_read.gaps)
    due = captured.input_below(captured.due_below)
    return join(
        captured.output,
        captured.input,
        due=due,
        pending=captured.input_below(captured.begun_below) & ~due,
        output_gaps=captured.output_read.gaps,
        input_gaps=captured.input_read.gaps,
        acknowledged=_acknowledged(history, input_topic),
    )


def _acknowledged(history: Sequence[Event], topic: str) -> Acknowledged | None:
    events = [e for e in history if isinstance(e, SendsAcknowledged) and e.topic == topic]
    if not events:
        return None
    return Acknowledged(
        identities=[identity for event in events for identity in event.identities],
        partitions=[partition for event in events for partition in event.partitions],
        offsets=[offset for event in events for offset in event.offsets],
    )


def _findings(
    checked: Sequence[Checked],
    *,
    spec: AuditSpec,
    evidence: Evidence,
    progress: Progress | None,
) -> list[Finding]:
    """The first of each code, those that count before those that are allowed."""
    candidates: dict[Code, list[_Candidate]] = {}
    for found in (found for each in checked for found in each.found):
        excused = allowed(found, spec.expect)
        for anomaly in found.anomalies:
            candidate = _Candidate(found.code, excused, anomaly)
            candidates.setdefault(found.code, []).append(candidate)
    chosen = [
        candidate
        for code in Code
        for candidate in sorted(candidates.get(code, []), key=_Candidate.rank)[: spec.max_findings]
    ]
    findings = []
    for number, each in enumerate(chosen):
        if progress is not None:
            progress("reading the evidence", number, len(chosen))
        findings.append(evidence.finding(each.code, each.anomaly, allowed=each.allowed))
    return findings


@dataclass(frozen=True)
class _Candidate:
    code: Code
    allowed: bool
    anomaly: Anomaly

    def rank(self) -> tuple[bool, str, int, int]:
        return self.allowed, *self.anomaly.place


def _report(
    spec: AuditSpec,
    captured: Captured,
    checked: Sequence[Checked],
    findings: list[Finding],
    *,
    hazards: list[Hazard],
    duration_s: float,
) -> AuditReport:
    found = [found for each in checked for found in each.found if found.total]
    anomalies: Counter[Code] = Counter()
    excused: Counter[Code] = Counter()
    for each in found:
        (excused if allowed(each, spec.expect) else anomalies)[each.code] += each.total
    unknowns = [
        *captured.unknowns,
        *map(_misfit, captured.misfits),
        *(unknown for each in checked for unknown in each.unknowns),
    ]
    counts = {"output_records": len(captured.output)}
    if captured.input is not None:
        counts["input_records"] = len(captured.input)
    for each_checked in checked:
        counts |= each_checked.counts
    return AuditReport(
        verdict=verdict(found, unknowns, spec.expect),
        expect=spec.expect,
        output=spec.output,
        input=spec.input,
        counts=counts,
        anomalies=dict(anomalies),
        allowed=dict(excused),
        hazards=hazards,
        findings=findings,
        unknowns=[unknown for unknown in unknowns if matters(unknown, spec.expect)],
        duration_s=duration_s,
    )


def _misfit(misfits: Misfits) -> Unknown:
    shown = ", ".join(f"{place.partition}@{place.offset}" for place in misfits.first)
    more = ", ..." if misfits.count > len(misfits.first) else ""
    return Unknown(
        subject=misfits.first[0].topic,
        reason=f"{misfits.count} records do not fit {misfits.expression} "
        f"(partition@offset {shown}{more})",
    )
