"""A fault-free stretch of a running subject, from which its steps are learned."""

from __future__ import annotations

import random
from collections.abc import Sequence

from eoscheck.errors import InfrastructureError
from eoscheck.explore.crashpoints.learn import LearnedStep, learn
from eoscheck.explore.crashpoints.perform import Performer
from eoscheck.explore.crashpoints.watch import commits
from eoscheck.wire import Exchange


class SubjectStalled(InfrastructureError):  # noqa: N818 - it says what happened
    """It does not go on, and nothing was broken."""


_COMMITS = 5
"""Of each instance: the steps of its work, each several times."""
_HEARTBEATS = ("Heartbeat", "ConsumerGroupHeartbeat")


def learn_from(performer: Performer, *, seed: int) -> list[LearnedStep]:
    """Every instance at work; then one stops in order, others take over, and it comes back. Blocks
    until that has been seen; SubjectStalled where it does not come."""
    instances = list(performer.subject.instances)
    began = performer.clock()
    for instance in instances:
        _wait_at_work(performer, instance, since=began)
    until = performer.clock()
    work = [_between(performer, each, began, until) for each in instances]

    leaver = random.Random(seed).choice(instances)
    left_at = performer.clock()
    missing = performer.take_down(leaver)
    if missing:
        raise SubjectStalled(f"nobody took over from instance {leaver}: {missing}")
    back_at = performer.clock()
    performer.bring_back()
    at_work = performer.watch.wait(
        commits, instance=leaver, since=back_at, timeout_s=performer.bounds.recover_s
    )
    if at_work is None:
        raise SubjectStalled(
            f"instance {leaver} came back and has committed nothing for "
            f"{performer.bounds.recover_s:g} s"
        )
    others = [each for each in instances if each != leaver]
    return learn(
        work=work,
        starts=[_between(performer, leaver, back_at, at_work.sent)],
        stops=[_between(performer, leaver, left_at, back_at)],
        rebalances=[_between(performer, each, left_at, at_work.sent) for each in others],
    )


def wait_at_work(performer: Performer) -> None:
    """Every instance has committed several times: what strikes the very first transactions, which
    may be empty, proves little. Raises SubjectStalled."""
    began = performer.clock()
    for instance in performer.subject.instances:
        _wait_at_work(performer, instance, since=began)


def _wait_at_work(performer: Performer, instance: int, *, since: float) -> None:
    bound = performer.bounds.recover_s
    after = since
    for _ in range(_COMMITS):
        found = performer.watch.wait(commits, instance=instance, since=after, timeout_s=bound)
        if found is None:
            raise SubjectStalled(
                f"instance {instance} has committed nothing for {bound:g} s, before any fault"
            )
        after = found.sent + 1e-9
    performer.watch.wait(_beats, instance=instance, since=since, timeout_s=performer.bounds.reach_s)


def _beats(exchange: Exchange) -> bool:
    return any(step in _HEARTBEATS for step in exchange.steps)


def _between(performer: Performer, instance: int, since: float, until: float) -> Sequence[Exchange]:
    seen = performer.watch.seen(instance=instance, since=since)
    return [each for each in seen if each.sent <= until]
