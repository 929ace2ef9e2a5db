"""Runs the load: paced and open-loop, or a backlog as fast as it goes."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping

import msgspec

from eoscheck.cluster.view import ClusterView
from eoscheck.errors import UsageError
from eoscheck.history import Recorder
from eoscheck.history.events import Identity
from eoscheck.load.outcomes import Outcomes
from eoscheck.load.pacing import Paced, Timed, Unpaced, wait_s
from eoscheck.load.records import abort_decisions, generate
from eoscheck.load.replay import Record, Survey, pacing_of, survey
from eoscheck.load.replay import records as replayed
from eoscheck.load.senders import Identify, PlainSender, Sender, TransactionalSender
from eoscheck.load.spec import LoadSpec

_CHUNK = 500


class LoadSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Records by outcome. `most_late_s`: the longest a record left after its intended time."""

    sent: int
    acknowledged: int
    aborted: int
    failed: int
    indeterminate: int
    duration_s: float
    most_late_s: float


def run_load(
    spec: LoadSpec,
    *,
    seed: int,
    run_id: str,
    client_config: Mapping[str, str],
    recorder: Recorder,
    identify: Identify,
    stop: threading.Event,
    duration_s: float | None = None,
    count: int | None = None,
) -> LoadSummary:
    """Writes `spec.rate` records a second until `stop`, or as many as `duration_s` or `count` say.

    Open loop: record n is due n / rate seconds after the start and leaves then or, where the load
    was held up, at once after it; slow acknowledgements slow nothing down. The clock is the
    recorder's. `client_config` are librdkafka properties of the direct listener. Blocks; when it
    returns, the outcome of every record sent stands in the history. With `spec.input_file` the
    records are its rows, and there are no more.

    Raises UsageError where the topic is not there, the file is bad, or `identify` does not fit the
    load's own records; InfrastructureError where the cluster does not answer.
    """
    if duration_s is not None and count is not None:
        raise UsageError("run_load takes duration_s or count, not both")
    if duration_s is not None:
        count = math.ceil(duration_s * spec.rate)
    return _drive(
        spec,
        seed=seed,
        run_id=run_id,
        client_config=client_config,
        recorder=recorder,
        identify=identify,
        stop=stop,
        count=count,
        rate=spec.rate,
    )


def preload(
    spec: LoadSpec,
    *,
    count: int,
    seed: int,
    run_id: str,
    client_config: Mapping[str, str],
    recorder: Recorder,
    identify: Identify,
    stop: threading.Event | None = None,
) -> LoadSummary:
    """Records 0 to `count` - 1, the same ones as `run_load` writes, as fast as possible."""
    return _drive(
        spec,
        seed=seed,
        run_id=run_id,
        client_config=client_config,
        recorder=recorder,
        identify=identify,
        stop=stop or threading.Event(),
        count=count,
        rate=None,
    )


def _drive(
    spec: LoadSpec,
    *,
    seed: int,
    run_id: str,
    client_config: Mapping[str, str],
    recorder: Recorder,
    identify: Identify,
    stop: threading.Event,
    count: int | None,
    rate: float | None,
) -> LoadSummary:
    with ClusterView(client_config) as view:
        view.partitions(spec.topic)
    found = None if spec.input_file is None else survey(spec, identify=identify)
    if found is None:
        records = _generated(spec, seed=seed, run_id=run_id, identify=identify)
    else:
        records = replayed(spec, identify=identify)
    limit = min(math.inf if count is None else count, math.inf if found is None else found.count)
    outcomes = Outcomes(topic=spec.topic, recorder=recorder)
    sender = open_sender(
        spec,
        seed=seed,
        transactional_id=f"eoscheck-load-{run_id}",
        client_config=client_config,
        outcomes=outcomes,
        clock=recorder.now,
    )
    started = recorder.now()
    pacing = _pacing(spec, found, rate=rate, start=started)
    sent, most_late = 0, 0.0
    try:
        while sent < limit and not stop.is_set():
            now = recorder.now()
            due = min(pacing.due(now), limit, sent + _CHUNK)
            if sent < due:
                most_late = max(most_late, now - pacing.intended(sent))
            while sent < due:
                identity, key, value, headers, _at = next(records)
                sender.send(identity, key, value, pacing.intended(sent), headers)
                sent += 1
            outcomes.write_if_due()
            gap = pacing.intended(sent) - recorder.now() if sent < limit else 0.0
            sender.serve(wait_s(gap))
    finally:
        sender.finish()
        outcomes.write()
    return LoadSummary(
        sent=sent,
        acknowledged=outcomes.counts["acknowledged"],
        aborted=outcomes.counts["aborted"],
        failed=outcomes.counts["failed"],
        indeterminate=outcomes.counts["indeterminate"],
        duration_s=recorder.now() - started,
        most_late_s=most_late,
    )


def _pacing(
    spec: LoadSpec, found: Survey | None, *, rate: float | None, start: float
) -> Paced | Timed | Unpaced:
    if rate is None:
        return Unpaced(start=start)
    return Paced(rate=rate, start=start) if found is None else pacing_of(spec, found, start=start)


def _generated(spec: LoadSpec, *, seed: int, run_id: str, identify: Identify) -> Iterator[Record]:
    for key, value in generate(spec, seed=seed, run_id=run_id):
        yield Record(identity_of(identify, key, value), key, value)


def open_sender(
    spec: LoadSpec,
    *,
    seed: int,
    transactional_id: str,
    client_config: Mapping[str, str],
    outcomes: Outcomes,
    clock: Callable[[], float],
) -> Sender:
    """A plain producer, or one of transactions where the load wants those."""
    if spec.transaction_size is None:
        return PlainSender(
            topic=spec.topic, client_config=client_config, outcomes=outcomes, acks=spec.acks
        )
    return TransactionalSender(
        topic=spec.topic,
        size=spec.transaction_size,
        aborts=abort_decisions(spec, seed=seed),
        transactional_id=transactional_id,
        client_config=client_config,
        outcomes=outcomes,
        clock=clock,
    )


def identity_of(identify: Identify, key: bytes, value: bytes) -> Identity:
    """Raises UsageError where it finds none in a record of ours."""
    identity = identify(key, value, None)
    if identity is None:
        raise UsageError(
            f"the id expression finds nothing in the load's own record {value[:200]!r}: "
            "make load.key or load.value carry it, or change the expression"
        )
    return identity
