"""Examines a broker, promise by promise, and takes away what it put there."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence

from eoscheck.errors import InfrastructureError, UsageError, did_you_mean
from eoscheck.explore.broker_exam.bench import Bench
from eoscheck.explore.broker_exam.conversation import (
    Conversation,
    NotExaminedError,
    NotOfferedError,
)
from eoscheck.explore.broker_exam.outcome import (
    ExamResult,
    Observation,
    PromiseResult,
    Verdict,
    judged,
)
from eoscheck.explore.broker_exam.promises import PROMISES, Promise
from eoscheck.explore.broker_exam.topics import exam_topics

PREFIX = "eoscheck-exam-"
"""What the exam's topics, groups and transactional ids begin with."""
_TIMEOUT_S = 5.0
_EXPIRY_S = 30.0
"""A coordinator looks for expired transactions every 10 s by default."""


def find_promises(names: Sequence[str]) -> list[Promise]:
    """Those, in the exam's order; all where none is named. Raises UsageError for an unknown one."""
    known = {each.name: each for each in PROMISES}
    for name in names:
        if name not in known:
            raise UsageError(
                f"no promise is called {name!r}{did_you_mean(name, known)}: "
                f"there are {', '.join(known)}"
            )
    return [each for each in PROMISES if not names or each.name in names]


def examine_broker(
    client_config: Mapping[str, str],
    *,
    broker: str,
    promises: Sequence[Promise] = PROMISES,
    timeout_s: float = _TIMEOUT_S,
    expiry_s: float = _EXPIRY_S,
    progress: Callable[[str], None] = lambda _: None,
) -> ExamResult:
    """Writes to that cluster: topics, groups and transactional ids of the exam's own.

    `client_config` are librdkafka properties, `broker` the words for it in the result; no answer is
    waited for longer than `timeout_s`, the end of an expired transaction no longer than `expiry_s`
    (transaction.abort.timed.out.transaction.cleanup.interval.ms and a little). A broker that does
    not answer leaves its promises unknown, with the reason.
    """
    prefix = f"{PREFIX}{uuid.uuid4().hex[:8]}"
    try:
        talk = Conversation(client_config, timeout_s=timeout_s)
    except InfrastructureError as error:
        silent = [_unknown(each, str(error)) for each in promises]
        return ExamResult(broker=broker, promises=silent, left_behind=[])
    left: list[str] = []
    names = {each.name: f"{prefix}-{each.name}" for each in promises}
    with talk, exam_topics(talk, list(names.values()), left_behind=left) as refusal:
        results = []
        for number, promise in enumerate(promises):
            if refusal is not None:
                results.append(_unknown(promise, refusal))
                continue
            progress(f"{number + 1} of {len(promises)}: {promise.title}")
            bench = Bench(talk=talk, name=names[promise.name], expiry_s=expiry_s)
            try:
                results.append(_examined(promise, bench))
            finally:
                left += bench.leave()
    return ExamResult(broker=broker, promises=results, left_behind=left)


def _examined(promise: Promise, bench: Bench) -> PromiseResult:
    talk = bench.talk
    started, told = talk.clock(), len(talk.exchanges)
    seen: list[Observation] = []
    reason = None
    offered = True
    try:
        for observation in promise.check(bench):
            seen.append(observation)  # noqa: PERF402 - those before an error count
    except NotExaminedError as error:
        reason = str(error)
    except NotOfferedError as error:
        reason, offered = str(error), False
    return PromiseResult(
        name=promise.name,
        title=promise.title,
        verdict=judged(seen, reason=reason) if offered else Verdict.NOT_OFFERED,
        observations=seen,
        exchanges=talk.exchanges[told:],
        seconds=round(talk.clock() - started, 3),
        reason=reason,
    )


def _unknown(promise: Promise, reason: str) -> PromiseResult:
    return PromiseResult(
        name=promise.name,
        title=promise.title,
        verdict=judged([], reason=reason),
        observations=[],
        exchanges=[],
        seconds=0.0,
        reason=reason,
    )
