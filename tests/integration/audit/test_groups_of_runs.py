"""What only a run's own history lets an audit tell, through the whole engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from eoscheck.audit import AuditReport, AuditSpec, Code, Verdict, run_audit
from eoscheck.audit.identity import parse
from eoscheck.cluster import Cluster
from eoscheck.history import OutputsObserved, Recorder, SendsAcknowledged, read_history
from eoscheck.history.events import Event
from eoscheck.load import LoadSpec, preload
from tests.integration.audit.writing import Out, Topics


def audit(
    topics: Topics, output: str, source: str | None = None, *, history: Any = (), **options: Any
) -> AuditReport:
    options = {"id": "json:/id", "patience_s": 2.0, **options}
    return run_audit(
        AuditSpec(output=output, input=source, **options),
        client_config=topics.client_config,
        history=history,
    )


def shown(report: AuditReport) -> list[tuple[str, str, int, list[int]]]:
    return [(f.code.value, f.topic, f.partition, f.offsets) for f in report.findings]


def load(cluster: Cluster, topic: str, folder: Path) -> list[Event]:
    with Recorder(folder) as recorder:
        preload(
            LoadSpec(topic=topic),
            count=40,
            seed=1,
            run_id="run",
            client_config=cluster.client_config,
            recorder=recorder,
            identify=parse("json:/payment_id"),
        )
    return read_history(folder)


def test_a_record_of_the_load_that_was_changed_on_its_way_is_corrupted(
    cluster: Cluster, topics: Topics, pair: tuple[str, str], tmp_path: Path
) -> None:
    source, output = pair
    history = load(cluster, source, tmp_path)
    topics.commit(output, *(Out(0, {"payment_id": n}) for n in range(40)))
    options = {"id": "json:/payment_id", "order": "none", "history": history}
    report = audit(topics, output, source, **options)
    assert (report.verdict, report.counts["sealed_records"]) == (Verdict.PASS, 40)
    seal = b"\0" * 8 + source.encode()
    (at,) = topics.write(
        source, Out(0, {"payment_id": 99}, key="k", headers=[("eoscheck-seal", seal)])
    )
    topics.commit(output, Out(0, {"payment_id": 99}))
    report = audit(topics, output, source, **options)
    assert shown(report) == [("CORRUPTED", source, 0, [at])]


def test_outputs_that_a_run_s_reader_was_given_and_that_are_others_now_are_a_rewritten_log(
    cluster: Cluster, topics: Topics, pair: tuple[str, str], tmp_path: Path
) -> None:
    source, output = pair
    history = load(cluster, source, tmp_path)
    offsets = topics.commit(output, *(Out(0, {"payment_id": n}) for n in range(40)))

    def seen(*identities: int) -> OutputsObserved:
        return OutputsObserved(
            t=1.0,
            topic=output,
            partition=0,
            first_offset=offsets[0],
            last_offset=offsets[-1],
            identities=list(identities),
            offsets=offsets,
        )

    options: dict[str, Any] = {"id": "json:/payment_id", "order": "none"}
    honest = audit(topics, output, source, history=[*history, seen(*range(40))], **options)
    assert (honest.verdict, honest.counts["observed_outputs_compared"]) == (Verdict.PASS, 40)
    others = seen(*range(39), 77)
    report = audit(topics, output, source, history=[*history, others], **options)
    assert {f.code for f in report.findings} == {Code.LOG_REWRITTEN}
    assert report.findings[0].evidence["gone"] in ([77], [39])


def test_inputs_that_are_not_where_the_load_was_told_are_a_rewritten_log(
    cluster: Cluster, topics: Topics, pair: tuple[str, str], tmp_path: Path
) -> None:
    source, output = pair
    history = load(cluster, source, tmp_path)
    topics.commit(output, *(Out(0, {"payment_id": n}) for n in range(40)))
    (sent,) = (event for event in history if isinstance(event, SendsAcknowledged))
    end = max(sent.offsets) + 1
    told = [sent.offsets[1], sent.offsets[0], *sent.offsets[2:-1], end]
    history[history.index(sent)] = msgspec.structs.replace(sent, offsets=told)
    report = audit(topics, output, source, id="json:/payment_id", order="none", history=history)
    assert {f.code for f in report.findings} == {Code.LOG_REWRITTEN}
    places = sorted((f.topic, *f.offsets, f.identity) for f in report.findings)
    assert places == sorted((source, told[row], sent.identities[row]) for row in (0, 1, -1))
