"""One audit from specification to report: capture, checks, evidence."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache

from confluent_kafka import KafkaException

from eoscheck.audit.batches.held import check_held
from eoscheck.audit.batches.view import RawView
from eoscheck.audit.batches.writing import check_writing
from eoscheck.audit.capture import Capture, Captured, most_offsets
from eoscheck.audit.checks.joined import Acknowledged
from eoscheck.audit.checks.liveness import check_stalled
from eoscheck.audit.checks.outcome import Anomaly, Checked, Doubt
from eoscheck.audit.checks.rewritten import Observed, observed_outputs
from eoscheck.audit.checks.wire import check_wire
from eoscheck.audit.findings import AuditReport, Code, Finding, Unknown
from eoscheck.audit.forensics.evidence import Evidence
from eoscheck.audit.forensics.lookup import Lookup
from eoscheck.audit.forensics.neighbourhood import Neighbourhood
from eoscheck.audit.forensics.timeline import FaultTimeline
from eoscheck.audit.forensics.writers import Writers
from eoscheck.audit.group.check import GroupCheck, open_group_check
from eoscheck.audit.judge import allowed, guarded, matters, verdict
from eoscheck.audit.oracles.asked import check_oracles
from eoscheck.audit.plan import check_spec, topics_of
from eoscheck.audit.readers.reading import Progress, Read, Reader
from eoscheck.audit.readers.scan import committed_reader
from eoscheck.audit.rows.digests import digesting
from eoscheck.audit.rows.memory import budget
from eoscheck.audit.rows.records import Misfits
from eoscheck.audit.same_topics import same_topics
from eoscheck.audit.shards import Shards, check_shards
from eoscheck.audit.spec import AuditSpec
from eoscheck.cluster.configs import ConfigView
from eoscheck.cluster.connection import error_text
from eoscheck.cluster.raw_fetch import RawFetch
from eoscheck.cluster.raw_log import RawLog
from eoscheck.cluster.view import ClusterView
from eoscheck.errors import EoscheckError, InfrastructureError
from eoscheck.history.events import Event, SendsAcknowledged
from eoscheck.logformat.compiling import is_loaded
from eoscheck.wire import Exchange

_LARGE = 100_000
"""Records for which loading compiled code pays: it takes a second."""
_MOTION_S = 3.0
"""How long an idle-looking subject is watched before its missing tail is called lost."""


def run_audit(
    spec: AuditSpec,
    *,
    client_config: Mapping[str, str],
    history: Sequence[Event] = (),
    trace: Sequence[Exchange] = (),
    liveness_s: float = 30.0,
    progress: Progress | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> AuditReport:
    """Audits one pipeline. Reads only: joins no group, commits and creates nothing.

    `client_config`: librdkafka properties, `bootstrap.servers` included. With the `history` of a
    run, what the load was told is held against the input, faults are named beside findings, and a
    subject silent for `liveness_s` is STALLED; its `trace` shows hazards that only the wire does.
    `clock` counts seconds.
    Raises UsageError for a specification or a topic that cannot be, InfrastructureError where the
    cluster does not answer. Ends in bounded time: see `AuditSpec.patience_s`.
    """
    check_spec(spec)
    check_oracles(spec, in_a_run=bool(history))
    began = clock()
    acknowledged = None if spec.input is None else _acknowledged(history, spec.input)
    try:
        with ExitStack() as stack:
            configs = ConfigView(client_config)
            view = stack.enter_context(ClusterView(client_config))
            # A wrong name is told before anything is read.
            rows = most_offsets(view, topics_of(spec))
            compiled = spec.reader != "client" and (
                rows >= _LARGE or is_loaded() or spec.atomic is not None
            )
            stack.enter_context(digesting(compiled=compiled or spec.reader == "fast"))
            log, notes = _raw_log(client_config, stack)
            capture = Capture(
                spec=spec,
                view=view,
                reader=Reader(
                    consumer=cache(lambda: stack.enter_context(committed_reader(client_config))),
                    log=log,
                    configs=configs,
                    mode=spec.reader,
                    large=compiled,
                    patience_s=spec.patience_s,
                    limit=spec.max_findings,
                    progress=progress,
                    clock=clock,
                ),
                budget=stack.enter_context(budget(spec.memory_mb)),
                rows=rows,
                history=history,
                missing_group_is_unknown=bool(history),
                sealed=spec.reader != "fast" and acknowledged is not None,
                progress=progress,
                clock=clock,
            )
            with same_topics(view, topics_of(spec)):
                captured = capture.take()
            group = open_group_check(spec, captured, log=log, view=view, authors=capture.authors)
            notes += group.note if group is not None else []
            checked = [
                check_held(
                    captured.held(), client_config=client_config, configs=configs, spec=spec
                ),
                *check_writing(
                    _views(captured.reads()),
                    written=_views([captured.output_read, captured.table_read]),
                    spec=spec,
                    configs=configs,
                    client_config=client_config,
                ),
                *_check(
                    captured,
                    capture=capture,
                    group=group,
                    acknowledged=acknowledged,
                    history=history,
                    liveness_s=liveness_s,
                ),
            ]
            checked.append(_on_the_wire(trace, spec=spec, checked=checked))
            near = _neighbourhood(client_config, stack) if log is not None else None
            lookup = stack.enter_context(Lookup(client_config, neighbourhood=near, clock=clock))
            writers = stack.enter_context(Writers(client_config, neighbourhood=near))
            evidence = Evidence(
                spec, lookup=lookup, writers=writers, timeline=FaultTimeline(history)
            )
            findings = _findings(checked, spec=spec, evidence=evidence, progress=progress)
    except KafkaException as error:
        raise InfrastructureError(f"the cluster does not answer: {error_text(error)}") from error
    return _report(spec, captured, checked, findings, scope=notes, duration_s=clock() - began)


def _check(
    captured: Captured,
    *,
    capture: Capture,
    group: GroupCheck | None,
    acknowledged: Acknowledged | None,
    history: Sequence[Event],
    liveness_s: float,
) -> Iterator[Checked]:
    spec = capture.spec
    shards = Shards(
        spec=spec,
        captured=captured,
        budget=capture.budget,
        acknowledged=acknowledged,
        observed=_observed(history, spec),
    )
    yield from check_shards(
        shards,
        moves=lambda seconds: capture.subject_moves(captured, within_s=seconds),
        watch_s=min(_MOTION_S, spec.patience_s),
        group=group,
    )
    read = captured.input_read
    yield from capture.oracles.checks(
        output_gaps=captured.output_read.gaps,
        input_gaps=() if read is None else read.gaps,
        begun_below=captured.begun_below,
        settled=shards.settled,
    )
    yield guarded(
        Code.STALLED, lambda: check_stalled(history, topic=spec.output, liveness_s=liveness_s)
    )


def _on_the_wire(
    trace: Sequence[Exchange], *, spec: AuditSpec, checked: Sequence[Checked]
) -> Checked:
    known = {hazard.code for each in checked for hazard in each.hazards}
    return Checked(hazards=check_wire(trace, group=spec.group, expect=spec.expect, known=known))


def _observed(history: Sequence[Event], spec: AuditSpec) -> Observed | None:
    """Of a run's output by identity: without an input shards are of another kind."""
    if not history or spec.sample is not None or spec.input is None:
        return None
    return observed_outputs(history, spec.output)


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
    scope: list[str],
    duration_s: float,
) -> AuditReport:
    found = [found for each in checked for found in each.found if found.total]
    anomalies: Counter[Code] = Counter()
    excused: Counter[Code] = Counter()
    for each in found:
        (excused if allowed(each, spec.expect) else anomalies)[each.code] += each.total
    unknowns = [
        *captured.unknowns,
        *(_misfit(each) for read in captured.reads() for each in read.misfits),
        *(_said(unknown) for each in checked for unknown in each.unknowns),
    ]
    counts = Counter({"output_records": captured.output.rows})
    if captured.input is not None:
        counts["input_records"] = captured.input.rows
    for each_checked in checked:
        counts.update(each_checked.counts)  # of shards and topics that were looked at one by one
    hazards = [hazard for each in checked for hazard in each.hazards]
    return AuditReport(
        verdict=verdict(found, unknowns, spec.expect, hazards=len(hazards) if spec.strict else 0),
        expect=spec.expect,
        output=spec.output,
        input=spec.input,
        counts=dict(counts),
        anomalies=dict(anomalies),
        allowed=dict(excused),
        hazards=hazards,
        findings=findings,
        unknowns=[unknown for unknown in unknowns if matters(unknown, spec.expect)],
        duration_s=duration_s,
        scope=[*scope, *_scope(spec)],
        transactions=[read.raw.statistics() for read in captured.reads() if read.raw is not None],
    )


def _views(reads: Iterable[Read | None]) -> list[RawView]:
    return [read.raw for read in reads if read is not None and read.raw is not None]


def _neighbourhood(client_config: Mapping[str, str], stack: ExitStack) -> Neighbourhood | None:
    """Where the batches around a finding are read; None where that cannot be: it says less then."""
    try:
        return Neighbourhood(stack.enter_context(RawFetch(client_config)))
    except EoscheckError:
        return None


def _raw_log(client_config: Mapping[str, str], stack: ExitStack) -> tuple[RawLog | None, list[str]]:
    """None, and why, where no client of ours can read raw batches."""
    try:
        return stack.enter_context(RawLog(client_config)), []
    except EoscheckError as error:
        return None, [f"batches were not looked at, only records: {error}"]


def _scope(spec: AuditSpec) -> list[str]:
    """What was left out on request."""
    said = []
    if spec.start is not None or spec.stop is not None:
        of = spec.output if spec.input is None else spec.input
        said.append(f"of {of} only from {spec.start or 'its start'} to {spec.stop or 'its end'}")
    if spec.partitions is not None:
        said.append(f"only partitions {spec.partitions}")
    if spec.sample is not None:
        said.append(f"only a sample of {spec.sample} of all identities")
    if spec.sample is not None and spec.input is None:
        said.append("GAP and REORDERED are not judged in a sample without its input")
    if said and spec.input is not None:
        said.append("PHANTOM is not judged beyond that")
    return said


def _said(unknown: Unknown | Doubt) -> Unknown:
    return unknown.said() if isinstance(unknown, Doubt) else unknown


def _misfit(misfits: Misfits) -> Unknown:
    shown = ", ".join(f"{place.partition}@{place.offset}" for place in misfits.first)
    more = ", ..." if misfits.count > len(misfits.first) else ""
    return Unknown(
        subject=misfits.first[0].topic,
        reason=f"{misfits.count} records do not fit {misfits.expression} "
        f"(partition@offset {shown}{more})",
    )
